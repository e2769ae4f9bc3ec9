"""Weaknesses of dual stack: blocks, addresses and routes that nobody planned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, node_of, pairs

EVERYWHERE6 = "::/0"


def ipv6_switched_on_by_hand(live: Any) -> Iterator[Pairs]:
    """The VPC gets a block, a subnet a part of it, and a node an address: nothing of it was planned."""
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["platform"]
    got = ec2.associate_vpc_cidr_block(VpcId=vpc["id"], AmazonProvidedIpv6CidrBlock=True)
    block = got["Ipv6CidrBlockAssociation"]
    part = block["Ipv6CidrBlock"].replace("/56", "/64")
    subnet = vpc["subnets"]["isolated-a"]["id"]
    lent = ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=part)["Ipv6CidrBlockAssociation"]
    instance = node_of(live, "archive")["instance_id"]
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    card = found["NetworkInterfaces"][0]["NetworkInterfaceId"]
    given = ec2.assign_ipv6_addresses(NetworkInterfaceId=card, Ipv6AddressCount=1)["AssignedIpv6Addresses"]
    yield (
        pairs("vpc/platform", "NET-020")
        | pairs("subnet/platform/isolated-a", "NET-021")
        | pairs(f"instance/{node_of(live, 'archive')['name']}", "NET-022")
    )
    ec2.unassign_ipv6_addresses(NetworkInterfaceId=card, Ipv6Addresses=given)
    ec2.disassociate_subnet_cidr_block(AssociationId=lent["AssociationId"])
    ec2.disassociate_vpc_cidr_block(AssociationId=block["AssociationId"])


def private_subnet_reachable_by_ipv6(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["customer"]
    subnet = vpc["subnets"]["private-b"]["id"]
    tables = ec2.describe_route_tables()["RouteTables"]
    table = next(t for t in tables if any(a.get("SubnetId") == subnet for a in t["Associations"]))
    gateways = ec2.describe_internet_gateways()["InternetGateways"]
    gateway = next(g for g in gateways if any(a["VpcId"] == vpc["id"] for a in g["Attachments"]))
    where = {"RouteTableId": table["RouteTableId"], "DestinationIpv6CidrBlock": EVERYWHERE6}
    ec2.create_route(**where, GatewayId=gateway["InternetGatewayId"])
    yield pairs("subnet/customer/private-b", "NET-006", "NET-017", "NET-023")
    ec2.delete_route(**where)


WEAKNESSES: tuple[Weakness, ...] = (ipv6_switched_on_by_hand, private_subnet_reachable_by_ipv6)
