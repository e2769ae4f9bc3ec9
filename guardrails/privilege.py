"""No policy of ours grants everything, and every role stays under a boundary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from guardrails.model import Bounds, Finding, Guardrail, Planned, listed, of_type, statements

IDENTITY_POLICIES = ("aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy")
ATTACHMENTS = (
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment",
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
)
# AWS's own policies that grant everything, or everything but the management of identities.
TOO_WIDE = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")
RESOURCE_POLICIES = ("aws:s3/bucketPolicy:BucketPolicy", "aws:kms/key:Key", "aws:ec2/vpcEndpoint:VpcEndpoint")


def no_wildcard_grant(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """No statement allows every action, or everything but a list."""
    for found in of_type(resources, *IDENTITY_POLICIES):
        for statement in _allows(found):
            if "*" in listed(statement.get("Action")) or "NotAction" in statement:
                yield Finding(
                    "grant-narrow",
                    found["urn"],
                    f"{statement.get('Sid')} allows everything",
                    "list the actions",
                )


def no_wide_attachment(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Nobody is attached to one of AWS's policies that grant everything."""
    for found in resources:
        attached = listed(found["inputs"].get("policyArn")) if found["type"] in ATTACHMENTS else []
        if found["type"] == "aws:iam/role:Role":
            attached = listed(found["inputs"].get("managedPolicyArns"))
        for arn in attached:
            if str(arn).rpartition("/")[2] in TOO_WIDE:
                yield Finding("grant-narrow", found["urn"], f"{arn} is attached", "attach a policy of ours")


def no_public_grant(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """No resource policy lets everybody in without naming our account in a condition."""
    for found in of_type(resources, *RESOURCE_POLICIES):
        for statement in _allows(found):
            everybody = statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
            if everybody and not _bound_to(statement, bounds.account):
                yield Finding(
                    "grant-public",
                    found["urn"],
                    f"{statement.get('Sid')} allows everybody",
                    f"name the principals, or bind it to account {bounds.account}",
                )


def roles_bounded(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Every role has a permission boundary, whoever assumes it."""
    for role in of_type(resources, "aws:iam/role:Role"):
        if "permissionsBoundary" not in role["inputs"]:
            yield Finding(
                "role-bounded", role["urn"], "no permission boundary", "set one from iam/boundary.py"
            )


def _allows(resource: Planned) -> list[dict[str, Any]]:
    return [s for s in statements(resource["inputs"].get("policy")) if s.get("Effect") == "Allow"]


def _bound_to(statement: dict[str, Any], account: str) -> bool:
    equals = statement.get("Condition", {}).get("StringEquals", {})
    keys = ("aws:PrincipalAccount", "aws:ResourceAccount", "aws:SourceAccount", "kms:CallerAccount")
    return any(listed(equals.get(key)) == [account] for key in keys)


GUARDRAILS: tuple[Guardrail, ...] = (
    no_wildcard_grant,
    no_wide_attachment,
    no_public_grant,
    roles_bounded,
)
