"""The address plan of a VPC: subnets keyed by tier and zone letter, so that nothing is ever renumbered.

The VPC's block is cut into four tier slots, each slot into eight zone blocks. Which block a subnet gets
depends on its own tier and zone letter only, never on which other tiers or zones exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from fault import Fault
from settings.facts import SMALLEST_VPC, SUBNET6, TIER_BITS, TIER_SLOTS, WIDEST_VPC, ZONE_BITS, ZONE_LETTERS


@dataclass(frozen=True)
class SubnetPlan:
    """One subnet: its name `<tier>-<zone letter>`, tier, zone and block."""

    name: str
    tier: str
    zone: str
    cidr: IPv4Network


def zone_letter(zone: str) -> str:
    """The letter that ends an availability zone's name, e.g.

    `b` of ap-south-1b. Raises Fault on any other name.
    """
    letter = zone[-1:]
    if letter not in ZONE_LETTERS or not zone[-2:-1].isdigit():
        raise Fault(
            f"zone {zone!r}",
            f"a zone is its region's name and one letter of {ZONE_LETTERS[0]}-{ZONE_LETTERS[-1]}",
            "name an availability zone (local and wavelength zones are not planned for)",
        )
    return letter


def tier_block(cidr: IPv4Network, tier: str) -> IPv4Network:
    """The slot of a tier: the smallest block that holds its subnets in every zone there may ever be."""
    if not WIDEST_VPC <= cidr.prefixlen <= SMALLEST_VPC:
        raise Fault(
            f"VPC block {cidr}",
            f"a VPC is /{WIDEST_VPC} to /{SMALLEST_VPC} (4 tier slots of 8 zone blocks, each /28 or larger)",
            "choose a block of that size",
        )
    if tier not in TIER_SLOTS:
        raise Fault(f"tier {tier!r}", f"a tier is one of {', '.join(TIER_SLOTS)}", "use one of these words")
    return _cut(cidr, TIER_BITS, TIER_SLOTS[tier])


def plan_vpc(cidr: IPv4Network, zones: Sequence[str], tiers: Sequence[str]) -> dict[str, SubnetPlan]:
    """Subnets of a VPC, keyed `<tier>-<zone letter>`, e.g. `private-b`.

    Raises Fault when the block is too small or too large, or a name is unknown or named twice.
    """
    planned: dict[str, SubnetPlan] = {}
    for tier in tiers:
        slot = tier_block(cidr, tier)
        for zone in zones:
            letter = zone_letter(zone)
            name = f"{tier}-{letter}"
            if name in planned:
                raise Fault(f"subnet {name}", "a tier and a zone letter name one subnet", "name each once")
            block = _cut(slot, ZONE_BITS, ZONE_LETTERS.index(letter))
            planned[name] = SubnetPlan(name, str(tier), zone, block)
    return planned


def tier_block6(cidr: IPv6Network, tier: str) -> IPv6Network:
    """The part of a VPC's IPv6 block (a /56 of Amazon's) that holds a tier's subnets in every zone."""
    if tier not in TIER_SLOTS:
        raise Fault(f"tier {tier!r}", f"a tier is one of {', '.join(TIER_SLOTS)}", "use one of these words")
    return _cut6(cidr, cidr.prefixlen + TIER_BITS, TIER_SLOTS[tier])


def subnet_block6(cidr: IPv6Network, tier: str, zone: str) -> IPv6Network:
    """A subnet's /64: like its IPv4 block it depends on its own tier and zone letter only."""
    slot = tier_block6(cidr, tier)
    room = _cut6(slot, slot.prefixlen + ZONE_BITS, ZONE_LETTERS.index(zone_letter(zone)))
    return _cut6(room, SUBNET6, 0)


def _cut6(block: IPv6Network, prefix: int, slot: int) -> IPv6Network:
    return IPv6Network((int(block.network_address) + (slot << (128 - prefix)), prefix))


def _cut(block: IPv4Network, bits: int, slot: int) -> IPv4Network:
    prefix = block.prefixlen + bits
    return IPv4Network((int(block.network_address) + (slot << (32 - prefix)), prefix))
