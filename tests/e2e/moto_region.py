"""Puts a small region into an emulated account with plain boto3 calls, as the program would, and names it.

Independent of the program on purpose: it tells whether the wires obey the account, whoever wrote the account.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import boto3

import settings
from network.intent import resolve
from network.renderings import network_acls, security_groups
from twin.account.extensions import addresses
from twin.machines import sketch

WHERE: dict[str, Any] = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


def client(endpoint: str | None, region: str) -> Any:
    """An EC2 client of the emulated account; of `mock_aws` when there is no endpoint."""
    return boto3.client("ec2", endpoint_url=endpoint, region_name=region, **WHERE)


def create(ec2: Any, wanted: settings.Settings) -> dict[str, Any]:
    """Create the region in the account and return its contract with the account's own ids."""
    addresses.install()
    region = sketch.region(wanted, "test")
    for name, vpc in region["vpcs"].items():
        _create_vpc(ec2, name, vpc, region)
    _create_acls(ec2, wanted, region)
    groups = _create_groups(ec2, wanted, region)
    for node in region["nodes"]:
        _create_node(ec2, node, region, groups)
    _create_peering(ec2, region)
    return region


def _create_vpc(ec2: Any, name: str, vpc: dict[str, Any], region: dict[str, Any]) -> None:
    vpc["id"] = ec2.create_vpc(CidrBlock=vpc["cidr"])["Vpc"]["VpcId"]
    vpc["vpn_gateway"] = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    ec2.attach_vpn_gateway(VpcId=vpc["id"], VpnGatewayId=vpc["vpn_gateway"])
    tiers = {subnet["tier"] for subnet in vpc["subnets"].values()}
    vpc["tables"] = {t: _table(ec2, vpc["id"]) for t in sorted(tiers)}
    for subnet in vpc["subnets"].values():
        answer = ec2.create_subnet(VpcId=vpc["id"], CidrBlock=subnet["cidr"], AvailabilityZone=subnet["zone"])
        subnet["id"] = answer["Subnet"]["SubnetId"]
        ec2.associate_route_table(RouteTableId=vpc["tables"][subnet["tier"]], SubnetId=subnet["id"])
    if "public" in tiers:
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc["id"])
        _route(ec2, vpc["tables"]["public"], "0.0.0.0/0", GatewayId=gateway)
    if {"public", "private"} <= tiers:
        public = next(s["id"] for s in vpc["subnets"].values() if s["tier"] == "public")
        address = ec2.allocate_address(Domain="vpc")
        nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=address["AllocationId"])["NatGateway"]
        _route(ec2, vpc["tables"]["private"], "0.0.0.0/0", NatGatewayId=nat["NatGatewayId"])
    _create_tunnels(ec2, name, vpc, region)


def _create_tunnels(ec2: Any, name: str, vpc: dict[str, Any], region: dict[str, Any]) -> None:
    for key, tunnel in region["vpn"].items():
        site, where = key.split("/")
        if where != name:
            continue
        facts = region["sites"][site]
        gateway = ec2.create_customer_gateway(Type="ipsec.1", BgpAsn=facts["asn"], IpAddress=facts["gateway"])
        tunnel["customer_gateway"] = gateway["CustomerGateway"]["CustomerGatewayId"]
        tunnel["vpn_gateway"] = vpc["vpn_gateway"]
        connection = ec2.create_vpn_connection(
            Type="ipsec.1",
            CustomerGatewayId=tunnel["customer_gateway"],
            VpnGatewayId=vpc["vpn_gateway"],
        )
        tunnel["connection"] = connection["VpnConnection"]["VpnConnectionId"]
        for table in vpc["tables"].values():
            for block in facts["ranges"]:
                _route(ec2, table, block, GatewayId=vpc["vpn_gateway"])


def _create_acls(ec2: Any, wanted: settings.Settings, region: dict[str, Any]) -> None:
    for (vpc, tier), entries in network_acls(resolve(wanted), wanted).items():
        facts = region["vpcs"][vpc]
        ident = ec2.create_network_acl(VpcId=facts["id"])["NetworkAcl"]["NetworkAclId"]
        for entry in entries:
            key = "CidrBlock" if entry.cidr.version == 4 else "Ipv6CidrBlock"
            ec2.create_network_acl_entry(
                NetworkAclId=ident,
                RuleNumber=entry.number,
                Protocol=entry.protocol_number,
                RuleAction="allow",
                Egress=entry.direction == "egress",
                PortRange={"From": entry.from_port, "To": entry.to_port},
                **{key: str(entry.cidr)},
            )
        own = {s["id"] for s in facts["subnets"].values() if s["tier"] == tier}
        for acl in ec2.describe_network_acls()["NetworkAcls"]:
            for association in acl["Associations"]:
                if association["SubnetId"] in own:
                    ec2.replace_network_acl_association(
                        AssociationId=association["NetworkAclAssociationId"], NetworkAclId=ident
                    )


def _create_groups(ec2: Any, wanted: settings.Settings, region: dict[str, Any]) -> dict[str, str]:
    rendered = security_groups(resolve(wanted))
    groups: dict[str, str] = {}
    for role in rendered:
        vpc = region["vpcs"][wanted.server_roles[role].vpc]["id"]
        groups[role] = ec2.create_security_group(GroupName=role, Description=role, VpcId=vpc)["GroupId"]
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        ec2.revoke_security_group_egress(GroupId=groups[role], IpPermissions=everything)
    for role, rules in rendered.items():
        for rule in (r for r in rules if r.peer_kind != "aws_endpoints"):  # this region has none
            permission = permit(rule.protocol, rule.port, peer=groups.get(rule.peer, rule.peer))
            authorize = getattr(ec2, f"authorize_security_group_{rule.direction}")
            authorize(GroupId=groups[role], IpPermissions=[permission])
    return groups


def permit(protocol: str, port: int, peer: str) -> dict[str, Any]:
    """One permission of a security group; `peer` is a group's id or a range."""
    permission: dict[str, Any] = {"IpProtocol": protocol, "FromPort": port, "ToPort": port}
    if peer.startswith("sg-"):
        return {**permission, "UserIdGroupPairs": [{"GroupId": peer}]}
    if ":" in peer:
        return {**permission, "Ipv6Ranges": [{"CidrIpv6": peer}]}
    return {**permission, "IpRanges": [{"CidrIp": peer}]}


def _create_node(ec2: Any, node: dict[str, Any], region: dict[str, Any], groups: dict[str, str]) -> None:
    subnet = region["vpcs"][node["vpc"]]["subnets"][node["subnet"]]["id"]
    instance = ec2.run_instances(
        ImageId="ami-12c6146b",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet,
        SecurityGroupIds=[groups[node["role"]]],
        PrivateIpAddress=node["address"],
    )["Instances"][0]
    node["instance_id"], node["security_group"] = instance["InstanceId"], groups[node["role"]]
    if node["tier"] == "public":
        address = ec2.allocate_address(Domain="vpc")
        ec2.associate_address(InstanceId=instance["InstanceId"], AllocationId=address["AllocationId"])
        node["public_address"] = address["PublicIp"]


def _create_peering(ec2: Any, region: dict[str, Any]) -> None:
    names = sorted(region["vpcs"])
    if len(names) < 2:
        return
    left, right = (region["vpcs"][name] for name in names)
    link = ec2.create_vpc_peering_connection(VpcId=left["id"], PeerVpcId=right["id"])
    ident = link["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=ident)
    for here, there in ((left, right), (right, left)):
        for table in here["tables"].values():
            assert ip_network(there["cidr"])
            _route(ec2, table, there["cidr"], VpcPeeringConnectionId=ident)


def _table(ec2: Any, vpc: str) -> str:
    return str(ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"])


def _route(ec2: Any, table: str, destination: str, **target: str) -> None:
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=destination, **target)
