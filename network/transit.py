"""A transit gateway between VPCs, instead of peering; off unless the stack asks for it (`transit`).

Price, read 2026-11 from AWS Transit Gateway pricing: for each attachment and hour USD 0.05 in us-east-1 and
about 0.07 in Mumbai, plus USD 0.02 for each GB; two VPCs cost about USD 100 a month before any traffic.
Peering costs nothing by the hour. It pays from about ten VPCs on, where peerings become a mesh.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import ec2, ec2transitgateway

from network.intent import GUARDED, Intent
from network.peering import Crossing
from network.plan import zone_letter
from network.security_groups import PeerKind, SgRule
from network.vpc import Vpc
from tagging import tags

EVERYWHERE = "0.0.0.0/0"
Rules = Mapping[str, Sequence[SgRule]]


def by_address(rules: Rules, intent: Intent) -> dict[str, list[SgRule]]:
    """The rules with every egress rule into another VPC written by address.

    A group of another VPC behind a transit gateway can be named in inbound rules only (Amazon VPC Transit
    Gateways, "Security group referencing").
    """
    ends = {end.name: end for end in intent.endpoints if end.kind in GUARDED}
    result: dict[str, list[SgRule]] = {}
    for owner, listed in rules.items():
        result[owner] = []
        for rule in listed:
            peer = ends.get(rule.peer) if rule.peer_kind in GUARDED else None
            if rule.direction == "ingress" or peer is None or peer.vpc == ends[owner].vpc:
                result[owner].append(rule)
                continue
            for network in peer.networks:
                kind: PeerKind = "cidr4" if network.version == 4 else "cidr6"
                result[owner].append(dataclasses.replace(rule, peer_kind=kind, peer=str(network)))
    return result


@dataclass(frozen=True)
class TransitArgs:
    """The VPCs by name, and which tiers of which pairs some flow joins (`network.peering.crossings`)."""

    vpcs: Mapping[str, Vpc]
    crossings: Sequence[Crossing]


class Transit(pulumi.ComponentResource):
    """One gateway without default tables; per VPC an attachment and a table of its own.

    A table leads to single subnets of joined VPCs; everything else ends in a blackhole. Two VPCs that no flow
    joins hang on the same gateway and cannot reach each other.
    """

    gateway: ec2transitgateway.TransitGateway
    attachments: dict[str, ec2transitgateway.VpcAttachment]
    tables: dict[str, ec2transitgateway.RouteTable]

    def __init__(self, name: str, args: TransitArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:network:Transit", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self.gateway = ec2transitgateway.TransitGateway(
            name,
            description="Joins VPCs where a flow of the firewall intent joins them",
            auto_accept_shared_attachments="disable",
            default_route_table_association="disable",
            default_route_table_propagation="disable",
            security_group_referencing_support="enable",
            vpn_ecmp_support="disable",  # tunnels end at each VPC's own gateway
            tags=tags(name),
            opts=self._child,
        )
        tiers = _tiers(args.crossings)
        self.attachments = {key: self._attach(key, sorted(found)) for key, found in tiers.items()}
        self.tables = {key: self._table(key) for key in self.attachments}
        for crossing in args.crossings:
            left, right = crossing.left, crossing.right
            self._join(left, crossing.left_tiers, right, crossing.right_tiers)
            self._join(right, crossing.right_tiers, left, crossing.left_tiers)
        self.register_outputs({"gateway": self.gateway.id})

    def contract(self) -> dict[str, Any]:
        """The part `transit` of the region contract."""
        return {
            "gateway": self.gateway.id,
            "attachments": {key: made.id for key, made in self.attachments.items()},
            "route_tables": {key: made.id for key, made in self.tables.items()},
        }

    def _attach(self, key: str, tiers: Sequence[str]) -> ec2transitgateway.VpcAttachment:
        vpc = self._args.vpcs[key]
        return ec2transitgateway.VpcAttachment(
            key,
            transit_gateway_id=self.gateway.id,
            vpc_id=vpc.id,
            # One subnet in each zone; settings/rules_transit.py sees to it that one tier is enough.
            subnet_ids=[subnet.id for subnet in vpc.subnets_of_tier(tiers[0]).values()],
            dns_support="enable",
            security_group_referencing_support="enable",
            transit_gateway_default_route_table_association=False,
            transit_gateway_default_route_table_propagation=False,
            tags=tags(f"{key}-transit"),
            opts=self._child,
        )

    def _table(self, key: str) -> ec2transitgateway.RouteTable:
        table = ec2transitgateway.RouteTable(
            key, transit_gateway_id=self.gateway.id, tags=tags(f"{key}-transit"), opts=self._child
        )
        ec2transitgateway.RouteTableAssociation(
            key,
            transit_gateway_attachment_id=self.attachments[key].id,
            transit_gateway_route_table_id=table.id,
            opts=self._child,
        )
        ec2transitgateway.Route(
            f"{key}-blackhole",
            destination_cidr_block=EVERYWHERE,
            blackhole=True,
            transit_gateway_route_table_id=table.id,
            opts=self._child,
        )
        return table

    def _join(self, here: str, tiers: Sequence[str], there: str, there_tiers: Sequence[str]) -> None:
        """Routes from some tiers of one VPC to the subnets of some tiers of another."""
        targets = [plan for plan in self._args.vpcs[there].plan.values() if plan.tier in there_tiers]
        for target in targets:
            ec2transitgateway.Route(
                f"{here}-to-{there}-{target.tier}-{zone_letter(target.zone)}",
                destination_cidr_block=str(target.cidr),
                transit_gateway_attachment_id=self.attachments[there].id,
                transit_gateway_route_table_id=self.tables[here].id,
                opts=self._child,
            )
        # The VPC's own tables may lead to the gateway only once it is attached.
        after = pulumi.ResourceOptions(parent=self, depends_on=[self.attachments[here]])
        for tier in tiers:
            for key, table in self._args.vpcs[here].tables_of_tier(tier).items():
                for target in targets:
                    ec2.Route(
                        f"{here}-{key}-to-{there}-{target.name}",
                        route_table_id=table.id,
                        destination_cidr_block=str(target.cidr),
                        transit_gateway_id=self.gateway.id,
                        opts=after,
                    )


def _tiers(crossings: Sequence[Crossing]) -> dict[str, set[str]]:
    """Per VPC the tiers that cross to another."""
    found: dict[str, set[str]] = {}
    for crossing in crossings:
        found.setdefault(crossing.left, set()).update(crossing.left_tiers)
        found.setdefault(crossing.right, set()).update(crossing.right_tiers)
    return found
