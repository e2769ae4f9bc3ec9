"""Weaknesses of what a stack may ask for: a transit gateway, a network firewall, a VPC joined to no other.

Not part of the shipped stacks; see tests/mutation/test_network_options.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import ANYWHERE, Pairs, Weakness, pairs


def _table_of(live: Any, vpc: str, subnet: str) -> str:
    where = [
        {"Name": "association.subnet-id", "Values": [live.contract["vpcs"][vpc]["subnets"][subnet]["id"]]}
    ]
    return str(live.client("ec2").describe_route_tables(Filters=where)["RouteTables"][0]["RouteTableId"])


def transit_table_without_an_end(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    table = live.contract["transit"]["route_tables"]["customer"]
    route = {"TransitGatewayRouteTableId": table, "DestinationCidrBlock": ANYWHERE}
    ec2.delete_transit_gateway_route(**route)
    yield pairs("transit_gateway/transit", "NET-038")
    ec2.create_transit_gateway_route(**route, Blackhole=True)


def vault_joined_by_hand(live: Any) -> Iterator[Pairs]:
    ec2, target = live.client("ec2"), live.contract["vpcs"]["platform"]["subnets"]["isolated-a"]["cidr"]
    route = {"RouteTableId": _table_of(live, "vault", "isolated-a"), "DestinationCidrBlock": target}
    ec2.create_route(**route, TransitGatewayId=live.contract["transit"]["gateway"])
    yield pairs("vpc/vault", "NET-036")
    ec2.delete_route(**route)


def way_past_the_firewall(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["customer"]["id"]
    where = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    (gateway,) = ec2.describe_internet_gateways(Filters=where)["InternetGateways"]
    route = {"RouteTableId": _table_of(live, "customer", "public-a"), "DestinationCidrBlock": ANYWHERE}
    ec2.replace_route(**route, GatewayId=gateway["InternetGatewayId"])
    yield pairs("vpc/customer", "NET-037")
    endpoint = live.contract["inspection"]["customer"]["endpoints"]["a"]
    ec2.delete_route(**route)
    ec2.create_route(**route, VpcEndpointId=endpoint)


def firewall_anybody_may_delete(live: Any) -> Iterator[Pairs]:
    firewalls = live.client("network-firewall")
    known = {"FirewallArn": live.contract["inspection"]["customer"]["firewall"]}
    firewalls.update_firewall_delete_protection(**known, DeleteProtection=False)
    yield pairs("firewall/customer", "NET-039")
    firewalls.update_firewall_delete_protection(**known, DeleteProtection=True)


def way_out_through_another_zone(live: Any) -> Iterator[Pairs]:
    ec2, tables = live.client("ec2"), [_table_of(live, "customer", f"private-{zone}") for zone in "ab"]

    def way_out(table: str) -> str:
        routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        return next(str(r["NatGatewayId"]) for r in routes if r.get("DestinationCidrBlock") == ANYWHERE)

    route = {"RouteTableId": tables[0], "DestinationCidrBlock": ANYWHERE}
    own, other = way_out(tables[0]), way_out(tables[1])
    ec2.replace_route(**route, NatGatewayId=other)
    yield pairs("subnet/customer/private-a", "NET-005")
    ec2.replace_route(**route, NatGatewayId=own)


def second_way_out_in_one_zone(live: Any) -> Iterator[Pairs]:
    """It stands in the private tier, where it serves nobody and hides from the public tier's rules."""
    ec2, subnets = live.client("ec2"), live.contract["vpcs"]["customer"]["subnets"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = ec2.create_nat_gateway(SubnetId=subnets["private-c"]["id"], AllocationId=address)
    yield pairs("vpc/customer", "NET-016")
    ec2.delete_nat_gateway(NatGatewayId=made["NatGateway"]["NatGatewayId"])
    ec2.release_address(AllocationId=address)


WEAKNESSES: tuple[Weakness, ...] = (
    way_out_through_another_zone,
    second_way_out_in_one_zone,
    transit_table_without_an_end,
    vault_joined_by_hand,
    way_past_the_firewall,
    firewall_anybody_may_delete,
)
