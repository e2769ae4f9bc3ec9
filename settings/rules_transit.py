"""Rules of the options of the network: a transit gateway between VPCs, a firewall before the internet."""

from __future__ import annotations

from collections.abc import Iterator

from settings.draft import Draft
from settings.model import Tier
from settings.problems import Problem
from settings.rules_region import Rule


def one_tier_of_a_vpc_crosses_a_transit_gateway(draft: Draft) -> Iterator[Problem]:
    """An attachment stands in one subnet of each zone, so in one tier; an ACL in between would see half."""
    if draft.transit != "transit_gateway":
        return
    places = {name: (role.vpc, str(role.tier)) for name, role in draft.server_roles.items()}
    places |= {name: (balancer.vpc, "public") for name, balancer in draft.load_balancers.items()}
    tiers: dict[str, set[str]] = {}
    for rule in draft.firewall.values():
        for source in rule.from_:
            for target in rule.to:
                ends = [places[word] for word in (source, target) if word in places]
                if len(ends) == 2 and ends[0][0] != ends[1][0]:
                    for vpc, tier in ends:
                        tiers.setdefault(vpc, set()).add(tier)
    for vpc, found in sorted(tiers.items()):
        if len(found) > 1:
            yield Problem(
                "transit",
                f"{vpc}: {', '.join(sorted(found))}",
                "one tier of a VPC reaches other VPCs through a transit gateway",
                "move the roles that cross into one tier, or use peering",
            )


def inspected_vpcs_face_the_internet_over_ipv4(draft: Draft) -> Iterator[Problem]:
    """The firewall stands between a public tier and its internet gateway, and has no IPv6 side here."""
    for name, vpc in draft.vpcs.items():
        if vpc.inspection and Tier.PUBLIC not in vpc.tiers:
            yield Problem(
                f"vpcs.{name}.inspection",
                "true",
                "an inspected VPC has a public tier, since its firewall stands before the internet gateway",
                "set it to false: nothing of this VPC reaches the internet",
            )
        if vpc.inspection and vpc.ipv6:
            yield Problem(
                f"vpcs.{name}.inspection",
                "true",
                "an inspected VPC has IPv4 only; IPv6 would pass the firewall by",
                "set ipv6 or inspection to false",
            )


RULES: tuple[Rule, ...] = (
    one_tier_of_a_vpc_crosses_a_transit_gateway,
    inspected_vpcs_face_the_internet_over_ipv4,
)
