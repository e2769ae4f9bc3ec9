"""Weaknesses of the network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import ANYWHERE, Pairs, Weakness, account, node_of, pairs


def ssh_open_to_the_world(live: Any) -> Iterator[Pairs]:
    ec2, group = live.client("ec2"), node_of(live, "app")["security_group"]
    rule = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": ANYWHERE}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    yield pairs("security_group/app", "SGR-001", "SGR-002", "SGR-003", "SGR-006")
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)


def everything_may_leave(live: Any) -> Iterator[Pairs]:
    ec2, group = live.client("ec2"), node_of(live, "edge")["security_group"]
    rule = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE, "Description": "convenience"}]}]
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=rule)
    yield pairs("security_group/edge", "SGR-004", "SGR-005", "SGR-008")
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=rule)


def flow_log_deleted(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    vpc = live.contract["vpcs"]["customer"]
    kinds = (vpc["id"], "cloud-watch-logs")
    logs = ec2.describe_flow_logs()["FlowLogs"]
    log = next(f for f in logs if (f["ResourceId"], f["LogDestinationType"]) == kinds)
    ec2.delete_flow_logs(FlowLogIds=[log["FlowLogId"]])
    yield pairs("vpc/customer", "NET-010")
    ec2.create_flow_logs(
        ResourceIds=[vpc["id"]],
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="cloud-watch-logs",
        LogGroupName=log.get("LogGroupName")
        or log["LogDestination"].split(":log-group:")[-1].removesuffix(":*"),
        DeliverLogsPermissionArn=log["DeliverLogsPermissionArn"],
    )


def default_group_lets_in(live: Any) -> Iterator[Pairs]:
    ec2, group = live.client("ec2"), live.contract["vpcs"]["platform"]["default_security_group"]
    rule = [{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    yield pairs("vpc/platform", "NET-007")
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)


def isolated_tier_reaches_the_internet(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    vpc = live.contract["vpcs"]["platform"]
    isolated = {name: s["id"] for name, s in vpc["subnets"].items() if s["tier"] == "isolated"}
    tables = ec2.describe_route_tables()["RouteTables"]
    table = next(t for t in tables if any(a.get("SubnetId") in isolated.values() for a in t["Associations"]))
    gateways = ec2.describe_internet_gateways()["InternetGateways"]
    gateway = next(g for g in gateways if any(a["VpcId"] == vpc["id"] for a in g["Attachments"]))
    where = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": ANYWHERE}
    ec2.create_route(**where, GatewayId=gateway["InternetGatewayId"])
    yield {(f"STK-{n}", f"subnet/platform/{name}") for name in isolated for n in ("NET-004", "NET-006")}
    ec2.delete_route(**where)


def private_subnet_gives_public_addresses(live: Any) -> Iterator[Pairs]:
    ec2, subnet = live.client("ec2"), live.contract["vpcs"]["customer"]["subnets"]["private-a"]["id"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    yield pairs("subnet/customer/private-a", "NET-014")
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})


def vpc_in_another_region(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2", "us-west-2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    yield account(live, "REG-003")
    ec2.delete_vpc(VpcId=vpc)


def tunnel_by_hand_with_what_aws_accepts(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    known = next(iter(live.contract["vpn"].values()))
    made = ec2.create_vpn_connection(
        Type="ipsec.1", CustomerGatewayId=known["customer_gateway"], VpnGatewayId=known["vpn_gateway"]
    )["VpnConnection"]["VpnConnectionId"]
    numbers = [f"VPN-{number:03}" for number in range(1, 13)]
    yield pairs(f"vpn/{made}", *numbers, "MON-013")
    ec2.delete_vpn_connection(VpnConnectionId=made)


def endpoint_open_to_every_account(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["customer"]["id"]
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    mine = next(e for e in endpoints if e["VpcId"] == vpc and e["VpcEndpointType"] == "Gateway")
    wide = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
    ec2.modify_vpc_endpoint(VpcEndpointId=mine["VpcEndpointId"], PolicyDocument=json.dumps(wide))
    yield pairs("endpoint/customer/s3-gateway", "NET-011", "NET-035")
    ec2.modify_vpc_endpoint(VpcEndpointId=mine["VpcEndpointId"], PolicyDocument=mine["PolicyDocument"])


WEAKNESSES: tuple[Weakness, ...] = (
    ssh_open_to_the_world,
    everything_may_leave,
    flow_log_deleted,
    default_group_lets_in,
    isolated_tier_reaches_the_internet,
    private_subnet_gives_public_addresses,
    vpc_in_another_region,
    tunnel_by_hand_with_what_aws_accepts,
    endpoint_open_to_every_account,
)
