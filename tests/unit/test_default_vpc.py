"""The default VPCs of an account that has them are removed, and only when nothing lives in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

import settings
from fault import CONTROL_FAILED, GOOD, UNREACHABLE, WRONG_USE, Fault
from network import default_vpc
from tests.unit.emulated_account import ACCOUNT, aws
from twin.program.aws import Clients

__all__ = ["aws"]
ROOT = Path(__file__).resolve().parents[2]
REGIONS = ("ap-south-1", "ap-south-2")


@pytest.fixture
def config() -> settings.Settings:
    return settings.load("in-mumbai", ROOT).model_copy(update={"account": ACCOUNT})


@pytest.fixture
def session(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "unit")
    return boto3.session.Session()


@pytest.fixture
def with_defaults(aws: Clients) -> Iterator[dict[str, str]]:
    """An account as opened by hand: in every region a VPC, a subnet in each zone, an internet gateway."""
    made = {}
    for region in REGIONS:
        ec2 = aws.client("ec2", region)
        made[region] = ec2.create_default_vpc()["Vpc"]["VpcId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=made[region])
        ec2.create_vpc(CidrBlock="10.70.0.0/16")  # a planned one, which stays
    yield made
    for region in REGIONS:
        ec2 = aws.client("ec2", region)
        for gateway in ec2.describe_internet_gateways()["InternetGateways"]:
            known = {"InternetGatewayId": gateway["InternetGatewayId"]}
            ec2.detach_internet_gateway(**known, VpcId=gateway["Attachments"][0]["VpcId"])
            ec2.delete_internet_gateway(**known)
        for vpc in ec2.describe_vpcs()["Vpcs"]:
            for subnet in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])[
                "Subnets"
            ]:
                ec2.delete_subnet(SubnetId=subnet["SubnetId"])
            ec2.delete_vpc(VpcId=vpc["VpcId"])


def vpcs(aws: Clients, region: str) -> list[dict[str, Any]]:
    return list(aws.client("ec2", region).describe_vpcs()["Vpcs"])


def test_a_dry_run_says_every_step_and_removes_nothing(
    aws: Clients, session: Any, config: settings.Settings, with_defaults: dict[str, str]
) -> None:
    lines = default_vpc.empty(config, apply=False, session=session)
    for region, vpc in with_defaults.items():
        mine = [line for line in lines if line.startswith(f"{region}: would ")]
        kinds = [line.removeprefix(f"{region}: would ").split()[:2] for line in mine]
        assert kinds == [["delete", "subnet"]] * 3 + [
            ["detach", "internet"],
            ["delete", "internet"],
            ["delete", "VPC"],
        ]
        assert mine[-1].endswith(vpc)
        assert vpc in [found["VpcId"] for found in vpcs(aws, region)]


def test_applying_removes_them_in_every_allowed_region_and_again_does_nothing(
    aws: Clients, session: Any, config: settings.Settings, with_defaults: dict[str, str]
) -> None:
    default_vpc.empty(config, apply=True, session=session)
    for region in with_defaults:
        left = vpcs(aws, region)
        assert [vpc["CidrBlock"] for vpc in left] == ["10.70.0.0/16"]
        assert not [vpc for vpc in left if vpc["IsDefault"]]
        assert aws.client("ec2", region).describe_internet_gateways()["InternetGateways"] == []
    again = default_vpc.empty(config, apply=True, session=session)
    assert again == [f"{region}: no default VPC" for region in REGIONS]


def test_nothing_goes_anywhere_while_something_lives_in_one(
    aws: Clients, session: Any, config: settings.Settings, with_defaults: dict[str, str]
) -> None:
    ec2 = aws.client("ec2", REGIONS[1])
    where = [{"Name": "vpc-id", "Values": [with_defaults[REGIONS[1]]]}]
    subnet = ec2.describe_subnets(Filters=where)["Subnets"][0]["SubnetId"]
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    group = ec2.create_security_group(GroupName="by-hand", Description="x", VpcId=with_defaults[REGIONS[1]])[
        "GroupId"
    ]
    with pytest.raises(Fault) as refused:
        default_vpc.empty(config, apply=True, session=session)
    assert refused.value.code == CONTROL_FAILED
    assert interface in refused.value.problem and group in refused.value.problem
    assert with_defaults[REGIONS[0]] in [vpc["VpcId"] for vpc in vpcs(aws, REGIONS[0])]
    ec2.delete_security_group(GroupId=group)
    ec2.delete_network_interface(NetworkInterfaceId=interface)


def test_credentials_of_another_account_are_refused_before_anything_is_looked_at(
    session: Any, config: settings.Settings
) -> None:
    other = config.model_copy(update={"account": "111122223333"})
    with pytest.raises(Fault, match=f"account {ACCOUNT}") as refused:
        default_vpc.empty(other, apply=True, session=session)
    assert refused.value.code == WRONG_USE


def test_an_account_that_does_not_answer_is_out_of_reach(
    monkeypatch: pytest.MonkeyPatch, session: Any, config: settings.Settings
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(Fault) as refused:
        default_vpc.empty(config, apply=False, session=boto3.session.Session())
    assert refused.value.code == UNREACHABLE


def test_the_command_prints_one_line_for_each_step_and_says_that_it_only_looked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], session: Any
) -> None:
    monkeypatch.chdir(ROOT)
    known = settings.load("in-mumbai", ROOT)
    ours = known.model_copy(update={"account": ACCOUNT})
    monkeypatch.setattr(settings, "load", lambda *_: ours)
    assert default_vpc.run(["--stack", "in-mumbai"]) == GOOD
    assert capsys.readouterr().out.splitlines() == [
        *(f"{region}: no default VPC" for region in REGIONS),
        "nothing was removed; --apply removes it",
    ]
