"""Weaknesses of the identity."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, account, pairs


def role_without_boundary_may_do_everything(live: Any) -> Iterator[Pairs]:
    iam, planned = live.client("iam"), live.contract["roles"]["app"]
    name = planned["role_arn"].split("/")[-1]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.delete_role_permissions_boundary(RoleName=name)
    iam.put_role_policy(RoleName=name, PolicyName="quick-fix", PolicyDocument=json.dumps(policy))
    yield pairs("role/app", "IAM-001", "IAM-002", "IAM-007", "IAM-008", "IAM-009")
    iam.delete_role_policy(RoleName=name, PolicyName="quick-fix")
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=planned["boundary"])


def user_with_a_key(live: Any) -> Iterator[Pairs]:
    iam = live.client("iam")
    iam.create_user(UserName="deploy")
    yield account(live, "IAM-004")
    iam.delete_user(UserName="deploy")


def short_passwords(live: Any) -> Iterator[Pairs]:
    iam = live.client("iam")
    before = iam.get_account_password_policy()["PasswordPolicy"]
    before.pop("ExpirePasswords", None)
    iam.update_account_password_policy(**{**before, "MinimumPasswordLength": 8})
    yield account(live, "ACC-001")
    iam.update_account_password_policy(**before)


WEAKNESSES: tuple[Weakness, ...] = (
    role_without_boundary_may_do_everything,
    user_with_a_key,
    short_passwords,
)
