"""Peering between VPCs, only where the firewall intent crosses from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from network.intent import Intent
from network.vpc import Vpc
from tagging import tags


@dataclass(frozen=True, order=True)
class Crossing:
    """Traffic from a tier of one VPC to a tier of another; `left` sorts before `right`."""

    left: str
    left_tiers: tuple[str, ...]
    right: str
    right_tiers: tuple[str, ...]


def crossings(intent: Intent) -> list[Crossing]:
    """Each pair of VPCs that some flow between server roles joins, with the tiers concerned on each side."""
    tiers: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for flow in intent.flows:
        ends = sorted(
            (end.vpc, end.tier)
            for end in (flow.source, flow.target)
            if end.kind == "role" and end.vpc and end.tier
        )
        if len(ends) != 2 or ends[0][0] == ends[1][0]:
            continue
        left, right = tiers.setdefault((ends[0][0], ends[1][0]), (set(), set()))
        left.add(ends[0][1])
        right.add(ends[1][1])
    return [
        Crossing(pair[0], tuple(sorted(left)), pair[1], tuple(sorted(right)))
        for pair, (left, right) in sorted(tiers.items())
    ]


@dataclass(frozen=True)
class PeeringArgs:
    """The two VPCs and the tiers that may use the peering."""

    left: Vpc
    right: Vpc
    crossing: Crossing


class Peering(pulumi.ComponentResource):
    """One peering connection; routes only in the tiers that need it, and only to the tiers they need."""

    connection: ec2.VpcPeeringConnection

    def __init__(self, name: str, args: PeeringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:network:Peering", name, {}, opts)
        self._name, self._child = name, pulumi.ResourceOptions(parent=self)
        self.connection = ec2.VpcPeeringConnection(
            name,
            vpc_id=args.left.id,
            peer_vpc_id=args.right.id,
            auto_accept=True,  # both ends are in this account and region
            tags=tags(name),
            opts=self._child,
        )
        crossing = args.crossing
        self._routes(crossing.left, args.left, crossing.left_tiers, args.right, crossing.right_tiers)
        self._routes(crossing.right, args.right, crossing.right_tiers, args.left, crossing.left_tiers)
        self.register_outputs({"connection": self.connection.id})

    def _routes(
        self, name: str, here: Vpc, tiers: Sequence[str], there: Vpc, there_tiers: Sequence[str]
    ) -> None:
        for tier in tiers:
            for key, table in here.tables_of_tier(tier).items():
                for target in (plan for plan in there.plan.values() if plan.tier in there_tiers):
                    ec2.Route(
                        f"{self._name}-{name}-{key}-to-{target.name}",
                        route_table_id=table.id,
                        destination_cidr_block=str(target.cidr),
                        vpc_peering_connection_id=self.connection.id,
                        opts=self._child,
                    )
