"""Weaknesses of the identity."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, account, pairs
from twin.account.extensions.root_user import HARDWARE

CODES = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}


def role_without_boundary_may_do_everything(live: Any) -> Iterator[Pairs]:
    iam, planned = live.client("iam"), live.contract["roles"]["app"]
    name = planned["role_arn"].split("/")[-1]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.delete_role_permissions_boundary(RoleName=name)
    iam.put_role_policy(RoleName=name, PolicyName="quick-fix", PolicyDocument=json.dumps(policy))
    yield pairs("role/app", "IAM-001", "IAM-002", "IAM-007", "IAM-008", "IAM-009", "IAM-024")
    iam.delete_role_policy(RoleName=name, PolicyName="quick-fix")
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=planned["boundary"])


def user_with_a_key(live: Any) -> Iterator[Pairs]:
    iam = live.client("iam")
    iam.create_user(UserName="deploy")
    yield account(live, "IAM-004")
    iam.delete_user(UserName="deploy")


def short_passwords_that_last_a_year(live: Any) -> Iterator[Pairs]:
    iam = live.client("iam")
    before = iam.get_account_password_policy()["PasswordPolicy"]
    before.pop("ExpirePasswords", None)
    iam.update_account_password_policy(**{**before, "MinimumPasswordLength": 8, "MaxPasswordAge": 365})
    yield account(live, "ACC-001", "ACC-002")
    iam.update_account_password_policy(**before)


@contextmanager
def _trust(live: Any, name: str, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """A role's trust changed, and as it was again afterwards."""
    iam = live.client("iam")
    before = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    changed = copy.deepcopy(before)
    change(changed["Statement"][0])
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(changed))
    yield
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(before))


def role_of_nodes_for_another_account(live: Any) -> Iterator[Pairs]:
    name = live.contract["roles"]["archive"]["role_arn"].split("/")[-1]
    stranger = {"Service": "ec2.amazonaws.com", "AWS": "arn:aws:iam::999999999999:root"}
    with _trust(live, name, lambda statement: statement.update(Principal=stranger)):
        yield pairs("role/archive", "IAM-003")


def role_for_a_service_that_needs_none(live: Any) -> Iterator[Pairs]:
    """S3 names no source when it takes a role, so only what copies for a bucket of ours may trust it."""
    iam = live.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="batch", AssumeRolePolicyDocument=document)
    yield pairs("role/batch", "IAM-001", "IAM-003")
    iam.delete_role(RoleName="batch")


def role_for_machines_that_none_carries(live: Any) -> Iterator[Pairs]:
    name = _roles_trusting(live, "s3.amazonaws.com")[0]
    with _trust(live, name, lambda statement: statement.update(Principal={"Service": "ec2.amazonaws.com"})):
        yield pairs(f"role/{name}", "IAM-003")


def role_for_any_accounts_functions(live: Any) -> Iterator[Pairs]:
    name = next(n for n in _roles_trusting(live, "lambda.amazonaws.com"))
    elsewhere = {"StringEquals": {"aws:SourceAccount": "999999999999"}}
    with _trust(live, name, lambda statement: statement.update(Condition=elsewhere)):
        yield pairs(f"role/{name}", "IAM-003")


def _roles_trusting(live: Any, service: str) -> list[str]:
    pages = live.client("iam").get_paginator("list_roles").paginate()
    roles = [role for page in pages for role in page["Roles"]]
    return [r["RoleName"] for r in roles if f'"{service}"' in json.dumps(r["AssumeRolePolicyDocument"])]


def root_user_with_an_access_key(live: Any) -> Iterator[Pairs]:
    """Without a user's name the key is the caller's own, and the emulated account is called by its root."""
    iam = live.client("iam")
    made = iam.create_access_key()["AccessKey"]["AccessKeyId"]
    yield account(live, "IAM-005")
    iam.delete_access_key(AccessKeyId=made)


def role_that_opens_what_any_key_closed(live: Any) -> Iterator[Pairs]:
    iam = live.client("iam")
    name = live.contract["roles"]["archive"]["role_arn"].split("/")[-1]
    grant = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [grant]})
    iam.put_role_policy(RoleName=name, PolicyName="restore", PolicyDocument=document)
    yield pairs("role/archive", "IAM-024")
    iam.delete_role_policy(RoleName=name, PolicyName="restore")


def root_user_without_its_device(live: Any) -> Iterator[Pairs]:
    """The device goes by API; a new one is registered in the console, for which the emulated account has
    EnableMFADevice with its id as the name.
    """
    iam, account_id = live.client("iam"), str(live.contract["account"])
    iam.deactivate_mfa_device(SerialNumber=HARDWARE)
    yield account(live, "IAM-022", "IAM-023")
    iam.enable_mfa_device(UserName=account_id, SerialNumber=HARDWARE, **CODES)


WEAKNESSES: tuple[Weakness, ...] = (
    role_of_nodes_for_another_account,
    role_for_a_service_that_needs_none,
    role_for_machines_that_none_carries,
    role_for_any_accounts_functions,
    root_user_with_an_access_key,
    root_user_without_its_device,
    role_that_opens_what_any_key_closed,
    role_without_boundary_may_do_everything,
    user_with_a_key,
    short_passwords_that_last_a_year,
)
