"""Where packets of a subnet go: effective route table and network ACL, as AWS applies them. Plain reads."""

from __future__ import annotations

from typing import Any

from verify.account import Account

ANYWHERE = ("0.0.0.0/0", "::/0")
_TARGETS = (
    "GatewayId",
    "NatGatewayId",
    "VpcPeeringConnectionId",
    "NetworkInterfaceId",
    "InstanceId",
    "TransitGatewayId",
    "EgressOnlyInternetGatewayId",
    "CarrierGatewayId",
    "LocalGatewayId",
    "CoreNetworkArn",
)


def route_tables(aws: Account, vpc_id: str) -> list[dict[str, Any]]:
    """All route tables of a VPC."""
    tables = aws.need("ec2", "describe_route_tables")["RouteTables"]
    return [table for table in tables if table["VpcId"] == vpc_id]


def main_table(aws: Account, vpc_id: str) -> dict[str, Any]:
    """The table that applies to every subnet without one of its own."""
    return next(t for t in route_tables(aws, vpc_id) if any(a.get("Main") for a in t["Associations"]))


def table_of(aws: Account, subnet_id: str, vpc_id: str) -> dict[str, Any]:
    """The route table that applies to a subnet: its own, else the main one."""
    for table in route_tables(aws, vpc_id):
        if any(association.get("SubnetId") == subnet_id for association in table["Associations"]):
            return table
    return main_table(aws, vpc_id)


def beyond(table: dict[str, Any]) -> dict[str, str]:
    """Destination → target of every route that leaves the VPC."""
    found = {}
    for route in table["Routes"]:
        target = next((str(route[key]) for key in _TARGETS if route.get(key)), "?")
        keys = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
        destination = next((str(route[key]) for key in keys if route.get(key)), "?")
        if target != "local":
            found[destination] = target
    return found


def acl_of(aws: Account, subnet_id: str) -> dict[str, Any]:
    """The network ACL that applies to a subnet."""
    acls = aws.need("ec2", "describe_network_acls")["NetworkAcls"]
    return next(acl for acl in acls if any(a["SubnetId"] == subnet_id for a in acl["Associations"]))


def default_acl(aws: Account, vpc_id: str) -> dict[str, Any]:
    """The network ACL of a subnet that names none."""
    acls = aws.need("ec2", "describe_network_acls")["NetworkAcls"]
    return next(acl for acl in acls if acl["IsDefault"] and acl["VpcId"] == vpc_id)


def allows(acl: dict[str, Any], egress: bool) -> list[dict[str, Any]]:
    """The entries that let something through in one direction."""
    return [e for e in acl["Entries"] if e["Egress"] is egress and e["RuleAction"] == "allow"]
