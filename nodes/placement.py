"""Where the nodes of a server role stand: pure, so that names can be tested without a cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from network.plan import zone_letter


@dataclass(frozen=True)
class Placement:
    """One node: `<role>-<zone letter>-<ordinal in that zone>`, its zone, and its subnet `<tier>-<zone
    letter>`.
    """

    name: str
    role: str
    zone: str
    subnet: str


def place(role: str, tier: str, count: int, zones: Sequence[str]) -> list[Placement]:
    """Spread `count` nodes over the zones in turn. More nodes, zones or roles never rename an existing
    node.
    """
    placements = []
    for index in range(count):
        zone = zones[index % len(zones)]
        letter = zone_letter(zone)
        ordinal = index // len(zones) + 1
        placements.append(Placement(f"{role}-{letter}-{ordinal}", role, zone, f"{tier}-{letter}"))
    return placements
