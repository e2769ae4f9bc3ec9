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
    yield pairs("security_group/app", "SGR-001", "SGR-002", "SGR-003", "SGR-006", "SGR-009")
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)


def a_stranger_may_upload(live: Any) -> Iterator[Pairs]:
    ec2, group = live.client("ec2"), node_of(live, "edge")["security_group"]
    stranger = [{"CidrIp": "198.51.100.99/32", "Description": "a customer's new office"}]
    rule = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": stranger}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    yield pairs("security_group/edge", "SGR-003", "SGR-009")
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)


def everything_may_leave(live: Any) -> Iterator[Pairs]:
    ec2, group = live.client("ec2"), node_of(live, "edge")["security_group"]
    rule = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE, "Description": "convenience"}]}]
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=rule)
    yield pairs("security_group/edge", "SGR-004", "SGR-005", "SGR-008")
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=rule)


def acl_that_serves_nobody(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    acl = ec2.create_network_acl(VpcId=live.contract["vpcs"]["platform"]["id"])["NetworkAcl"]["NetworkAclId"]
    yield pairs("vpc/platform", "NET-040")
    ec2.delete_network_acl(NetworkAclId=acl)


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
    first = ("VPN-001", "VPN-002", "VPN-003", "VPN-004", "VPN-005", "VPN-006")
    rest = ("VPN-007", "VPN-008", "VPN-009", "VPN-010", "VPN-011", "VPN-012")
    yield pairs(f"vpn/{made}", *first, *rest, "MON-013")
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


def subnet_by_hand(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["customer"]
    made = ec2.create_subnet(VpcId=vpc["id"], CidrBlock="10.20.255.0/28")["Subnet"]["SubnetId"]
    # It names no table and no ACL, so it gets the defaults, and what uses them shows there.
    yield pairs(f"subnet/{made}", "NET-002", "NET-009") | pairs("vpc/customer", "NET-008")
    ec2.delete_subnet(SubnetId=made)


def main_table_leads_out(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["platform"]["id"]
    main = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
    (table,) = ec2.describe_route_tables(Filters=main)["RouteTables"]
    where = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    (gateway,) = ec2.describe_internet_gateways(Filters=where)["InternetGateways"]
    route = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": ANYWHERE}
    ec2.create_route(**route, GatewayId=gateway["InternetGatewayId"])
    yield pairs("vpc/platform", "NET-003")
    ec2.delete_route(**route)


def second_block(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["platform"]["id"]
    added = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="100.64.0.0/24")["CidrBlockAssociation"]
    yield pairs("vpc/platform", "NET-001")
    ec2.disassociate_vpc_cidr_block(AssociationId=added["AssociationId"])


def administration_through_the_acl(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["customer"]
    public = {name: s["id"] for name, s in vpc["subnets"].items() if s["tier"] == "public"}
    acls = ec2.describe_network_acls()["NetworkAcls"]
    acl = next(a for a in acls if any(x["SubnetId"] in public.values() for x in a["Associations"]))
    entry = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 32600, "Egress": False}
    ec2.create_network_acl_entry(
        **entry, Protocol="6", RuleAction="allow", CidrBlock=ANYWHERE, PortRange={"From": 22, "To": 22}
    )
    yield {("STK-NET-009", f"subnet/customer/{name}") for name in public}
    ec2.delete_network_acl_entry(**entry)


def endpoint_known_by_its_public_name(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["platform"]["id"]
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    mine = next(e for e in endpoints if e["VpcId"] == vpc and e["ServiceName"].endswith(".ssm"))
    ec2.modify_vpc_endpoint(VpcEndpointId=mine["VpcEndpointId"], PrivateDnsEnabled=False)
    yield pairs("vpc/platform", "NET-012")
    ec2.modify_vpc_endpoint(VpcEndpointId=mine["VpcEndpointId"], PrivateDnsEnabled=True)


def group_that_nobody_uses(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["customer"]["id"]
    made = ec2.create_security_group(GroupName="spare", Description="for later", VpcId=vpc)["GroupId"]
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE}]}]
    ec2.revoke_security_group_egress(GroupId=made, IpPermissions=everything)
    yield pairs("security_group/spare", "SGR-003", "SGR-004", "SGR-007")
    ec2.delete_security_group(GroupId=made)


WEAKNESSES: tuple[Weakness, ...] = (
    subnet_by_hand,
    main_table_leads_out,
    second_block,
    administration_through_the_acl,
    endpoint_known_by_its_public_name,
    group_that_nobody_uses,
    ssh_open_to_the_world,
    a_stranger_may_upload,
    everything_may_leave,
    acl_that_serves_nobody,
    flow_log_deleted,
    default_group_lets_in,
    isolated_tier_reaches_the_internet,
    private_subnet_gives_public_addresses,
    vpc_in_another_region,
    tunnel_by_hand_with_what_aws_accepts,
    endpoint_open_to_every_account,
)
