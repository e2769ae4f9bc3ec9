"""The intent as network ACLs: one per VPC and tier, stateless, so each flow needs its answer allowed too.

The coarse layer behind the security groups: it works on whole tiers (so that a new zone changes nothing)
and sees only what crosses the edge of a subnet, never traffic within one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fault import Fault
from network.intent import Endpoint, Flow, Intent, Network, inside
from network.plan import tier_block
from settings import Settings

# Amazon VPC User Guide, "Amazon VPC quotas": 20 rules per direction, counted apart for IPv4 and IPv6, the
# default deny rule included.
MOST_ENTRIES = 19
# Amazon VPC User Guide, "Ephemeral ports": Linux clients use 32768-61000, Windows 49152-65535, NAT gateways
# and load balancers 1024-65535. Clients are of any kind here, so the answer may go to all of these.
EPHEMERAL = (1024, 65535)
# Rule numbers are 1 to 32766 ("Network ACL basics").
_NUMBERS = 32000
_PROTOCOL_NUMBERS = {"tcp": "6", "udp": "17"}  # IANA, "Protocol Numbers"


@dataclass(frozen=True)
class AclEntry:
    """One allow entry. `number` follows from what it says, so that adding another renumbers nothing."""

    direction: Literal["ingress", "egress"]
    protocol: str
    from_port: int
    to_port: int
    cidr: Network
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
            and inside(other.cidr, self.cidr)
        )


def network_acls(intent: Intent, settings: Settings) -> dict[tuple[str, str], list[AclEntry]]:
    """Allow entries per (VPC, tier), every tier present.

    Raises Fault when one would exceed the quota of AWS.
    """
    entries: dict[tuple[str, str], set[AclEntry]] = {
        (vpc, str(tier)): set() for vpc, block in settings.vpcs.items() for tier in block.tiers
    }
    for flow in intent.flows:
        if flow.target.kind != "platform":
            for place, entry in _entries(flow, settings):
                entries[place].add(entry)
    return {place: _finish(place, found) for place, found in entries.items()}


def _entries(flow: Flow, settings: Settings) -> Iterator[tuple[tuple[str, str], AclEntry]]:
    service = (flow.port, flow.port)
    for end, other, towards in ((flow.target, flow.source, "ingress"), (flow.source, flow.target, "egress")):
        if end.vpc is None or end.tier is None:
            continue
        place = (end.vpc, end.tier)
        for block in _blocks(other, settings):
            if towards == "ingress":
                yield place, AclEntry("ingress", flow.protocol, *service, block)
                yield place, AclEntry("egress", flow.protocol, *EPHEMERAL, block)
            else:
                yield place, AclEntry("egress", flow.protocol, *service, block)
                yield place, AclEntry("ingress", flow.protocol, *EPHEMERAL, block)


def _blocks(endpoint: Endpoint, settings: Settings) -> tuple[Network, ...]:
    """The whole slot of a tier for what stands in one, otherwise the endpoint's own ranges."""
    if endpoint.vpc and endpoint.tier:
        return (tier_block(settings.vpcs[endpoint.vpc].cidr, endpoint.tier),)
    return endpoint.networks


def _finish(place: tuple[str, str], entries: set[AclEntry]) -> list[AclEntry]:
    """Drop what another entry covers, check the quota, number."""
    ordered = sorted(entries, key=lambda e: e.key)
    kept = [e for e in ordered if not any(o != e and o.covers(e) for o in ordered)]
    for direction in ("ingress", "egress"):
        for version in (4, 6):
            count = sum(e.direction == direction and e.cidr.version == version for e in kept)
            if count > MOST_ENTRIES:
                raise Fault(
                    f"network ACL of {place[1]} in {place[0]}: {count} {direction} entries for IPv{version}",
                    f"AWS takes {MOST_ENTRIES + 1} per direction and family, its own deny included",
                    "merge neighbouring site ranges into one, or move a role to another tier or VPC",
                )
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
