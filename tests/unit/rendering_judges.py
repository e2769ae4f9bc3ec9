"""Judges of the renderings, written apart from the code under test: each answers for one packet."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import json
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import settings
from network.intent import Endpoint, from_data, resolve, to_data
from network.plan import subnet_block6, tier_block6
from network.renderings import (
    AclEntry,
    Reach,
    TierBlock6,
    load_balancer_security_groups,
    network_acls,
    node_rules,
    reachability,
    security_groups,
)

# The judges ask the same few ranges thousands of times.
ip_network = functools.cache(ipaddress.ip_network)

Address = IPv4Address | IPv6Address
# What stands behind a security group of its own, and kind and name of one of these.
LAB = IPv6Network("2001:2::/48")  # RFC 5180: for tests between networks
OURS = ("role", "load_balancer")
Owner = tuple[str, str]
# Client ports at the edges of what systems use: the lowest, Linux's first, Windows's first, the last.
CLIENT_PORTS = (1024, 32768, 49152, 65535)
SOMEWHERE: tuple[Address, ...] = (ip_address("198.18.5.5"), ip_address("2001:db8:ffff::1"))


def is_peer(rule: Any, address: Address, owner: Owner | None) -> bool:
    if rule.peer_kind in OURS:
        return (rule.peer_kind, rule.peer) == owner
    return rule.peer_kind != "aws_endpoints" and address in ip_network(rule.peer)


def group_admits(
    rules: Any, what: tuple[str, str, int], address: Address, owner: Owner | None = None
) -> bool:
    """`what` is (direction, protocol, port); `owner` who stands at the address, if it is one of ours."""
    return any((r.direction, r.protocol, r.port) == what and is_peer(r, address, owner) for r in rules)


def acl_admits(entries: Any, direction: str, protocol: str, port: int, address: Address) -> bool:
    return any(
        e.direction == direction
        and e.protocol_number == {"tcp": "6", "udp": "17"}[protocol]
        and e.from_port <= port <= e.to_port
        and address in e.cidr
        for e in entries
    )


def node_admits(rules: Any, protocol: str, port: int, address: Address) -> bool:
    family = f"networks{address.version}"
    return any(
        (r["protocol"], r["port"]) == (protocol, port) and any(address in ip_network(n) for n in r[family])
        for r in rules
    )


class Region:
    """Everything rendered from one region's settings, and packets through it."""

    def __init__(self, loaded: settings.Settings) -> None:
        self.settings = loaded
        self.blocks6 = {
            name: IPv6Network((int(LAB.network_address) + (number << 72), 56))
            for number, (name, vpc) in enumerate(loaded.vpcs.items())
            if vpc.ipv6
        }
        # As the region contract has it: with the IPv6 blocks that AWS gave.
        self.intent = from_data(json.loads(json.dumps(to_data(resolve(loaded), self._networks6()))))
        roles, balancers = security_groups(self.intent), load_balancer_security_groups(self.intent)
        self.groups: dict[Owner, Any] = {("role", name): rules for name, rules in roles.items()}
        self.groups |= {("load_balancer", name): rules for name, rules in balancers.items()}
        acls = network_acls(resolve(loaded), loaded)
        self.acls = {place: [self._known(place[0], e) for e in entries] for place, entries in acls.items()}
        self.nodes = {name: node_rules(self.intent, name) for name in loaded.server_roles}
        self.endpoints = {f"{e.kind}/{e.name}": e for e in self.intent.endpoints}
        self.matrix = reachability(self.intent, [{"role": name} for name in loaded.server_roles])

    def _networks6(self) -> dict[str, dict[str, list[str]]]:
        return {
            name: {
                str(tier): [str(subnet_block6(block, str(tier), zone)) for zone in self.settings.zones]
                for tier in self.settings.vpcs[name].tiers
            }
            for name, block in self.blocks6.items()
        }

    def _known(self, vpc: str, entry: AclEntry) -> AclEntry:
        """The entry once the VPC exists: its own tiers' IPv6 blocks have no names but addresses."""
        if not isinstance(entry.cidr, TierBlock6):
            return entry
        return dataclasses.replace(entry, cidr=tier_block6(self.blocks6[vpc], entry.cidr.tier))

    def addresses(self, endpoint: Endpoint) -> list[Address]:
        if endpoint.kind == "internet":
            return list(SOMEWHERE)
        # The edges are where a wrong block shows; the middle subnets of a role add nothing but time.
        networks = {endpoint.networks[0], endpoint.networks[-1]} if endpoint.vpc else endpoint.networks
        return [address for n in networks for address in (n[0], n[-1])]

    def packets(self, reach: Reach) -> Iterator[tuple[Endpoint, Endpoint, Address, Address]]:
        """Source, target and their addresses; only what can be one packet, of one family."""
        source, target = self.endpoints[reach.source], self.endpoints[reach.target]
        theirs = self.addresses(target)
        both = {address.version for address in theirs} == {4, 6}
        apart = source.vpc is not None and source.vpc != target.vpc  # IPv4 only, see network/peering.py
        for here in self.addresses(source):
            for there in theirs:
                # Where the target has no IPv6 address, what its rules would let in counts all the same.
                if (here.version == there.version or not (both or source.vpc)) and not (
                    apart and here.version == 6
                ):
                    yield source, target, here, there

    def groups_admit(
        self, reach: Reach, source: Endpoint, target: Endpoint, here: Address, there: Address
    ) -> bool:
        inside = _owner(source)
        arrives = group_admits(
            self.groups[target.kind, target.name], ("ingress", reach.protocol, reach.port), here, inside
        )
        leaves = inside is None or group_admits(
            self.groups[inside], ("egress", reach.protocol, reach.port), there, _owner(target)
        )
        return arrives and leaves

    def nodes_admit(
        self, reach: Reach, source: Endpoint, target: Endpoint, here: Address, there: Address
    ) -> bool:
        """At both ends that are nodes; a load balancer has no firewall but its group."""
        arrives = target.kind != "role" or node_admits(
            self.nodes[target.name]["inbound"], reach.protocol, reach.port, here
        )
        leaves = source.kind != "role" or node_admits(
            self.nodes[source.name]["outbound"], reach.protocol, reach.port, there
        )
        return arrives and leaves

    def acls_admit(
        self, reach: Reach, source: Endpoint, target: Endpoint, here: Address, there: Address
    ) -> bool:
        """Request and answer, at the target's subnet and at the source's if that is ours."""
        acl = self.acls[str(target.vpc), str(target.tier)]
        good = acl_admits(acl, "ingress", reach.protocol, reach.port, here)
        good &= all(acl_admits(acl, "egress", reach.protocol, p, here) for p in CLIENT_PORTS)
        if source.vpc:
            own = self.acls[source.vpc, str(source.tier)]
            good &= acl_admits(own, "egress", reach.protocol, reach.port, there)
            good &= all(acl_admits(own, "ingress", reach.protocol, p, there) for p in CLIENT_PORTS)
        return good


def _owner(endpoint: Endpoint) -> Owner | None:
    return (endpoint.kind, endpoint.name) if endpoint.kind in OURS else None
