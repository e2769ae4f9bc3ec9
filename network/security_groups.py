"""The intent as security groups, one per server role and load balancer: by reference inside the region, by
range outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from network.intent import GUARDED, Endpoint, Flow, Intent

PeerKind = Literal["role", "load_balancer", "cidr4", "cidr6", "aws_endpoints"]


@dataclass(frozen=True)
class SgRule:
    """One rule of a security group.

    `peer_kind` role: `peer` is a role whose group is referenced (also across a peering inside one region);
    load_balancer: likewise;
    cidr4, cidr6: `peer` is a range; aws_endpoints: `peer` is the VPC whose endpoint group is referenced.
    `key` names the rule by what it does, so that adding another rule renames nothing.
    """

    direction: Literal["ingress", "egress"]
    protocol: str
    port: int
    peer_kind: PeerKind
    peer: str
    why: str

    @property
    def key(self) -> str:
        """Unique within the group, stable: a resource name."""
        peer = self.peer.replace("/", "_").replace(":", "-")
        return f"{self.direction}-{self.protocol}-{self.port}-{self.peer_kind}-{peer}"


def security_groups(intent: Intent) -> dict[str, list[SgRule]]:
    """Rules per server role, every role present. How many AWS takes: network/limits.py."""
    return _groups(intent, intent.roles())


def load_balancer_security_groups(intent: Intent) -> dict[str, list[SgRule]]:
    """Rules per load balancer, every one present."""
    return _groups(intent, intent.load_balancers())


def _groups(intent: Intent, owners: tuple[Endpoint, ...]) -> dict[str, list[SgRule]]:
    groups: dict[Endpoint, dict[str, SgRule]] = {owner: {} for owner in owners}
    for flow in intent.flows:
        if flow.target.kind == "platform":
            continue
        for owner, rule in _rules(flow):
            if owner in groups:
                groups[owner].setdefault(rule.key, rule)
    return {owner.name: list(rules.values()) for owner, rules in groups.items()}


def endpoint_security_groups(intent: Intent) -> dict[str, list[SgRule]]:
    """Rules of the group in front of a VPC's interface endpoints, per VPC that has a flow to them."""
    groups: dict[str, dict[str, SgRule]] = {}
    for flow in intent.flows:
        if flow.target.kind == "aws_endpoints" and flow.target.vpc:
            rule = SgRule("ingress", flow.protocol, flow.port, "role", flow.source.name, flow.why)
            groups.setdefault(flow.target.vpc, {}).setdefault(rule.key, rule)
    return {vpc: list(rules.values()) for vpc, rules in groups.items()}


def _rules(flow: Flow) -> Iterator[tuple[Endpoint, SgRule]]:
    if flow.target.kind in GUARDED:
        for kind, peer in _peers(flow.source):
            yield flow.target, SgRule("ingress", flow.protocol, flow.port, kind, peer, flow.why)
    if flow.source.kind in GUARDED:
        for kind, peer in _peers(flow.target):
            yield flow.source, SgRule("egress", flow.protocol, flow.port, kind, peer, flow.why)


def _peers(endpoint: Endpoint) -> Iterator[tuple[PeerKind, str]]:
    if endpoint.kind == "role":
        yield "role", endpoint.name
    elif endpoint.kind == "load_balancer":
        yield "load_balancer", endpoint.name
    elif endpoint.kind == "aws_endpoints":
        yield "aws_endpoints", endpoint.name
    else:
        for network in endpoint.networks:
            yield ("cidr4" if network.version == 4 else "cidr6"), str(network)
