"""Weaknesses of site-to-site VPN."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, pairs


def _connection(live: Any, name: str) -> dict[str, Any]:
    wanted = [live.contract["vpn"][name]["connection"]]
    found = live.client("ec2").describe_vpn_connections(VpnConnectionIds=wanted)["VpnConnections"]
    return dict(found[0])


def _names(live: Any, vpc: str) -> list[str]:
    return [name for name in live.contract["vpn"] if name.endswith(f"/{vpc}")]


def static_route_that_no_site_declares(live: Any) -> Iterator[Pairs]:
    ec2, name = live.client("ec2"), next(iter(live.contract["vpn"]))
    route = {"DestinationCidrBlock": "192.168.255.0/24"}
    route["VpnConnectionId"] = live.contract["vpn"][name]["connection"]
    ec2.create_vpn_connection_route(**route)
    yield pairs(f"vpn/{name}", "VPN-010")
    ec2.delete_vpn_connection_route(**route)


def foreign_range_behind_the_gateway(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["platform"]
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc["id"]]}])["RouteTables"]
    table = next(t["RouteTableId"] for t in tables if any(a.get("SubnetId") for a in t["Associations"]))
    where = {"RouteTableId": table, "DestinationCidrBlock": "192.168.254.0/24"}
    ec2.create_route(**where, GatewayId=vpc["vpn_gateway"])
    yield {("STK-VPN-011", f"vpn/{name}") for name in _names(live, "platform")}
    ec2.delete_route(**where)


def keys_readable_by_another_account(live: Any) -> Iterator[Pairs]:
    vault, name = live.client("secretsmanager"), next(iter(live.contract["vpn"]))
    arn = _connection(live, name)["PreSharedKeyArn"]
    allow = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [{**allow, "Action": "secretsmanager:GetSecretValue"}]}
    vault.put_resource_policy(SecretId=arn, ResourcePolicy=json.dumps(policy))
    yield pairs(f"vpn/{name}", "VPN-012")
    vault.delete_resource_policy(SecretId=arn)


WEAKNESSES: tuple[Weakness, ...] = (
    static_route_that_no_site_declares,
    foreign_range_behind_the_gateway,
    keys_readable_by_another_account,
)
