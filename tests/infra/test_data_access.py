"""Who gets at data, decided by an evaluator over the documents that the program writes."""

from __future__ import annotations

from typing import Any

import pytest
from ministack.core.iam_evaluator import (
    EvalContext,
    combine_resource_policy,
    evaluate,
    parse_policy_document,
)

from iam.boundary import node_boundary
from iam.documents import render
from iam.node_policies import node_policy, uses_data
from settings import data as words
from storage.names import administrators, class_bucket
from storage.partition_policies import Concerned, data_bucket, data_key
from storage.partitions import data_access
from storage.policies import not_weakened, with_statement

ACCOUNT, REGION, STACK = "111122223333", "ap-south-1", "in-mumbai"
ROLES = {
    role: f"arn:aws:iam::{ACCOUNT}:role/stockade/{STACK}/node-{role}" for role in ("app", "archive", "edge")
}
CLASSES = {"records": words.DataClass(writers=("app",), readers=("app", "archive"), retention_days=2922)}
SHARED = class_bucket(STACK, ACCOUNT, "records")
ACME = class_bucket(STACK, ACCOUNT, "records", "acme")
KEY, TENANT = (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}" for name in ("class", "surya"))
DOOR = "vpce-1"
COPIER = f"arn:aws:iam::{ACCOUNT}:role/stockade/{STACK}/copy"
WHO = Concerned([ROLES["app"]], [ROLES["app"], ROLES["archive"]], [DOOR], COPIER)
POLICIES = {
    SHARED: data_bucket(SHARED, KEY, Concerned(WHO.writers, WHO.readers, [DOOR]), {"surya": TENANT}),
    ACME: data_bucket(ACME, KEY, WHO, {}),
}
ACCESS = data_access(CLASSES, list(ROLES), STACK, ACCOUNT)
HEADER = "s3:x-amz-server-side-encryption-aws-kms-key-id"


def decide(role: str, action: str, bucket: str, key: str = "2026/r", **facts: Any) -> str:
    """Identity within its boundary, and the bucket's policy, as AWS puts them together in one account."""
    context = {"s3:tlsversion": "1.3", "aws:sourcevpce": DOOR, "secure": True, **facts}
    asked = EvalContext(
        principal_arn=ROLES.get(role, role),
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=action,
        resource_arn=f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else ""),
        region=REGION,
        source_ip="10.20.1.1",
        secure_transport=bool(context.pop("secure")),
        service_context={k: v for k, v in context.items() if v is not None},
    )
    own = node_policy(uses_data(ACCESS[role], REGION, ACCOUNT, [DOOR])) if role in ROLES else ALMIGHTY
    limits = [[parse_policy_document(node_boundary([REGION]))]] if role in ROLES else []
    identity = evaluate(asked, [parse_policy_document(own)], *limits)
    guard = not_weakened(bucket, administrators(STACK, ACCOUNT))
    policy = with_statement(render(POLICIES[bucket]), guard)
    decided: str = combine_resource_policy(identity, asked, policy, ACCOUNT).decision
    return decided


ALMIGHTY = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
PLATFORM = f"arn:aws:iam::{ACCOUNT}:role/stockade-teams/{STACK}/{STACK}-platform"
ADMINISTRATOR = f"arn:aws:iam::{ACCOUNT}:role/administrator"


@pytest.mark.parametrize("bucket", [SHARED, ACME])
@pytest.mark.parametrize(
    ("role", "action", "facts", "allowed"),
    [
        ("app", "s3:PutObject", {}, True),
        ("app", "s3:GetObject", {}, True),
        ("app", "s3:GetObjectVersion", {}, True),
        ("archive", "s3:GetObject", {}, True),
        ("archive", "s3:PutObject", {}, False),
        ("edge", "s3:GetObject", {}, False),
        ("edge", "s3:PutObject", {}, False),
        ("app", "s3:DeleteObject", {}, False),
        ("app", "s3:DeleteObjectVersion", {}, False),
        ("app", "s3:PutObjectAcl", {}, False),
        ("app", "s3:BypassGovernanceRetention", {}, False),
        ("app", "s3:GetObject", {"aws:sourcevpce": None}, False),
        ("app", "s3:GetObject", {"aws:sourcevpce": "vpce-of-somebody"}, False),
        ("app", "s3:PutObject", {"aws:sourcevpce": None}, False),
        ("app", "s3:GetObject", {"secure": False}, False),
        ("app", "s3:GetObject", {"s3:tlsversion": "1.1"}, False),
        ("app", "s3:PutObject", {"s3:x-amz-server-side-encryption": "AES256"}, False),
        ("app", "s3:PutObject", {HEADER: "arn:aws:kms:x:1:key/mine"}, False),
        (ADMINISTRATOR, "s3:GetObject", {}, False),
        (ADMINISTRATOR, "s3:PutObject", {}, False),
        (ADMINISTRATOR, "s3:DeleteObject", {}, False),
        (ADMINISTRATOR, "s3:DeleteObjectVersion", {}, False),
        (ADMINISTRATOR, "s3:GetObjectVersionForReplication", {}, False),
    ],
)
def test_who_may_do_what_with_data(
    bucket: str, role: str, action: str, facts: dict[str, Any], allowed: bool
) -> None:
    assert (decide(role, action, bucket, **facts) == "Allow") is allowed


@pytest.mark.parametrize(
    "action", ["s3:PutLifecycleConfiguration", "s3:DeleteBucketPolicy", "s3:PutBucketVersioning"]
)
@pytest.mark.parametrize(
    ("role", "allowed"), [(ADMINISTRATOR, False), (PLATFORM, True), (f"{PLATFORM}-2", False)]
)
def test_who_may_change_how_a_bucket_is_kept(role: str, allowed: bool, action: str) -> None:
    assert (decide(role, action, ACME, "", **{"aws:sourcevpce": None}) == "Allow") is allowed


@pytest.mark.parametrize(
    ("key", "header", "allowed"),
    [
        ("customers/surya/r", TENANT, True),
        ("customers/surya/r", KEY, False),
        ("customers/surya/r", None, False),
        ("customers/suryab/r", TENANT, False),
        ("2026/r", TENANT, False),
        ("2026/r", KEY, True),
        ("2026/r", None, True),
    ],
)
def test_a_prefix_and_its_key_belong_together(key: str, header: str | None, allowed: bool) -> None:
    assert (decide("app", "s3:PutObject", SHARED, key, **{HEADER: header}) == "Allow") is allowed


def test_the_copying_role_reads_versions_from_outside_our_endpoints_and_nothing_else_does() -> None:
    outside: dict[str, Any] = {"aws:sourcevpce": None}
    for action in ("s3:GetObjectVersionForReplication", "s3:GetObjectVersion"):
        assert decide(COPIER, action, ACME, **outside) == "Allow"
        assert decide(COPIER, action, SHARED, **outside) == "Deny"


@pytest.mark.parametrize(
    ("role", "action", "via", "allowed"),
    [
        (ROLES["app"], "kms:GenerateDataKey", "s3.ap-south-1.amazonaws.com", True),
        (ROLES["app"], "kms:Decrypt", "s3.ap-south-1.amazonaws.com", True),
        (ROLES["archive"], "kms:Decrypt", "s3.ap-south-1.amazonaws.com", True),
        (ROLES["archive"], "kms:GenerateDataKey", "s3.ap-south-1.amazonaws.com", False),
        (ROLES["edge"], "kms:Decrypt", "s3.ap-south-1.amazonaws.com", False),
        (ADMINISTRATOR, "kms:Decrypt", "s3.ap-south-1.amazonaws.com", False),
        (ADMINISTRATOR, "kms:CreateGrant", "s3.ap-south-1.amazonaws.com", False),
        (ADMINISTRATOR, "kms:PutKeyPolicy", None, True),
        (COPIER, "kms:Decrypt", "s3.ap-south-1.amazonaws.com", True),
        (ROLES["app"], "kms:Decrypt", "ec2.ap-south-1.amazonaws.com", False),
        (ROLES["app"], "kms:Decrypt", None, False),
    ],
)
def test_who_may_use_a_key_of_data(role: str, action: str, via: str | None, allowed: bool) -> None:
    asked = EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=action,
        resource_arn=KEY,
        region=REGION,
        secure_transport=True,
        service_context={"kms:viaservice": via} if via else {},
    )
    identity = evaluate(asked, [parse_policy_document(ALMIGHTY)])
    policy = data_key(ACCOUNT, REGION, WHO)
    decision = combine_resource_policy(identity, asked, policy, ACCOUNT, required=True).decision
    assert (decision == "Allow") is allowed
