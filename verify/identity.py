"""The policies that bound a role: its own, the attached ones and its permission boundary. Plain reads."""

from __future__ import annotations

from typing import Any

from verify.account import Account
from verify.policies import Statement, conditions, statements


def policies_of(aws: Account, role: str) -> dict[str, list[Statement]]:
    """Name → statements of every policy of a role, inline and attached."""
    found = {}
    for name in aws.need("iam", "list_role_policies", RoleName=role)["PolicyNames"]:
        policy = aws.need("iam", "get_role_policy", RoleName=role, PolicyName=name)
        found[name] = statements(policy["PolicyDocument"])
    for attached in aws.need("iam", "list_attached_role_policies", RoleName=role)["AttachedPolicies"]:
        found[attached["PolicyName"]] = managed_policy(aws, attached["PolicyArn"])
    return found


def managed_policy(aws: Account, arn: str) -> list[Statement]:
    """The statements of a managed policy's default version."""
    policy = aws.need("iam", "get_policy", PolicyArn=arn)["Policy"]
    version = aws.need("iam", "get_policy_version", PolicyArn=arn, VersionId=policy["DefaultVersionId"])
    return statements(version["PolicyVersion"]["Document"])


def regions_left_open(policy: list[Statement]) -> set[str] | None:
    """The regions outside of which a policy denies everything; None when it denies none."""
    for statement in policy:
        found = conditions(statement)
        everything = "*" in statement.get("Action", []) and "*" in statement.get("Resource", [])
        key = "stringnotequals aws:requestedregion"
        if statement.get("Effect") == "Deny" and everything and set(found) == {key}:
            return set(found[key])
    return None


def trusted(role: dict[str, Any]) -> list[Statement]:
    """The statements that say who may assume a role."""
    return [s for s in statements(role["AssumeRolePolicyDocument"]) if s.get("Effect") == "Allow"]
