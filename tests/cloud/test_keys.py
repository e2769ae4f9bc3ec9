"""KMS keys: rotated, enabled, and usable by nobody whom the account did not name. Rows M10, M4."""

from __future__ import annotations

from typing import Any

import pytest

from verify.account import Account
from verify.policies import Statement, conditions, covers, principals, statements
from verify.subjects import Resource

Region = dict[str, Any]


# Through which services identities use a key, by what it is for; what AWS writes by itself is bounded apart.
SERVES = {
    "volumes": ("ec2",),
    "trail": ("s3",),
    "findings": ("s3",),
    "notices": ("sns", "sqs"),
    "archive": ("s3",),
    "backup": ("backup",),
    "data": ("s3",),
    "customer": ("s3",),
}
CRYPTOGRAPHY = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom")


@pytest.fixture
def policy(key: Resource, aws: Account) -> list[Statement]:
    return statements(aws.need("kms", "get_key_policy", KeyId=key["KeyId"], PolicyName="default")["Policy"])


@pytest.mark.control("STK-KMS-001")
def test_the_key_is_rotated_every_year(key: Resource, aws: Account) -> None:
    answer = aws.need("kms", "get_key_rotation_status", KeyId=key["KeyId"])
    assert answer["KeyRotationEnabled"] is True, "rotation is off"
    assert answer.get("RotationPeriodInDays", 365) <= 365, (
        f"rotated every {answer['RotationPeriodInDays']} days"
    )


@pytest.mark.control("STK-KMS-002")
def test_the_key_is_enabled_and_made_by_kms(key: Resource) -> None:
    assert key["KeyState"] == "Enabled", f"its state is {key['KeyState']}: what it encrypted cannot be read"
    assert key["Origin"] == "AWS_KMS", f"its material comes from {key['Origin']}: somebody holds a copy"


@pytest.mark.control("STK-KMS-003")
def test_no_key_policy_names_everybody(policy: list[Statement]) -> None:
    for statement in policy:
        if statement.get("Effect") == "Allow":
            assert "*" not in principals(statement), f"statement {statement.get('Sid')} is for everybody"


@pytest.mark.control("STK-KMS-004")
def test_whoever_administers_a_key_cannot_use_it(policy: list[Statement]) -> None:
    for statement in policy:
        if statement.get("Effect") != "Allow" or conditions(statement):
            continue
        usable = [action for action in CRYPTOGRAPHY if covers(statement.get("Action", []), action)]
        assert not usable, f"statement {statement.get('Sid')} gives {', '.join(usable)} without any condition"


@pytest.mark.control("STK-KMS-005")
def test_a_key_is_used_through_the_service_it_is_for_only(
    key: Resource, policy: list[Statement], region: Region
) -> None:
    for statement in policy:
        usable = [action for action in CRYPTOGRAPHY if covers(statement.get("Action", []), action)]
        if statement.get("Effect") != "Allow" or not usable:
            continue
        asked, sid = conditions(statement), f"statement {statement.get('Sid')}"
        if all(name.endswith(".amazonaws.com") for name in principals(statement)):
            # A service that calls for itself names no via; what it acts for bounds it, and is ours.
            assert _acted_for(asked, str(region["account"])), f"{sid} bounds its service to nothing of ours"
            continue
        through = asked.get("stringequals kms:viaservice", [])
        assert through, f"{sid} gives {', '.join(usable)} by a direct call"
        kind = key.id.partition("/")[2].partition("/")[0]
        meant = {f"{service}.{region['region']}.amazonaws.com" for service in SERVES.get(kind, ())}
        assert set(through) <= meant, f"{sid} works through {', '.join(sorted(set(through) - meant))}"


def _acted_for(asked: dict[str, list[str]], account: str) -> bool:
    """Do these conditions tie a service to something of this account: a source, or an encryption context?"""
    source = asked.get("stringequals aws:sourceaccount") == [account]
    named = [
        values
        for name, values in asked.items()
        if name.endswith(" aws:sourcearn") or " kms:encryptioncontext:" in name
    ]
    ours = bool(named) and all(f":{account}:" in value for values in named for value in values)
    by_context = any(" kms:encryptioncontext:" in name for name in asked)
    return ours and (source or by_context)


@pytest.mark.control("STK-KMS-006")
def test_no_key_policy_reaches_another_account(policy: list[Statement], region: Region) -> None:
    own = f":{region['account']}:"
    for statement in policy:
        foreign = [p for p in principals(statement) if p.startswith("arn:") and own not in p]
        assert not foreign, f"statement {statement.get('Sid')} names {', '.join(foreign)}"


@pytest.mark.control("STK-KMS-007")
def test_a_key_of_data_serves_the_roles_of_its_classes_only(
    key: Resource, policy: list[Statement], region: Region
) -> None:
    name = key.id.partition("/")[2]
    kind, _, whose = name.partition("/")
    if kind not in ("data", "customer") or not key.expected:
        pytest.skip("not applicable: it is no key of data")
    classes = [whose] if kind == "data" else region["customers"][whose]["classes"]
    servers = {r for c in classes for f in ("writers", "readers") for r in region["data_classes"][c][f]}
    roles = {region["roles"][role]["role_arn"].lower() for role in servers}
    if kind == "customer" and region["customers"][whose].get("deep_archive"):
        stack = region["stack"]
        roles.add(
            f"arn:aws:iam::{region['account']}:role/stockade/{stack}/stockade-{stack}-copy-{whose}".lower()
        )
    for statement in policy:
        usable = [a for a in CRYPTOGRAPHY if covers(statement.get("Action", []), a)]
        if statement.get("Effect") != "Allow" or not usable:
            continue
        named = set(conditions(statement).get("arnequals aws:principalarn", []))
        assert named, f"statement {statement.get('Sid')} gives {', '.join(usable)} to every role"
        assert named <= roles, f"statement {statement.get('Sid')} names {', '.join(sorted(named - roles))}"
