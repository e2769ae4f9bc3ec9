"""Rules of the way out: nothing calls the internet unless the firewall says so, and then narrowly."""

from __future__ import annotations

from collections.abc import Iterator

from settings.draft import Draft
from settings.model import Tier
from settings.problems import Problem
from settings.rules_region import Rule

INTERNET = "internet"
_TLS = 443


def the_internet_is_called_from_private_roles_only(draft: Draft) -> Iterator[Problem]:
    """Through a NAT gateway, which hides them. What faces the internet calls nobody there, and the isolated
    tier has no way out at all.
    """
    for index, rule in draft.firewall.items():
        if INTERNET not in rule.to:
            continue
        for word in rule.from_:
            role = draft.server_roles.get(word)
            if role is None and word in draft.names.get("server_roles", frozenset()):
                continue  # broken, and said so elsewhere
            if role is None or role.tier != Tier.PRIVATE:
                yield Problem(
                    f"firewall.{index}.from",
                    f"{word} to {INTERNET}",
                    "the internet is called by server roles of a private tier only"
                    + (f"; {word} is {role.tier}" if role else ""),
                    "name a private role, or reach the service through aws_endpoints or a site",
                )


def the_internet_is_called_over_tls_only(draft: Draft) -> Iterator[Problem]:
    """One port, encrypted: the rule of the group is for every address there is, those of our own sites and of
    what is open to the internet included.
    """
    for index, rule in draft.firewall.items():
        if INTERNET in rule.to and (rule.protocol, rule.port) != ("tcp", _TLS):
            yield Problem(
                f"firewall.{index}.port",
                f"{rule.protocol} {rule.port}",
                f"the internet is called on tcp {_TLS} only: a wider way out is a way for data to leave",
                f"use {_TLS}, or let a service at a site make the call",
            )


def a_way_out_has_a_public_tier(draft: Draft) -> Iterator[Problem]:
    """The NAT gateways stand in the public tier of the same VPC."""
    for index, rule in draft.firewall.items():
        if INTERNET not in rule.to:
            continue
        for name in {draft.server_roles[w].vpc for w in rule.from_ if w in draft.server_roles}:
            vpc = draft.vpcs.get(name)
            if vpc and Tier.PUBLIC not in vpc.tiers:
                yield Problem(
                    f"firewall.{index}.to",
                    INTERNET,
                    f"the VPC {name} has no public tier for the NAT gateways of its way out",
                    f"add public to vpcs.{name}.tiers",
                )


RULES: tuple[Rule, ...] = (
    the_internet_is_called_from_private_roles_only,
    the_internet_is_called_over_tls_only,
    a_way_out_has_a_public_tier,
)
