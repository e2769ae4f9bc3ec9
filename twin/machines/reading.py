"""Reads from the emulated account, through boto3 like any other AWS client, what decides a packet's fate."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from fault import UNREACHABLE, Fault
from twin.machines.facts import (
    Account,
    AclEntry,
    Card,
    Group,
    Nat,
    Peering,
    Permission,
    Route,
    Subnet,
    Tunnel,
)

Region = Mapping[str, Any]
Item = dict[str, Any]


def read(region: Region, endpoint: str) -> Account:
    """The account facts of a region's VPCs and nodes. Raises Fault when the account lacks one of them."""
    import boto3  # noqa: PLC0415  # half a second that `down` and `ssh` do not need

    # The emulation takes any credentials; these are its documented placeholder, not a secret.
    ec2 = boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name=region["region"],
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106
    )
    try:
        return account(ec2, region)
    except (BotoCoreError, ClientError) as error:
        rule = "the emulated account decides which packets pass, so it has to answer"
        raise Fault(f"{endpoint}: {error}", rule, "start it again with `make up`", UNREACHABLE) from error


def account(ec2: Any, region: Region) -> Account:
    """The account facts as a boto3 EC2 client tells them."""
    return _Reader(ec2, region).account()


class _Reader:
    def __init__(self, ec2: Any, region: Region) -> None:
        self.ec2, self.region = ec2, region
        self.names = {vpc["id"]: name for name, vpc in region["vpcs"].items()}

    def account(self) -> Account:
        vpcs = self._all("describe_vpcs", "Vpcs")
        blocks = {self.names[v["VpcId"]]: _blocks(v) for v in vpcs if v["VpcId"] in self.names}
        _require("VPC", self.names.values(), blocks)
        peerings = self._peerings()
        tunnels = self._tunnels()
        return Account(
            vpcs=blocks,
            gateways=self._gateways(),
            subnets=self._subnets(),
            groups={g["GroupId"]: _group(g) for g in self._all("describe_security_groups", "SecurityGroups")},
            cards=self._cards(),
            nats=self._nats(),
            peerings=peerings,
            tunnels=tunnels,
        )

    def _all(self, operation: str, key: str) -> list[Item]:
        pages = self.ec2.get_paginator(operation).paginate()
        return [item for page in pages for item in page[key]]

    def _ours(self, items: Iterable[Item], key: str = "VpcId") -> list[Item]:
        return [item for item in items if item.get(key) in self.names]

    def _gateways(self) -> frozenset[str]:
        found = self._all("describe_internet_gateways", "InternetGateways")
        attached = [a["VpcId"] for gateway in found for a in gateway.get("Attachments", [])]
        return frozenset(self.names[ident] for ident in attached if ident in self.names)

    def _subnets(self) -> tuple[Subnet, ...]:
        tables = self._ours(self._all("describe_route_tables", "RouteTables"))
        acls = self._ours(self._all("describe_network_acls", "NetworkAcls"))
        found = []
        for subnet in self._ours(self._all("describe_subnets", "Subnets")):
            table = _associated(subnet, tables, lambda t: any(a.get("Main") for a in t["Associations"]))
            acl = _associated(subnet, acls, lambda a: bool(a["IsDefault"]))
            found.append(
                Subnet(
                    subnet["SubnetId"],
                    self.names[subnet["VpcId"]],
                    subnet["CidrBlock"],
                    tuple(self._routes(table)),
                    tuple(_acl_entry(e) for e in acl["Entries"]),
                )
            )
        return tuple(sorted(found, key=lambda s: s.id))

    def _routes(self, table: Item) -> Iterable[Route]:
        for route in table["Routes"]:
            destination = route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")
            if destination and route.get("GatewayId") != "local":
                yield _route(destination, route)
        # What a VPN gateway learned: what sites announce by BGP, and the static routes of the others.
        for gateway in table.get("PropagatingVgws", []):
            for name, ranges in self._announced().items():
                if self._gateway_of(name) == gateway["GatewayId"]:
                    yield from (Route(block, "vpn", name.split("/")[0]) for block in ranges)

    def _announced(self) -> dict[str, list[str]]:
        """Per connection, what it makes known: a static one its own routes, the others what the site has."""
        sites = self.region["sites"]
        found = {}
        for name, facts in self.region["vpn"].items():
            item = self.connections.get(facts["connection"], {})
            static = item.get("Options", {}).get("StaticRoutesOnly", False)
            routes = [r["DestinationCidrBlock"] for r in item.get("Routes", []) if r["State"] == "available"]
            found[name] = routes if static else sites[name.split("/")[0]]["ranges"]
        return found

    @functools.cached_property
    def connections(self) -> dict[str, Item]:
        """The account's VPN connections, by id."""
        answer = self.ec2.describe_vpn_connections()["VpnConnections"]
        return {c["VpnConnectionId"]: c for c in answer if c["State"] in ("pending", "available")}

    def _gateway_of(self, name: str) -> str:
        return str(self.region["vpn"][name]["vpn_gateway"])

    def _cards(self) -> tuple[Card, ...]:
        reservations = self._all("describe_instances", "Reservations")
        instances = {i["InstanceId"]: i for r in reservations for i in r["Instances"]}
        running = {k for k, i in instances.items() if i["State"]["Name"] in ("pending", "running")}
        _require("instance", [n["instance_id"] for n in self.region["nodes"]], running)
        return tuple(self._card(node, instances[node["instance_id"]]) for node in self.region["nodes"])

    def _card(self, node: Item, instance: Item) -> Card:
        return Card(
            node=node["name"],
            vpc=self.names[instance["VpcId"]],
            subnet=instance["SubnetId"],
            address=instance["PrivateIpAddress"],
            groups=tuple(sorted(g["GroupId"] for g in instance["SecurityGroups"])),
            public=instance.get("PublicIpAddress"),
        )

    def _nats(self) -> tuple[Nat, ...]:
        found = self._ours(self._all("describe_nat_gateways", "NatGateways"))
        return tuple(
            Nat(n["NatGatewayId"], self.names[n["VpcId"]], n["SubnetId"], address["PublicIp"])
            for n in found
            if n["State"] == "available"
            for address in n["NatGatewayAddresses"][:1]
        )

    def _peerings(self) -> tuple[Peering, ...]:
        found = []
        for item in self._all("describe_vpc_peering_connections", "VpcPeeringConnections"):
            left, right = item["RequesterVpcInfo"]["VpcId"], item["AccepterVpcInfo"]["VpcId"]
            if item["Status"]["Code"] == "active" and {left, right} <= set(self.names):
                ident = item["VpcPeeringConnectionId"]
                found.append(Peering(ident, self.names[left], self.names[right]))
        return tuple(found)

    def _tunnels(self) -> tuple[Tunnel, ...]:
        live = self.connections
        return tuple(
            Tunnel(*name.split("/", 1))
            for name, facts in self.region["vpn"].items()
            if facts["connection"] in live
            and live[facts["connection"]].get("VpnGatewayId") == facts["vpn_gateway"]
        )


def _blocks(vpc: Item) -> tuple[str, ...]:
    associated = [a["CidrBlock"] for a in vpc.get("CidrBlockAssociationSet", [])]
    return tuple(dict.fromkeys([vpc["CidrBlock"], *associated]))


def _associated(subnet: Item, candidates: list[Item], fallback: Callable[[Item], bool]) -> Item:
    """The route table or ACL of a subnet: the associated one, else its VPC's main or default one."""
    for candidate in candidates:
        if any(a.get("SubnetId") == subnet["SubnetId"] for a in candidate["Associations"]):
            return candidate
    return next(c for c in candidates if c["VpcId"] == subnet["VpcId"] and fallback(c))


def _route(destination: str, route: Item) -> Route:
    if route.get("State") == "blackhole":
        return Route(destination, "nowhere")
    if ident := route.get("NatGatewayId"):
        return Route(destination, "nat", ident)
    if ident := route.get("VpcPeeringConnectionId"):
        return Route(destination, "peering", ident)
    gateway = route.get("GatewayId") or ""
    if gateway.startswith("igw-"):
        return Route(destination, "internet")
    if gateway.startswith("vgw-"):
        return Route(destination, "vpn")
    return Route(destination, "nowhere")


def _group(group: Item) -> Group:
    return Group(
        group["GroupId"],
        tuple(_permission(p) for p in group["IpPermissions"]),
        tuple(_permission(p) for p in group["IpPermissionsEgress"]),
    )


def _permission(item: Item) -> Permission:
    networks = [r["CidrIp"] for r in item.get("IpRanges", [])]
    networks += [r["CidrIpv6"] for r in item.get("Ipv6Ranges", [])]
    groups = [p["GroupId"] for p in item.get("UserIdGroupPairs", [])]
    return Permission(
        item["IpProtocol"], item.get("FromPort"), item.get("ToPort"), tuple(networks), tuple(groups)
    )


def _acl_entry(entry: Item) -> AclEntry:
    ports = entry.get("PortRange") or {}
    first, last = ports.get("From"), ports.get("To")
    if kind := entry.get("IcmpTypeCode"):
        first, last = kind.get("Type"), kind.get("Code")
    return AclEntry(
        number=int(entry["RuleNumber"]),
        egress=entry["Egress"],
        protocol=str(entry["Protocol"]),
        first=first,
        last=last,
        network=entry.get("CidrBlock") or entry["Ipv6CidrBlock"],
        allow=entry["RuleAction"] == "allow",
    )


def _require(what: str, wanted: Iterable[str], found: Iterable[str]) -> None:
    missing = sorted(set(wanted) - set(found))
    if missing:
        rule = "the account must hold, running, everything that region.json names"
        raise Fault(f"{what} {', '.join(missing)} is not in the account", rule, "provision again: `make up`")
