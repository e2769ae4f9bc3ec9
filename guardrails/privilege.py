"""No policy of ours grants everything, and every role stays under a boundary."""

from __future__ import annotations

import re
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
ROLE = "aws:iam/role:Role"
TEAMS = "/stockade-teams/"  # iam/team_limits.py: where nobody in the account may write
# Verbs that read, by the names that AWS gives its actions.
READS = re.compile(r"^[a-z0-9-]+:(BatchGet|Describe|Get|List|Lookup|Search|View)")
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


def wildcards_read_only(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """A wildcard in an action stands behind a reading verb, or on named resources; never on everything.

    A boundary grants nothing: it may name whole services.
    """
    ceilings = {urn for role in of_type(resources, ROLE) for urn in _boundary_of(role)}
    for found in of_type(resources, *IDENTITY_POLICIES):
        for statement in _allows(found) if found["urn"] not in ceilings else ():
            wide = [a for a in listed(statement.get("Action")) if "*" in a and not READS.match(a)]
            if wide and "*" in listed(statement.get("Resource")):
                yield Finding(
                    "grant-wildcard",
                    found["urn"],
                    f"{statement.get('Sid')} allows {', '.join(wide)} on everything",
                    "list the actions, or name the resources",
                )


def teams_under_their_own_boundary(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """A role that people take stands under a boundary that people cannot change: one of the teams' path."""
    paths = {p["urn"]: str(p["inputs"].get("path", "/")) for p in of_type(resources, IDENTITY_POLICIES[0])}
    for role in of_type(resources, ROLE):
        if not str(role["inputs"].get("path", "/")).startswith(TEAMS):
            continue
        above = _boundary_of(role)
        stated = f":policy{TEAMS}" in str(role["inputs"].get("permissionsBoundary", ""))
        if not stated and not any(paths.get(urn, "").startswith(TEAMS) for urn in above):
            yield Finding(
                "team-bounded",
                role["urn"],
                "a team's role without a boundary of the teams' path",
                f"set its own boundary, below {TEAMS}",
            )


def _boundary_of(role: Planned) -> list[str]:
    """URNs of what a role's boundary was computed from."""
    return list(role["depends"].get("permissionsBoundary", []))


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
    wildcards_read_only,
    teams_under_their_own_boundary,
)
