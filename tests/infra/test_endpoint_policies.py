"""What passes our VPC endpoints, judged by a real evaluator: who, doing what, with whose resource."""

from __future__ import annotations

import json

import pytest
from ministack.core import iam_evaluator as evaluator

from iam.boundary import NODE_SERVICES
from network.endpoint_policies import SYSTEMS_MANAGER, Home, endpoint_policy
from network.endpoints import INTERFACES
from tests.infra.monitor import run_of

OURS, FOREIGN = "111122223333", "999900001111"
HOME = Home(OURS, "ap-south-1", "in-mumbai")
BUCKET = f"arn:aws:s3:::stockade-in-mumbai--records-{OURS}"
KEY = f"arn:aws:kms:ap-south-1:{OURS}:key/1"
GROUP = f"arn:aws:logs:ap-south-1:{OURS}:log-group:/stockade/in-mumbai/nodes:log-stream:x"
AGENT = "arn:aws:s3:::amazon-ssm-ap-south-1/latest/manifest"
SECRET = f"arn:aws:secretsmanager:ap-south-1:{OURS}:secret:x"
INSTANCE = f"arn:aws:ec2:ap-south-1:{OURS}:instance/i-1"

# service, principal's account, action, resource, its owner, whether it passes
CASES = [
    ("s3", OURS, "s3:GetObject", f"{BUCKET}/a", OURS, True),
    ("s3", OURS, "s3:PutObject", f"{BUCKET}/a", OURS, True),
    ("s3", OURS, "s3:ListBucket", BUCKET, OURS, True),
    ("s3", FOREIGN, "s3:PutObject", f"{BUCKET}/a", OURS, False),
    ("s3", FOREIGN, "s3:PutObject", f"arn:aws:s3:::loot-{FOREIGN}/a", FOREIGN, False),
    ("s3", OURS, "s3:PutObject", f"arn:aws:s3:::loot-{FOREIGN}/a", FOREIGN, False),
    # a bucket of ours that no stack declares, one of another stack, and a foreign one with our name
    ("s3", OURS, "s3:PutObject", "arn:aws:s3:::by-hand/a", OURS, False),
    ("s3", OURS, "s3:GetObject", f"arn:aws:s3:::stockade-eu-frankfurt-data-{OURS}/a", OURS, False),
    ("s3", OURS, "s3:PutObject", f"{BUCKET}/a", FOREIGN, False),
    ("s3", OURS, "s3:DeleteObject", f"{BUCKET}/a", OURS, False),
    ("s3", OURS, "s3:PutBucketPolicy", BUCKET, OURS, False),
    ("s3", OURS, "s3:GetObject", AGENT, "aws", True),
    ("s3", OURS, "s3:PutObject", AGENT, "aws", False),
    ("s3", FOREIGN, "s3:GetObject", AGENT, "aws", False),
    ("s3", OURS, "s3:GetObject", AGENT.replace("ap-south-1", "us-east-1"), "aws", False),
    ("kms", OURS, "kms:Decrypt", KEY, OURS, True),
    ("kms", FOREIGN, "kms:Decrypt", KEY, OURS, False),
    ("kms", OURS, "kms:Decrypt", KEY.replace(OURS, FOREIGN), FOREIGN, False),
    ("kms", OURS, "kms:ScheduleKeyDeletion", KEY, OURS, False),
    ("logs", OURS, "logs:PutLogEvents", GROUP, OURS, True),
    ("logs", OURS, "logs:PutLogEvents", GROUP.replace(OURS, FOREIGN), FOREIGN, False),
    ("logs", OURS, "logs:DeleteLogGroup", GROUP, OURS, False),
    ("secretsmanager", OURS, "secretsmanager:GetSecretValue", SECRET, OURS, True),
    ("secretsmanager", OURS, "secretsmanager:GetSecretValue", SECRET.replace(OURS, FOREIGN), FOREIGN, False),
    ("secretsmanager", FOREIGN, "secretsmanager:GetSecretValue", SECRET, OURS, False),
    ("ssm", OURS, "ssm:UpdateInstanceInformation", INSTANCE, OURS, True),
    ("ssm", FOREIGN, "ssm:UpdateInstanceInformation", INSTANCE, OURS, False),
    ("ssm", OURS, "ssm:GetDocument", "arn:aws:ssm:ap-south-1::document/AWS-RunPatchBaseline", "aws", True),
    ("ssmmessages", OURS, "ssmmessages:OpenDataChannel", "*", OURS, True),
    ("ssmmessages", FOREIGN, "ssmmessages:OpenDataChannel", "*", FOREIGN, False),
    ("ec2messages", FOREIGN, "ec2messages:GetMessages", "*", FOREIGN, False),
    ("ec2messages", OURS, "s3:GetObject", f"{BUCKET}/a", OURS, False),
]


@pytest.mark.parametrize(("service", "caller", "action", "resource", "owner", "passes"), CASES)
def test_only_our_identities_reach_only_our_resources(  # noqa: PLR0917 - one row of the table
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    caller: str,
    action: str,
    resource: str,
    owner: str,
    passes: bool,
) -> None:
    # An S3 ARN does not tell whose the bucket is, so the evaluator is told.
    monkeypatch.setattr(evaluator, "_account_from_arn", lambda _arn: owner)
    policy = evaluator.parse_policy_document(endpoint_policy(service, HOME))
    context = evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{caller}:assumed-role/node/i-1",
        principal_type="AssumedRole",
        principal_account=caller,
        action=action,
        resource_arn=resource,
        region="ap-south-1",
    )
    assert (evaluator.evaluate(context, [policy]).decision == "Allow") is passes


def test_every_service_we_have_an_endpoint_of_has_a_policy_and_no_other() -> None:
    for service in INTERFACES:
        for statement in endpoint_policy(service, HOME)["Statement"]:
            assert {action.partition(":")[0] for action in statement["Action"]} == {service}
            assert set(statement["Action"]) <= set(NODE_SERVICES)
            if service not in SYSTEMS_MANAGER:
                assert "*" not in statement["Resource"]
    with pytest.raises(KeyError):
        endpoint_policy("sqs", HOME)


def test_both_kinds_of_endpoint_in_every_vpc_carry_their_policy() -> None:
    made = run_of("in-mumbai").of("aws:ec2/vpcEndpoint:VpcEndpoint")
    assert {e["inputs"]["vpcEndpointType"] for e in made.values()} == {"Gateway", "Interface"}
    for endpoint in made.values():
        service = endpoint["inputs"]["serviceName"].rpartition(".")[2]
        assert json.loads(endpoint["inputs"]["policy"]) == endpoint_policy(service, HOME)
