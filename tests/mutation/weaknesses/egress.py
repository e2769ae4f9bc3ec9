"""Weaknesses of the way out: routes, gateways and entries that no flow of the intent asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import ANYWHERE, Pairs, Weakness, pairs


def private_subnet_leaves_through_a_nat_gateway_that_nobody_declared(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["customer"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = ec2.create_nat_gateway(SubnetId=vpc["subnets"]["public-a"]["id"], AllocationId=address)
    nat = made["NatGateway"]["NatGatewayId"]
    subnet, tables = vpc["subnets"]["private-a"]["id"], ec2.describe_route_tables()["RouteTables"]
    table = next(t for t in tables if any(a.get("SubnetId") == subnet for a in t["Associations"]))
    where = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": ANYWHERE}
    ec2.create_route(**where, NatGatewayId=nat)
    yield pairs("subnet/customer/private-a", "NET-017") | pairs("vpc/customer", "NET-018")
    ec2.delete_route(**where)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.release_address(AllocationId=address)


def network_acl_lets_everything_call_home(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["platform"]
    inside = {name: s["id"] for name, s in vpc["subnets"].items() if s["tier"] == "isolated"}
    acls = ec2.describe_network_acls()["NetworkAcls"]
    acl = next(a for a in acls if any(x["SubnetId"] in inside.values() for x in a["Associations"]))
    entry = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 32500, "Egress": True}
    ec2.create_network_acl_entry(
        **entry, Protocol="6", RuleAction="allow", CidrBlock=ANYWHERE, PortRange={"From": 443, "To": 443}
    )
    yield {("STK-NET-019", f"subnet/platform/{name}") for name in inside}
    ec2.delete_network_acl_entry(**entry)


WEAKNESSES: tuple[Weakness, ...] = (
    private_subnet_leaves_through_a_nat_gateway_that_nobody_declared,
    network_acl_lets_everything_call_home,
)
