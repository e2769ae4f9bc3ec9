"""The policies that bound a role: its own, the attached ones and its permission boundary. Plain reads."""

from __future__ import annotations

from typing import Any

from verify.account import Account
from verify.policies import Statement, conditions, covers, statements


def policies_of(aws: Account, role: str) -> dict[str, list[Statement]]:
    """Name → statements of every policy of a role, inline and attached."""
    found = {}
    for name in aws.need("iam", "list_role_policies", RoleName=role)["PolicyNames"]:
        policy = aws.need("iam", "get_role_policy", RoleName=role, PolicyName=name)
        found[name] = statements(policy["PolicyDocument"])
    for attached in aws.need("iam", "list_attached_role_policies", RoleName=role)["AttachedPolicies"]:
        found[attached["PolicyName"]] = managed_policy(aws, attached["PolicyArn"])
    return found


def boundary_of(aws: Account, role: dict[str, Any]) -> list[Statement] | None:
    """The statements of a role's permission boundary, None without one."""
    found = role.get("PermissionsBoundary")
    return managed_policy(aws, found["PermissionsBoundaryArn"]) if found else None


def may(aws: Account, role: dict[str, Any], action: str) -> bool:
    """Can a role carry out an action on anything at all? Its policies and its boundary both have to let it.

    A conditional Deny counts as none, a conditional Allow as one: the answer errs on the careful side.
    """
    own = [statement for policy in policies_of(aws, role["RoleName"]).values() for statement in policy]
    boundary = boundary_of(aws, role)
    layers = [own] if boundary is None else [own, boundary]
    return all(_allows(layer, action) for layer in layers) and not any(
        _denies(layer, action) for layer in layers
    )


def _allows(policy: list[Statement], action: str) -> bool:
    return any(s.get("Effect") == "Allow" and _names(s, action) for s in policy)


def _denies(policy: list[Statement], action: str) -> bool:
    always = (s for s in policy if s.get("Effect") == "Deny" and not conditions(s))
    return any(_names(s, action) and "*" in s.get("Resource", []) for s in always)


def _names(statement: Statement, action: str) -> bool:
    if "NotAction" in statement:
        return not covers(statement["NotAction"], action)
    return covers(statement.get("Action", []), action)


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
