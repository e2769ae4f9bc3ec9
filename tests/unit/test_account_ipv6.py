"""IPv6 of the emulated account against AWS's documented answers."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from tests.unit.emulated_account import aws
from twin.account.extensions.ipv6 import next_block, private_address
from twin.program.aws import Clients

__all__ = ["aws"]
LAB = IPv6Network("2001:2::/48")


@pytest.fixture(scope="module")
def ec2(aws: Clients) -> Any:
    return aws.client("ec2")


@pytest.fixture(scope="module")
def vpc(ec2: Any) -> dict[str, Any]:
    made = ec2.create_vpc(CidrBlock="10.61.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    found: dict[str, Any] = ec2.describe_vpcs(VpcIds=[made])["Vpcs"][0]
    return found


def block(vpc: dict[str, Any]) -> IPv6Network:
    return IPv6Network(vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"])


def test_a_vpc_gets_a_56_of_the_lab_range_written_as_aws_writes_it(vpc: dict[str, Any]) -> None:
    (association,) = vpc["Ipv6CidrBlockAssociationSet"]
    assert association["Ipv6CidrBlockState"] == {"State": "associated"}
    assert association["Ipv6Pool"] == "Amazon"
    assert block(vpc).prefixlen == 56 and block(vpc).subnet_of(LAB)
    assert association["Ipv6CidrBlock"] == str(block(vpc))
    assert len({next_block() for _ in range(50)}) == 50


def test_a_subnet_tells_the_state_of_its_block(ec2: Any, vpc: dict[str, Any]) -> None:
    part = str(next(block(vpc).subnets(new_prefix=64)))
    made = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.61.0.0/24", Ipv6CidrBlock=part)["Subnet"]
    for subnet in (made, ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"][0]):
        (association,) = subnet["Ipv6CidrBlockAssociationSet"]
        assert association["Ipv6CidrBlock"] == part
        assert association["Ipv6CidrBlockState"] == {"State": "associated"}
    ec2.disassociate_subnet_cidr_block(AssociationId=association["AssociationId"])
    subnet = ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"][0]
    assert not subnet.get("Ipv6CidrBlockAssociationSet")


def test_an_instance_has_as_many_addresses_of_its_subnet_as_it_asked_for(
    ec2: Any, vpc: dict[str, Any]
) -> None:
    part = IPv6Network(f"{block(vpc).network_address + (1 << 64)}/64")
    subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.61.1.0/24", Ipv6CidrBlock=str(part))[
        "Subnet"
    ]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    where = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "SubnetId": subnet["SubnetId"]}
    for number in (0, 1):
        asked = {"Ipv6AddressCount": number} if number else {}
        ident = ec2.run_instances(**where, **asked)["Instances"][0]["InstanceId"]
        found = ec2.describe_instances(InstanceIds=[ident])["Reservations"][0]["Instances"][0]
        addresses = [a["Ipv6Address"] for a in found["NetworkInterfaces"][0].get("Ipv6Addresses", [])]
        assert len(addresses) == number
        assert all(IPv6Address(address) in part for address in addresses)


def test_no_interface_gets_an_address_that_aws_keeps() -> None:
    kept = {f"2001:2::{n}" for n in range(4)} | {"2001:2::", "2001:2::7"}
    given = {private_address("2001:2::/125", ipv6=True) for _ in range(200)}
    assert given == {"2001:2::4", "2001:2::5", "2001:2::6"}
    assert not given & kept


def test_an_egress_only_gateway_carries_the_ipv6_way_out(ec2: Any, vpc: dict[str, Any]) -> None:
    gateway = ec2.create_egress_only_internet_gateway(VpcId=vpc["VpcId"])["EgressOnlyInternetGateway"]
    assert gateway["Attachments"] == [{"State": "attached", "VpcId": vpc["VpcId"]}]
    table = ec2.create_route_table(VpcId=vpc["VpcId"])["RouteTable"]["RouteTableId"]
    ident = gateway["EgressOnlyInternetGatewayId"]
    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=ident)
    routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    assert {
        r["EgressOnlyInternetGatewayId"] for r in routes if r.get("DestinationIpv6CidrBlock") == "::/0"
    } == {ident}
