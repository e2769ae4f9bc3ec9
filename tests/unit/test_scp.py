"""The organisation's policies: what they refuse to somebody who has every right in the account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import fault
import settings
from iam import scp
from iam.documents import Statement, document
from tests.infra.evaluation import Policies, Request, allowed
from tests.unit.settings_sample import ROOT, STACKS, put, raw

ADMIN = "arn:aws:iam::111122223333:role/admin"
HOME = {
    "aws:SourceIp": "203.0.113.10",
    "aws:RequestedRegion": "ap-south-1",
    "aws:ViaAWSService": "false",
    "aws:PrincipalIsAWSService": "false",
}
EVERYTHING = document([Statement("All", "Allow", ["*"])])
TEAM = "arn:aws:iam::111122223333:role/stockade-teams/in-mumbai/in-mumbai-platform"


def may(action: str, who: str = ADMIN, resource: str = "*", **context: str | None) -> bool:
    policies = [
        document([Statement("FullAWSAccess", "Allow", ["*"])]),
        *scp.policies("in-mumbai", settings.parse(raw())).values(),
    ]
    # Deny lists: each stands beside FullAWSAccess at the same level.
    level = {"Version": "2012-10-17", "Statement": [s for policy in policies for s in policy["Statement"]]}
    keys = {key: value for key, value in {**HOME, **context}.items() if value is not None}
    return allowed(Request(who, action, resource, keys), Policies([EVERYTHING], None, [level]))


@pytest.mark.parametrize(
    ("action", "context", "expected"),
    [
        ("ec2:RunInstances", {}, True),
        ("ec2:RunInstances", {"aws:RequestedRegion": "ap-south-2"}, True),
        ("ec2:RunInstances", {"aws:RequestedRegion": "us-east-1"}, False),
        ("iam:CreateRole", {"aws:RequestedRegion": "us-east-1"}, True),
        ("organizations:LeaveOrganization", {}, False),
        ("account:CloseAccount", {}, False),
        ("iam:CreateUser", {}, False),
        ("iam:CreateAccessKey", {}, False),
        ("iam:CreateSAMLProvider", {}, False),
        ("cloudtrail:StopLogging", {}, False),
        ("cloudtrail:DeleteTrail", {}, False),
        ("cloudtrail:CreateTrail", {}, True),
        ("guardduty:DeleteDetector", {}, False),
        ("config:StopConfigurationRecorder", {}, False),
        ("s3:BypassGovernanceRetention", {}, False),
        ("s3:PutBucketObjectLockConfiguration", {}, True),
        ("backup:DeleteBackupVaultLockConfiguration", {}, False),
        ("backup:DeleteRecoveryPoint", {}, False),
        ("kms:ScheduleKeyDeletion", {}, False),
        ("s3:GetObject", {}, True),
        ("s3:GetObject", {"aws:SourceIp": "192.0.2.9"}, False),
        ("s3:GetObject", {"aws:SourceIp": None, "aws:SourceVpc": "vpc-1"}, True),
        ("s3:GetObject", {"aws:SourceIp": "192.0.2.9", "aws:ViaAWSService": "true"}, True),
        ("kms:Decrypt", {"aws:SourceIp": "192.0.2.9"}, False),
        ("ec2:DescribeInstances", {"aws:SourceIp": "192.0.2.9"}, True),
    ],
)
def test_what_the_organisation_refuses(action: str, context: dict[str, str], expected: bool) -> None:
    assert may(action, **context) is expected


def test_a_nodes_keys_work_in_its_own_vpc_only() -> None:
    node: dict[str, Any] = {
        "ec2:SourceInstanceARN": "arn:aws:ec2:ap-south-1:111122223333:instance/i-1",
        "aws:Ec2InstanceSourceVpc": "vpc-1",
        "aws:SourceIp": None,
    }
    assert may("s3:GetObject", **node, **{"aws:SourceVpc": "vpc-1"})
    assert not may("s3:GetObject", **node, **{"aws:SourceVpc": "vpc-of-a-thief"})
    assert not may("s3:GetObject", **{**node, "aws:SourceIp": "203.0.113.10"})


def test_root_may_nothing_and_teams_change_by_the_organisations_own_role_only() -> None:
    assert not may("ec2:DescribeInstances", "arn:aws:iam::111122223333:root")
    assert not may("iam:PutRolePolicy", resource=TEAM)
    assert may("iam:PutRolePolicy", resource="arn:aws:iam::111122223333:role/other")
    administration = "arn:aws:iam::111122223333:role/OrganizationAccountAccessRole"
    assert may("iam:PutRolePolicy", administration, resource=TEAM)
    roller = "arn:aws:iam::111122223333:role/stockade-teams/in-mumbai/in-mumbai-window-roll"
    assert may("iam:CreatePolicyVersion", roller, TEAM.replace("role", "policy"))


def test_a_blocked_service_is_a_policy_of_its_own() -> None:
    block = {"service": "bedrock", "effect": "block", "for": "organisation", "why": "not approved"}
    enable = {**block, "effect": "enable", "for": "team/platform", "why": "a trial"}
    made = scp.policies("in-mumbai", settings.parse(put(raw(), "access.switches", [block, enable])))
    (statement,) = made["switches"]["Statement"]
    assert statement["Action"] == ["bedrock:*"]
    assert statement["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": [TEAM]}}
    assert "switches" not in scp.policies("in-mumbai", settings.parse(raw()))


@pytest.mark.parametrize("stack", STACKS)
def test_each_policy_is_written_within_the_limit(
    stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert scp.run([stack, "--out", str(tmp_path)]) == fault.GOOD
    written = {path.stem: path.read_text() for path in tmp_path.glob("*.json")}
    assert set(written) == {"place", "records", "perimeter"}
    assert all(len(text) <= scp.MOST_CHARACTERS and json.loads(text) for text in written.values())


def test_a_policy_that_is_too_long_is_refused_with_one_line() -> None:
    many = [f"1.1.{third}.{fourth}/32" for third in range(4) for fourth in range(128)]
    with pytest.raises(fault.Fault, match="the organisation policy perimeter of in-mumbai has"):
        scp.policies("in-mumbai", settings.parse(put(raw(), "access.trusted_ranges.noc", many)))
