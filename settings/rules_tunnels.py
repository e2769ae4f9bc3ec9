"""Rules of the sites' VPN: how their ranges become known."""

from __future__ import annotations

from collections.abc import Iterator

from settings import facts
from settings.draft import Draft
from settings.model import SiteKind
from settings.problems import Problem
from settings.rules_region import Rule


def static_sites_have_a_range_to_route(draft: Draft) -> Iterator[Problem]:
    """A tunnel of a VPN gateway carries IPv4 only, and a static one nothing but its routes."""
    for name, site in draft.sites.items():
        if site.routing == "static" and not any(block.version == 4 for block in site.ranges):
            yield Problem(
                f"sites.{name}.routing",
                "static, " + ", ".join(map(str, site.ranges)),
                "a site with static routing has an IPv4 range: a VPN gateway's tunnels carry no IPv6",
                "add its IPv4 range",
            )


def sites_speak_with_numbers_of_their_own(draft: Draft) -> Iterator[Problem]:
    """AWS refuses Amazon's own numbers; of two sites with one number each drops what the other announces."""
    owners: dict[int, str] = {}
    for name, site in draft.sites.items():
        if site.routing != "bgp":
            continue
        key, value = f"sites.{name}.asn", str(site.asn)
        if site.asn in facts.AMAZON_ASNS:
            yield Problem(key, value, "this number is Amazon's end of a connection", "give the site another")
        if site.asn in owners:
            yield Problem(key, value, f"{owners[site.asn]} has the same number", "give each site its own")
        owners.setdefault(site.asn, name)


def customers_reach_nobody_through_the_gateway(draft: Draft) -> Iterator[Problem]:
    """A VPN gateway passes on what its connections announce (AWS Site-to-Site VPN, "VPN CloudHub"):
    a customer that speaks BGP beside another site could reach that site. Static tunnels lead to the VPC only.
    """
    for name, site in draft.sites.items():
        if site.kind != SiteKind.CUSTOMER or site.routing != "bgp":
            continue
        for vpc in site.vpcs:
            beside = [other for other, s in draft.sites.items() if other != name and vpc in s.vpcs]
            if beside:
                yield Problem(
                    f"sites.{name}.routing",
                    f"bgp, beside {', '.join(sorted(beside))} on the VPN gateway of {vpc}",
                    "a customer's tunnel leads to the VPC and not on to other sites",
                    "set routing: static, or give the customer a VPC of its own",
                )


RULES: tuple[Rule, ...] = (
    static_sites_have_a_range_to_route,
    sites_speak_with_numbers_of_their_own,
    customers_reach_nobody_through_the_gateway,
)
