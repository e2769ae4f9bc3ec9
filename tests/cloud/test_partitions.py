"""Data by class and customer: who reaches it, under which key, and how it ages. Rows M7, M8, M9, M11, M14."""

from __future__ import annotations

from typing import Any

import pytest

from verify.account import Account
from verify.policies import Statement, conditions, covers, principals, statements
from verify.subjects import Resource

Region = dict[str, Any]
PRINCIPAL = "arnnotequals aws:principalarn"


def _denials(policy: list[Statement], action: str, *resources: str) -> list[dict[str, list[str]]]:
    """The conditions of every Deny for everybody that covers an action on all these resources."""
    return [
        conditions(s)
        for s in policy
        if s.get("Effect") == "Deny"
        and "*" in principals(s)
        and covers(s.get("Action", []), action)
        and all(covers(s.get("Resource", []), resource) for resource in resources)
    ]


def _objects(bucket: Resource) -> str:
    return f"arn:aws:s3:::{bucket['Name']}/any/object"


@pytest.fixture
def policy(bucket: Resource, aws: Account) -> list[Statement]:
    found = aws.read("s3", "get_bucket_policy", absent=("NoSuchBucketPolicy",), Bucket=bucket["Name"])
    return statements(str(found["Policy"])) if found else []


@pytest.fixture
def data(bucket: Resource) -> dict[str, Any]:
    """The contract's words about a bucket of data."""
    expected = bucket.expected or {}
    if expected.get("purpose") != "data":
        pytest.skip("not applicable: it holds no class of data")
    return expected


def _roles(region: Region, data: dict[str, Any], field: str) -> set[str]:
    stated = region["data_classes"][data["class"]]
    return {region["roles"][role]["role_arn"].lower() for role in stated[field]}


def _copiers(region: Region, data: dict[str, Any]) -> set[str]:
    customer = region["customers"].get(data.get("customer") or "", {})
    if not customer.get("deep_archive"):
        return set()
    stack, account = region["stack"], region["account"]
    return {f"arn:aws:iam::{account}:role/stockade/{stack}/stockade-{stack}-copy-{data['customer']}".lower()}


@pytest.mark.control("STK-BKT-012")
def test_a_bucket_encrypts_with_the_key_that_is_meant_for_it(bucket: Resource, aws: Account) -> None:
    wanted = (bucket.expected or {}).get("key")
    if not wanted:
        pytest.skip("not applicable: no key of ours is meant for it")
    absent = ("ServerSideEncryptionConfigurationNotFoundError",)
    found = aws.read("s3", "get_bucket_encryption", absent=absent, Bucket=bucket["Name"])
    assert found, "no default encryption is configured"
    default = found["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    key = default.get("KMSMasterKeyID", "none of ours")
    assert key.split("/")[-1] == wanted.split("/")[-1], f"its key is {key}, not {wanted}"


@pytest.mark.control("STK-BKT-013")
@pytest.mark.parametrize("action", ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:DeleteBucket"])
def test_no_role_deletes(bucket: Resource, policy: list[Statement], action: str) -> None:
    where = f"arn:aws:s3:::{bucket['Name']}" if action == "s3:DeleteBucket" else _objects(bucket)
    assert {} in _denials(policy, action, where), f"{action} is not refused for everybody"


@pytest.mark.control("STK-BKT-014")
def test_data_is_reached_through_our_endpoints_only(
    bucket: Resource, policy: list[Statement], data: dict[str, Any], aws: Account, region: Region
) -> None:
    ours = {e["VpcEndpointId"].lower() for e in aws.need("ec2", "describe_vpc_endpoints")["VpcEndpoints"]}
    for action in ("s3:GetObject", "s3:PutObject"):
        doors = [
            set(found["stringnotequals aws:sourcevpce"])
            for found in _denials(policy, action, _objects(bucket))
            if "stringnotequals aws:sourcevpce" in found
            and set(found) <= {"stringnotequals aws:sourcevpce", PRINCIPAL}
            and set(found.get(PRINCIPAL, [])) <= _copiers(region, data)
        ]
        assert doors, f"{action} works from outside our VPC endpoints"
        assert any(found and found <= ours for found in doors), f"{action}: an endpoint that is not ours"


@pytest.mark.control("STK-BKT-015")
def test_only_the_roles_of_the_class_write_and_read(
    bucket: Resource, policy: list[Statement], data: dict[str, Any], region: Region
) -> None:
    wanted = {
        "s3:PutObject": _roles(region, data, "writers"),
        "s3:GetObject": _roles(region, data, "readers") | _copiers(region, data),
        "s3:GetObjectVersion": _roles(region, data, "readers") | _copiers(region, data),
    }
    for action, roles in wanted.items():
        found = [
            set(conditions[PRINCIPAL])
            for conditions in _denials(policy, action, _objects(bucket))
            if set(conditions) == {PRINCIPAL}
        ]
        assert found, f"{action} is open to every role"
        extra = set.intersection(*found) - roles
        assert not extra, f"{action} is open to {', '.join(sorted(extra))}"


@pytest.mark.control("STK-BKT-016")
def test_a_customers_prefix_takes_its_own_key_only(
    bucket: Resource, policy: list[Statement], data: dict[str, Any]
) -> None:
    if not data.get("tenants"):
        pytest.skip("not applicable: no customer has a prefix in it")
    header = "stringnotequals s3:x-amz-server-side-encryption-aws-kms-key-id"
    for customer, key in data["tenants"].items():
        under = f"arn:aws:s3:::{bucket['Name']}/customers/{customer}/any"
        bound = [c for c in _denials(policy, "s3:PutObject", under) if c == {header: [key.lower()]}]
        assert bound, f"objects of {customer} may lie under another key"
        strays = [
            s
            for s in policy
            if s.get("Effect") == "Deny"
            and conditions(s) == {header.replace("notequals", "equals"): [key.lower()]}
            and not covers(s.get("NotResource", ["*"]), _objects(bucket))
        ]
        assert strays, f"the key of {customer} may be used for other objects"


@pytest.mark.control("STK-BKT-017")
def test_data_gets_colder_and_stays_as_long_as_its_class_says(
    bucket: Resource, data: dict[str, Any], aws: Account, region: Region
) -> None:
    stated = region["data_classes"][data["class"]]
    absent = ("NoSuchLifecycleConfiguration",)
    found = aws.read("s3", "get_bucket_lifecycle_configuration", absent=absent, Bucket=bucket["Name"])
    rules = [rule for rule in (found or {}).get("Rules", []) if rule["Status"] == "Enabled"]
    moves = {move["Days"]: move["StorageClass"] for rule in rules for move in rule.get("Transitions", [])}
    for field in ("warm_after_days", "cold_after_days"):
        assert stated[field] in moves, f"nothing moves after {stated[field]} days"
    ends = [rule["Expiration"].get("Days", 0) for rule in rules if rule.get("Expiration")]
    assert all(days >= stated["retention_days"] for days in ends), f"objects go after {min(ends)} days"
    old = [
        r["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for r in rules
        if r.get("NoncurrentVersionExpiration")
    ]
    assert old and min(old) >= stated["retention_days"], "a replaced version goes before its class allows"


@pytest.mark.control("STK-BKT-022")
@pytest.mark.parametrize(
    "action",
    ["s3:DeleteBucketPolicy", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration", "s3:PutBucketVersioning"],
)
def test_nobody_else_changes_how_the_bucket_is_kept(
    bucket: Resource, policy: list[Statement], region: Region, action: str
) -> None:
    account, stack = region["account"], region["stack"]
    roles = (f"role/stockade-teams/{stack}/{stack}-{team}" for team in ("break-glass", "platform"))
    ours = {f"arn:aws:iam::{account}:{who}" for who in (*roles, "root")}
    found = [
        set(c[PRINCIPAL])
        for c in _denials(policy, action, f"arn:aws:s3:::{bucket['Name']}")
        if set(c) == {PRINCIPAL}
    ]
    assert found, f"{action} is not refused"
    extra = set.intersection(*found) - ours
    assert not extra, f"{action} is open to {', '.join(sorted(extra))}"
