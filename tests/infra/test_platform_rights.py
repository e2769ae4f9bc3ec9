"""Calls of provisioning whose rights no ARN carries, or that ask for more than their own action: judged."""

from __future__ import annotations

import functools

import pytest

from tests.infra.aws_calls import Asked, Call, action_of
from tests.infra.platform_rights import Judge, reserved

REGION, ACCOUNT = "ap-south-1", "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/stockade/in-mumbai/x"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/stockade/in-mumbai/node-boundary"
OURS = {"RoleName": "r", "Path": "/stockade/in-mumbai/", "PermissionsBoundary": BOUNDARY}
CALLS = [
    Call(service, operation, REGION, parameters)
    for service, operation, parameters in (
        ("ec2", "CreateVpc", {"TagSpecifications": [{}]}),
        ("ec2", "CreateFlowLogs", {"DeliverLogsPermissionArn": ROLE, "TagSpecifications": [{}]}),
        ("elbv2", "CreateLoadBalancer", {"Tags": [{}]}),
        ("iam", "CreateRole", OURS),
        ("iam", "PutRolePolicy", {"RoleName": "r"}),
        ("iam", "CreatePolicy", {"PolicyName": "p", "Path": "/stockade/in-mumbai/"}),
        ("kms", "CreateKey", {}),
        ("kms", "EnableKeyRotation", {}),
        ("logs", "PutResourcePolicy", {}),
        ("s3", "CreateBucket", {"Bucket": "x", "ObjectLockEnabledForBucket": True}),
        ("s3", "PutBucketEncryption", {"Bucket": "x"}),
        ("s3", "PutBucketPolicy", {"Bucket": "x"}),
        ("securityhub", "BatchEnableStandards", {}),
        ("wafv2", "PutLoggingConfiguration", {}),
    )
]


@functools.cache
def judge() -> Judge:
    return Judge("in-mumbai")


@functools.cache
def asked() -> tuple[Asked, ...]:
    return tuple(judge().asked(CALLS))


def test_the_team_may_make_them_and_what_the_administration_role_makes_it_may_not() -> None:
    theirs = [one for one in asked() if reserved(one)]
    assert judge().refused(one for one in asked() if not reserved(one)) == []
    assert [one.action for one in theirs] == ["iam:CreatePolicy"]
    assert judge().refused(theirs) == [str(one) for one in theirs]


@pytest.mark.parametrize(
    ("statement", "needed"),
    [
        ("Make", "logs:CreateLogDelivery on *"),
        ("ChangeEc2", f"ec2:CreateVpc on arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/x"),
        ("ChangeS3", "s3:PutBucketPolicy on arn:aws:s3:::x"),
        ("BoundedRoles", f"iam:PutRolePolicy on arn:aws:iam::{ACCOUNT}:role/stockade/in-mumbai/r"),
        ("PassRoles", f"iam:PassRole on {ROLE}"),
    ],
)
def test_without_a_statement_a_call_is_refused(statement: str, needed: str) -> None:
    assert needed in judge().refused(asked(), leaving_out=statement)


def test_an_operation_that_the_reference_does_not_know_is_an_error() -> None:
    with pytest.raises(KeyError, match="no such action"):
        action_of(Call("s3", "PutBucketHat", REGION, {}))
