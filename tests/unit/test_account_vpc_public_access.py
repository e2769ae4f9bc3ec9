"""VPC block public access of the emulated account against AWS's documented answers."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.emulated_account import ACCOUNT, REGION, aws
from twin.program.aws import Clients

__all__ = ["aws"]
MODE = "InternetGatewayBlockMode"


@pytest.fixture(scope="module")
def ec2(aws: Clients) -> Any:
    return aws.client("ec2")


@pytest.fixture(scope="module")
def vpc(ec2: Any) -> str:
    return str(ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"])


@pytest.fixture(scope="module")
def subnet(ec2: Any, vpc: str) -> str:
    return str(ec2.create_subnet(VpcId=vpc, CidrBlock="10.60.0.0/20")["Subnet"]["SubnetId"])


def mode_of(ec2: Any, subnet: str) -> str:
    found = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]
    return str(found["BlockPublicAccessStates"][MODE])


def test_a_region_begins_without_any_block(ec2: Any) -> None:
    found = ec2.describe_vpc_block_public_access_options()["VpcBlockPublicAccessOptions"]
    assert (found[MODE], found["State"], found["ManagedBy"]) == ("off", "default-state", "account")
    assert (found["AwsAccountId"], found["AwsRegion"]) == (ACCOUNT, REGION)


def test_the_mode_reaches_every_subnet_and_an_exclusion_spares_one(ec2: Any, vpc: str, subnet: str) -> None:
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.60.16.0/20")["Subnet"]["SubnetId"]
    answer = ec2.modify_vpc_block_public_access_options(InternetGatewayBlockMode="block-bidirectional")
    assert answer["VpcBlockPublicAccessOptions"]["State"] == "update-complete"
    assert mode_of(ec2, subnet) == "block-bidirectional"
    tags = [{"Key": "Name", "Value": "front"}]
    made = ec2.create_vpc_block_public_access_exclusion(
        SubnetId=subnet,
        InternetGatewayExclusionMode="allow-egress",
        TagSpecifications=[{"ResourceType": "vpc-block-public-access-exclusion", "Tags": tags}],
    )["VpcBlockPublicAccessExclusion"]
    assert made["ResourceArn"] == f"arn:aws:ec2:{REGION}:{ACCOUNT}:subnet/{subnet}"
    assert (made["State"], made["Tags"]) == ("create-complete", tags)
    assert (mode_of(ec2, subnet), mode_of(ec2, other)) == ("block-ingress", "block-bidirectional")
    known = {"ExclusionId": made["ExclusionId"]}
    ec2.modify_vpc_block_public_access_exclusion(**known, InternetGatewayExclusionMode="allow-bidirectional")
    assert mode_of(ec2, subnet) == "off"
    with pytest.raises(ClientError):
        ec2.create_vpc_block_public_access_exclusion(
            SubnetId=subnet, InternetGatewayExclusionMode="allow-egress"
        )
    ec2.delete_vpc_block_public_access_exclusion(**known)
    assert ec2.describe_vpc_block_public_access_exclusions()["VpcBlockPublicAccessExclusions"] == []
    assert mode_of(ec2, subnet) == "block-bidirectional"
    with pytest.raises(ClientError, match="NotFound"):
        ec2.describe_vpc_block_public_access_exclusions(ExclusionIds=[made["ExclusionId"]])


@pytest.mark.parametrize(
    "asked",
    [
        {"InternetGatewayExclusionMode": "allow-egress"},
        {"SubnetId": "subnet-0", "VpcId": "vpc-0", "InternetGatewayExclusionMode": "allow-egress"},
        {"SubnetId": "subnet-00000000", "InternetGatewayExclusionMode": "allow-egress"},
        {"VpcId": "vpc-00000000", "InternetGatewayExclusionMode": "allow-egress"},
        {"VpcId": "vpc-00000000", "InternetGatewayExclusionMode": "allow-everything"},
    ],
)
def test_an_exclusion_of_nothing_two_things_or_an_unknown_mode_is_refused(
    ec2: Any, asked: dict[str, str]
) -> None:
    with pytest.raises(ClientError):
        ec2.create_vpc_block_public_access_exclusion(**asked)


def test_an_unknown_mode_is_refused(ec2: Any) -> None:
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.modify_vpc_block_public_access_options(InternetGatewayBlockMode="closed")
