"""What the firewall intent of the region contract means for security groups, and what the groups really say.

Written from the contract's flows on purpose, without the program's own rendering: two readings of one
intent that
agree are worth more than one that agrees with itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from verify.subjects import Resource

Contract = dict[str, Any]


@dataclass(frozen=True, order=True)
class Rule:
    """One permission: a peer is a range or a security group id."""

    direction: str
    protocol: str
    low: int
    high: int
    peer: str

    def __str__(self) -> str:
        ports = str(self.low) if self.low == self.high else f"{self.low}-{self.high}"
        return f"{self.direction} {self.protocol} {ports} {self.peer}"


def actual(group: Resource) -> set[Rule]:
    """Every permission a security group gives, one peer each. Port -1 stands for all."""
    found = set()
    for key, direction in (("IpPermissions", "ingress"), ("IpPermissionsEgress", "egress")):
        for permission in group.get(key, []):
            peers = [r["CidrIp"] for r in permission.get("IpRanges", [])]
            peers += [r["CidrIpv6"] for r in permission.get("Ipv6Ranges", [])]
            peers += [r["GroupId"] for r in permission.get("UserIdGroupPairs", [])]
            peers += [r["PrefixListId"] for r in permission.get("PrefixListIds", [])]
            ports = (permission.get("FromPort", -1), permission.get("ToPort", -1))
            found |= {Rule(direction, permission["IpProtocol"], *ports, peer) for peer in peers}
    return found


def intended(contract: Contract, owner: tuple[str, str], endpoint_groups: dict[str, set[str]]) -> set[Rule]:
    """The permissions that the intent gives the group of a server role or load balancer, no more and no less.

    `owner` is its kind and name; `endpoint_groups`: VPC name → ids of the groups in front of its interface
    endpoints.
    """
    groups = _own_groups(contract)
    found: set[Rule] = set()
    for flow in contract["intent"]["flows"]:
        if flow["target"]["kind"] == "platform":  # resolver, DHCP, metadata: AWS filters these by no group
            continue
        for end, other, direction in (("target", "source", "ingress"), ("source", "target", "egress")):
            if (flow[end]["kind"], flow[end]["name"]) == owner:
                # Outbound rules cannot name a group behind a transit gateway, so they name its ranges.
                routed = contract.get("transit") and flow[end]["vpc"] != flow[other].get("vpc")
                ranges = bool(routed) and direction == "egress"
                peers = _peers(flow[other], groups, endpoint_groups, by_range=ranges)
                found |= {
                    Rule(direction, flow["protocol"], flow["port"], flow["port"], peer) for peer in peers
                }
    return found


def _own_groups(contract: Contract) -> dict[tuple[str, str], str]:
    """The security group of every server role and load balancer, by kind and name."""
    roles = {("role", node["role"]): node["security_group"] for node in contract["nodes"]}
    balancers = contract.get("load_balancer_groups", {})
    return roles | {("load_balancer", name): ident for name, ident in balancers.items()}


def _peers(
    endpoint: dict[str, Any],
    groups: dict[tuple[str, str], str],
    endpoint_groups: dict[str, set[str]],
    *,
    by_range: bool = False,
) -> set[str]:
    if endpoint["kind"] in ("role", "load_balancer") and not by_range:
        return {groups.get((endpoint["kind"], endpoint["name"]), f"group of {endpoint['name']}")}
    if endpoint["kind"] == "aws_endpoints":
        return endpoint_groups.get(endpoint["name"]) or {f"endpoint group of {endpoint['name']}"}
    return set(endpoint["networks"])


def endpoint_groups(contract: Contract, endpoints: list[Resource]) -> dict[str, set[str]]:
    """VPC name → ids of the security groups in front of its interface endpoints."""
    names = {vpc["id"]: name for name, vpc in contract["vpcs"].items()}
    found: dict[str, set[str]] = {}
    for endpoint in endpoints:
        if endpoint.get("VpcEndpointType", "").lower() == "interface":
            ids = {group["GroupId"] for group in endpoint.get("Groups", [])}
            found.setdefault(names.get(endpoint["VpcId"], endpoint["VpcId"]), set()).update(ids)
    return found


def internet_ports(contract: Contract, owner: tuple[str, str] | None) -> set[tuple[str, int]]:
    """(protocol, port) that the intent opens to the internet on a server role or load balancer."""
    return {
        (flow["protocol"], flow["port"])
        for flow in contract["intent"]["flows"]
        if flow["source"]["kind"] == "internet" and (flow["target"]["kind"], flow["target"]["name"]) == owner
    }


def stated_ranges(contract: Contract, today: date) -> set[str]:
    """Ranges that may come in by address: of sites, and customers' sources whose binding is in force."""
    sites = {cidr for site in contract["sites"].values() for cidr in site["ranges"]}
    sources = [s for c in contract.get("customers", {}).values() for s in c["sources"].values()]
    return sites | {s["cidr"] for s in sources if date.fromisoformat(s["until"]) >= today}


def administration_ranges(contract: Contract) -> set[str]:
    """The ranges of the NOC and the service centres, the only places administration comes from."""
    sites = contract["sites"].values()
    return {cidr for site in sites if site["kind"] in ("noc", "service_centre") for cidr in site["ranges"]}


def intended_for_endpoints(contract: Contract, vpc: str) -> set[Rule]:
    """The permissions of the group in front of a VPC's interface endpoints: in from the roles that need
    them."""
    groups = _own_groups(contract)
    return {
        Rule("ingress", flow["protocol"], flow["port"], flow["port"], peer)
        for flow in contract["intent"]["flows"]
        if flow["target"]["kind"] == "aws_endpoints" and flow["target"]["name"] == vpc
        for peer in _peers(flow["source"], groups, {})
    }
