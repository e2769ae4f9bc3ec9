"""Policy documents, as tables: what each says, and what it must never say."""

from __future__ import annotations

import fnmatch
import json
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest

from iam import documents
from iam.boundary import delivery_boundary, node_boundary
from iam.documents import Condition, Statement, document, merge, render, trust
from iam.node_policies import DataAccess, managed_by_ssm, node_policy, uses_data
from network.security import rule_description
from storage.key_policies import key_for_logs, key_for_service, key_for_volumes
from storage.policies import encrypted_bucket, flow_log_trust, log_delivery_bucket

ACCOUNT, REGION = "111122223333", "ap-south-1"
DATA = DataAccess(
    ("arn:aws:s3:::b-*",), ("arn:aws:s3:::r",), ("alias/stockade/x/data/*",), "arn:aws:s3:::d/nodes/app/*"
)
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"


def statement(policy: dict[str, Any], sid: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in policy["Statement"] if s["Sid"] == sid)
    return found


def allowed(policy: dict[str, Any], action: str) -> bool:
    """By actions alone: some statement allows it and no unconditional one denies it."""

    def names(s: dict[str, Any]) -> bool:
        return any(fnmatch.fnmatchcase(action, pattern) for pattern in s["Action"])

    denied = [s for s in policy["Statement"] if s["Effect"] == "Deny" and "Condition" not in s]
    allows = [s for s in policy["Statement"] if s["Effect"] == "Allow"]
    return any(map(names, allows)) and not any(map(names, denied))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (documents.without_tls(), {"Bool": {"aws:SecureTransport": "false"}}),
        (documents.tls_below("1.2"), {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
        (
            documents.outside_regions(["b", "a"]),
            {"StringNotEquals": {"aws:RequestedRegion": ["a", "b"]}},
        ),
        (documents.of_account(ACCOUNT), {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        (documents.on_behalf_of("arn:x"), {"ArnLike": {"aws:SourceArn": "arn:x"}}),
        (
            documents.through_endpoints(["vpce-2", "vpce-1"]),
            {"StringEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}},
        ),
        (
            documents.through_service("s3", REGION),
            {"StringEquals": {"kms:ViaService": "s3.ap-south-1.amazonaws.com"}},
        ),
        (
            documents.from_networks([ip_network("172.30.10.0/24"), ip_network("2001:db8::/64")]),
            {"IpAddress": {"aws:SourceIp": ["172.30.10.0/24", "2001:db8::/64"]}},
        ),
        (documents.without_mfa(), {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}),
        (documents.without_mfa(3600), {"NumericGreaterThanIfExists": {"aws:MultiFactorAuthAge": "3600"}}),
        (
            documents.between(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)),
            {
                "DateGreaterThan": {"aws:CurrentTime": "2026-01-02T00:00:00+00:00"},
                "DateLessThan": {"aws:CurrentTime": "2026-01-03T00:00:00+00:00"},
            },
        ),
    ],
)
def test_each_condition_is_written_with_its_own_key_and_operator(
    condition: Condition, expected: Condition
) -> None:
    assert condition == expected


def test_a_window_needs_zones_and_an_order() -> None:
    late, early = datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    for start, end in ((late, early), (early, early), (early.replace(tzinfo=None), late)):
        with pytest.raises(ValueError, match="window"):
            documents.between(start, end)


def test_conditions_add_up_and_never_override_each_other() -> None:
    both = merge(documents.without_tls(), documents.tls_below("1.2"))
    assert set(both) == {"Bool", "NumericLessThan"}
    with pytest.raises(ValueError, match="twice"):
        merge(documents.of_account("1"), documents.of_account("2"))


def test_statements_have_names_of_their_own() -> None:
    one = Statement("A", "Allow", ["s3:GetObject"])
    with pytest.raises(ValueError, match="unique"):
        document([one, one])
    with pytest.raises(ValueError, match="present"):
        document([])


def test_rendering_is_stable() -> None:
    forth = render(document([Statement("A", "Allow", ["b:X", "a:X"])]))
    back = render(document([Statement("A", "Allow", ["a:X", "b:X"])]))
    assert forth == back
    assert json.loads(forth)["Statement"][0]["Action"] == ["a:X", "b:X"]


def test_a_trust_policy_names_a_service_and_no_resource() -> None:
    (made,) = trust("vpc-flow-logs.amazonaws.com", flow_log_trust(ACCOUNT, REGION))["Statement"]
    assert made["Principal"] == {"Service": ["vpc-flow-logs.amazonaws.com"]}
    assert "Resource" not in made
    assert made["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert made["Condition"]["ArnLike"]["aws:SourceArn"].startswith(f"arn:aws:ec2:{REGION}:{ACCOUNT}:")


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("ssm:UpdateInstanceInformation", True),
        ("ssmmessages:OpenDataChannel", True),
        ("s3:GetObject", True),
        ("kms:Decrypt", True),
        ("iam:CreateAccessKey", False),
        ("iam:PassRole", False),
        ("sts:AssumeRole", False),
        ("organizations:LeaveOrganization", False),
        ("s3:DeleteObject", False),
        ("s3:DeleteObjectVersion", False),
        ("s3:PutBucketPolicy", False),
        ("s3:BypassGovernanceRetention", False),
        ("kms:ScheduleKeyDeletion", False),
        ("kms:PutKeyPolicy", False),
        ("logs:DeleteLogGroup", False),
        ("ssm:SendCommand", False),
        ("ssm:StartSession", False),
        ("ec2:RunInstances", False),
    ],
)
def test_the_node_boundary(action: str, expected: bool) -> None:
    assert allowed(node_boundary([REGION]), action) is expected


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("logs:PutLogEvents", True),
        ("logs:DeleteLogStream", False),
        ("iam:CreateUser", False),
        ("s3:GetObject", False),
    ],
)
def test_the_boundary_of_log_delivery(action: str, expected: bool) -> None:
    assert allowed(delivery_boundary(REGION), action) is expected


@pytest.mark.parametrize(
    "action",
    [
        "iam:CreateAccessKey",
        "sts:AssumeRole",
        "organizations:LeaveOrganization",
        "s3:DeleteObjectVersion",
        "s3:PutBucketPolicy",
        "s3:BypassGovernanceRetention",
        "kms:ScheduleKeyDeletion",
        "logs:DeleteLogGroup",
        "ssm:SendCommand",
    ],
)
def test_what_must_never_happen_stays_denied_were_the_boundary_ever_widened(action: str) -> None:
    boundary = node_boundary([REGION])
    widened = {"Statement": [{"Sid": "Wide", "Effect": "Allow", "Action": ["*"]}, *boundary["Statement"]]}
    assert not allowed(widened, action)
    assert allowed(widened, "ec2:RunInstances")


def test_the_node_boundary_ends_at_the_allowed_regions() -> None:
    stay = statement(node_boundary(["ap-south-2", REGION]), "StayInAllowedRegions")
    assert stay["Effect"] == "Deny" and stay["Action"] == ["*"]
    assert stay["Condition"] == {"StringNotEquals": {"aws:RequestedRegion": [REGION, "ap-south-2"]}}


def test_what_a_role_is_granted_lies_within_its_boundary() -> None:
    boundary = node_boundary([REGION])
    granted = node_policy([*managed_by_ssm(REGION, ACCOUNT), *uses_data(DATA, REGION, ACCOUNT, ["vpce-1"])])
    actions = [action for s in granted["Statement"] for action in s["Action"]]
    assert len(actions) > 20
    assert [action for action in actions if not allowed(boundary, action)] == []


def test_data_is_used_over_tls_through_our_endpoints_and_its_keys_through_s3_only() -> None:
    policy = node_policy(uses_data(DATA, REGION, ACCOUNT, ["vpce-2", "vpce-1"]))
    for sid in ("WriteObjects", "ReadObjects", "Buckets", "NodeLogs"):
        condition = statement(policy, sid)["Condition"]
        assert condition["Bool"] == {"aws:SecureTransport": "true"}
        assert condition["NumericGreaterThanEquals"] == {"s3:TlsVersion": "1.2"}
        assert condition["StringEquals"] == {"aws:SourceVpce": ["vpce-1", "vpce-2"]}
    assert statement(policy, "WriteObjects")["Resource"] == ["arn:aws:s3:::b-*/*"]
    assert statement(policy, "ReadObjects")["Resource"] == ["arn:aws:s3:::r/*"]
    keys = statement(policy, "DataKeys")["Condition"]
    assert keys["StringEquals"] == documents.through_service("s3", REGION)["StringEquals"]
    assert keys["ForAnyValue:StringLike"] == {"kms:ResourceAliases": ["alias/stockade/x/data/*"]}


def test_a_role_that_no_class_names_is_granted_no_data_and_no_key() -> None:
    policy = node_policy(
        uses_data(DataAccess((), (), ("a",), "arn:aws:s3:::d/n/*"), REGION, ACCOUNT, ["vpce-1"])
    )
    assert [s["Sid"] for s in policy["Statement"]] == ["NodeLogs"]


def test_management_reads_no_parameters_of_the_account() -> None:
    actions = {action for s in managed_by_ssm(REGION, ACCOUNT) for action in s.actions}
    assert not {action for action in actions if action.startswith("ssm:GetParameter")}
    assert not {action for action in actions if action.endswith("*")}


@pytest.mark.parametrize(
    "policy",
    [
        key_for_service(ACCOUNT, REGION, "s3"),
        key_for_volumes(ACCOUNT, REGION),
        key_for_logs(ACCOUNT, REGION, ["/stockade/x/*"]),
    ],
)
def test_administrators_of_a_key_cannot_use_it_and_every_use_is_bound(policy: dict[str, Any]) -> None:
    administration = set(statement(policy, "Administration")["Action"])
    assert "kms:PutKeyPolicy" in administration  # or AWS refuses the key: nobody could ever change it
    forbidden = ("kms:*", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:CreateGrant")
    assert not administration & set(forbidden)
    others = [s for s in policy["Statement"] if s["Sid"] != "Administration"]
    assert others and all(s["Condition"] for s in others)
    assert all(s["Principal"] != "*" for s in policy["Statement"])


def test_the_log_key_serves_the_stacks_log_groups_only() -> None:
    policy = key_for_logs(ACCOUNT, REGION, ["/stockade/x/*"])
    use = statement(policy, "UseByLogs")
    assert use["Principal"] == {"Service": [f"logs.{REGION}.amazonaws.com"]}
    arns = use["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    assert arns == [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/stockade/x/*"]


def test_grants_on_the_volume_key_are_for_aws_resources_only() -> None:
    grants = statement(key_for_volumes(ACCOUNT, REGION), "GrantsForResources")
    assert grants["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}


@pytest.mark.parametrize("policy", [encrypted_bucket("b", KEY), log_delivery_bucket("b", ACCOUNT, ["data"])])
def test_buckets_refuse_clear_text_and_old_tls_for_bucket_and_objects(policy: dict[str, Any]) -> None:
    for sid, condition in (
        ("NoClearText", documents.without_tls()),
        ("NoOldTls", documents.tls_below("1.2")),
    ):
        denial = statement(policy, sid)
        assert (denial["Effect"], denial["Principal"], denial["Action"]) == ("Deny", "*", ["s3:*"])
        assert denial["Resource"] == ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]
        assert denial["Condition"] == condition


def test_an_encrypted_bucket_refuses_another_algorithm_or_key_but_not_its_own_default() -> None:
    policy = encrypted_bucket("b", KEY)
    for sid, header, right in (
        ("NoOtherEncryption", "s3:x-amz-server-side-encryption", "aws:kms"),
        ("NoOtherKey", "s3:x-amz-server-side-encryption-aws-kms-key-id", KEY),
    ):
        denial = statement(policy, sid)
        assert denial["Effect"] == "Deny"
        assert denial["Condition"] == {"StringNotEquals": {header: right}, "Null": {header: "false"}}


def test_log_delivery_writes_under_its_prefix_for_our_own_buckets_only() -> None:
    delivery = statement(log_delivery_bucket("logs", ACCOUNT, ["data"]), "AccessLogDelivery")
    assert delivery["Resource"] == ["arn:aws:s3:::logs/access/*"]
    assert delivery["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": ["arn:aws:s3:::data"]},
    }


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        ("administration", "administration"),
        ("customers' uploads — over TLS", "customers uploads over TLS"),
        ("x" * 300, "x" * 255),
        ("a? b% c", "a b c"),
    ],
)
def test_a_reason_becomes_a_description_that_aws_takes(why: str, expected: str) -> None:
    assert rule_description(why) == expected
