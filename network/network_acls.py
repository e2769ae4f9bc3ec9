"""The intent as network ACLs: one per VPC and tier, stateless, so each flow needs its answer allowed too.

The coarse layer behind the security groups: it works on whole tiers (so that a new zone changes nothing)
and sees only what crosses the edge of a subnet, never traffic within one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from network.intent import EVERYWHERE, FACING, GUARDED, Endpoint, Flow, Intent, Network, egress_vpcs, inside
from network.plan import tier_block
from settings import Settings, Tier

# Amazon VPC User Guide, "Ephemeral ports": Linux clients use 32768-61000, Windows 49152-65535, NAT gateways
# and load balancers 1024-65535. Clients are of any kind here, so the answer may go to all of these.
EPHEMERAL = (1024, 65535)
# Answers from everybody leave out the port of remote desktop, which no ACL may open to the internet (CIS AWS
# Foundations Benchmark v3.0.0, 5.1): the rare call that a NAT gateway makes from that port is made again.
ANSWERS_FROM_ALL = ((1024, 3388), (3390, 65535))
# Rule numbers are 1 to 32766 ("Network ACL basics").
_NUMBERS = 32000
PUBLIC, PRIVATE = Tier.PUBLIC.value, Tier.PRIVATE.value
FIREWALL = "firewall"  # the subnets of the network firewall, where a VPC is inspected
_PROTOCOL_NUMBERS = {"tcp": "6", "udp": "17"}  # IANA, "Protocol Numbers"


@dataclass(frozen=True)
class TierBlock6:
    """The IPv6 block of a tier of the ACL's own VPC; known once the VPC exists, until then it has a name."""

    tier: str
    version: int = 6

    def __str__(self) -> str:
        return f"ipv6-{self.tier}"


@dataclass(frozen=True)
class AclEntry:
    """One allow entry. `number` follows from what it says, so that adding another renumbers nothing."""

    direction: Literal["ingress", "egress"]
    protocol: str
    from_port: int
    to_port: int
    cidr: Network | TierBlock6
    number: int = 0

    @property
    def key(self) -> str:
        """Unique within the ACL, stable: a resource name."""
        block = str(self.cidr).replace("/", "_").replace(":", "-")
        return f"{self.direction}-{self.protocol}-{self.from_port}-{self.to_port}-{block}"

    @property
    def protocol_number(self) -> str:
        """The protocol as AWS takes it, "6" or "17"."""
        return _PROTOCOL_NUMBERS[self.protocol]

    def covers(self, other: AclEntry) -> bool:
        """Whether this entry admits everything that `other` admits."""
        return (
            self.direction == other.direction
            and self.protocol == other.protocol
            and self.from_port <= other.from_port
            and other.to_port <= self.to_port
            and _inside(other.cidr, self.cidr)
        )


def _inside(inner: Network | TierBlock6, outer: Network | TierBlock6) -> bool:
    if isinstance(inner, TierBlock6) or isinstance(outer, TierBlock6):
        return outer in (inner, EVERYWHERE[1])
    return inside(inner, outer)


def network_acls(intent: Intent, settings: Settings) -> dict[tuple[str, str], list[AclEntry]]:
    """Allow entries per (VPC, tier), every tier present. How many AWS takes: network/limits.py."""
    entries: dict[tuple[str, str], set[AclEntry]] = {
        (vpc, str(tier)): set() for vpc, block in settings.vpcs.items() for tier in block.tiers
    }
    for flow in intent.flows:
        if flow.target.kind != "platform":
            for place, entry in _entries(flow, settings):
                entries[place].add(entry)
    for vpc in egress_vpcs(intent):
        entries[vpc, PUBLIC] |= set(_through_nat(vpc, intent, settings))
    for vpc, block in settings.vpcs.items():
        if block.inspection:
            public = tier_block(block.cidr, PUBLIC)
            entries[vpc, FIREWALL] = set(_through_firewall(entries[vpc, PUBLIC], public, _outside(intent)))
    return {place: _finish(found) for place, found in entries.items()}


def _through_nat(vpc: str, intent: Intent, settings: Settings) -> Iterator[AclEntry]:
    """What a NAT gateway passes on enters and leaves the public tier, where it stands, both ways."""
    inner = tier_block(settings.vpcs[vpc].cidr, PRIVATE)
    for flow in intent.flows:
        if flow.target.kind == "internet" and flow.source.vpc == vpc:
            service = (flow.port, flow.port)
            yield AclEntry("ingress", flow.protocol, *service, inner)
            yield AclEntry("egress", flow.protocol, *service, EVERYWHERE[0])
            for ports in ANSWERS_FROM_ALL:
                yield AclEntry("ingress", flow.protocol, *ports, EVERYWHERE[0])
            yield AclEntry("egress", flow.protocol, *EPHEMERAL, inner)


def _outside(intent: Intent) -> frozenset[Network | TierBlock6]:
    """The IPv4 ranges that stand for the internet, or for what of it is bound to a customer."""
    bound = {n for flow in intent.flows if flow.source.kind in FACING for n in flow.source.networks}
    return frozenset(n for n in (EVERYWHERE[0], *bound) if n.version == 4)


def _through_firewall(
    public: Iterable[AclEntry], block: Network, outside: frozenset[Network | TierBlock6]
) -> Iterator[AclEntry]:
    """What goes between the internet and the public tier enters and leaves the firewall's subnets."""
    for entry in public:
        if entry.cidr in outside:
            ports = (entry.from_port, entry.to_port)
            here, there = (entry.cidr, block) if entry.direction == "ingress" else (block, entry.cidr)
            yield AclEntry("ingress", entry.protocol, *ports, here)
            yield AclEntry("egress", entry.protocol, *ports, there)


def _entries(flow: Flow, settings: Settings) -> Iterator[tuple[tuple[str, str], AclEntry]]:
    service = (flow.port, flow.port)
    for end, other, towards in ((flow.target, flow.source, "ingress"), (flow.source, flow.target, "egress")):
        if end.vpc is None or end.tier is None:
            continue
        place = (end.vpc, end.tier)
        for block in _blocks(other, end.vpc, settings):
            if towards == "ingress":
                yield place, AclEntry("ingress", flow.protocol, *service, block)
                yield place, AclEntry("egress", flow.protocol, *EPHEMERAL, block)
            else:
                yield place, AclEntry("egress", flow.protocol, *service, block)
                for ports in ANSWERS_FROM_ALL if block in EVERYWHERE else (EPHEMERAL,):
                    yield place, AclEntry("ingress", flow.protocol, *ports, block)


def _blocks(endpoint: Endpoint, seen_from: str, settings: Settings) -> tuple[Network | TierBlock6, ...]:
    """The whole slot of a tier for what stands in one, otherwise the endpoint's own ranges.

    Between VPCs there is IPv4 only (network/peering.py), and interface endpoints have no IPv6 address.
    """
    if not endpoint.vpc or not endpoint.tier:
        return endpoint.networks
    block = settings.vpcs[endpoint.vpc]
    six = block.ipv6 and endpoint.vpc == seen_from and endpoint.kind in GUARDED
    named = (TierBlock6(endpoint.tier),) if six else ()
    return (tier_block(block.cidr, endpoint.tier), *named)


def _finish(entries: set[AclEntry]) -> list[AclEntry]:
    """Drop what another entry covers, number the rest."""
    ordered = sorted(entries, key=lambda e: e.key)
    kept = [e for e in ordered if not any(o != e and o.covers(e) for o in ordered)]
    return _numbered(kept)


def _numbered(entries: list[AclEntry]) -> list[AclEntry]:
    """Number by content; on the rare collision the later key takes the next free number."""
    numbered: list[AclEntry] = []
    taken: set[tuple[str, int]] = set()
    for entry in entries:
        number = zlib.crc32(entry.key.encode()) % _NUMBERS + 1
        while (entry.direction, number) in taken:
            number = number % _NUMBERS + 1
        taken.add((entry.direction, number))
        numbered.append(
            AclEntry(entry.direction, entry.protocol, entry.from_port, entry.to_port, entry.cidr, number)
        )
    return sorted(numbered, key=lambda e: (e.direction, e.number))
