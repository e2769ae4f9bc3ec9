"""Rules of load balancers as words of the firewall: where they stand, who calls them, whom they call."""

from __future__ import annotations

from collections.abc import Iterator

from settings import facts
from settings.draft import Draft
from settings.model import SiteKind, Tier
from settings.problems import Problem
from settings.rules_region import RESERVED_NAMES, Rule

_CALLERS = ("internet", *SiteKind)
_SERVES, _REDIRECTS = 443, 80


def names_of_load_balancers_are_free(draft: Draft) -> Iterator[Problem]:
    """A word of the firewall means one thing, and a box of the diagram is one thing."""
    taken = dict.fromkeys(RESERVED_NAMES, "this word has a meaning of its own")
    taken |= dict.fromkeys(draft.names.get("sites", ()), "a site has this name")
    taken |= dict.fromkeys(draft.names.get("server_roles", ()), "a server role has this name")
    for name in sorted(draft.names.get("load_balancers", frozenset()) & taken.keys()):
        yield Problem(f"load_balancers.{name}", name, taken[name], "choose another name")


def load_balancers_stand_in_a_public_tier(draft: Draft) -> Iterator[Problem]:
    """In subnets with a route to the internet gateway, large enough for what AWS asks of them."""
    known = draft.names.get("vpcs", frozenset())
    for name, balancer in draft.load_balancers.items():
        key = f"load_balancers.{name}.vpc"
        if balancer.vpc not in known:
            yield Problem(
                key, balancer.vpc, "a VPC is named that exists", f"choose from {', '.join(sorted(known))}"
            )
        vpc = draft.vpcs.get(balancer.vpc)
        if vpc and Tier.PUBLIC not in vpc.tiers:
            yield Problem(
                key,
                balancer.vpc,
                "a load balancer stands in the public tier of its VPC",
                f"add public to vpcs.{balancer.vpc}.tiers, or name another VPC",
            )
        if vpc and vpc.cidr.prefixlen + facts.TIER_BITS + facts.ZONE_BITS > facts.SMALLEST_BALANCED:
            yield Problem(
                key,
                f"{balancer.vpc} {vpc.cidr}",
                f"AWS puts a load balancer into subnets of /{facts.SMALLEST_BALANCED} or larger",
                f"give the VPC a /{facts.SMALLEST_BALANCED - facts.TIER_BITS - facts.ZONE_BITS} or larger",
            )


def load_balancers_are_called_from_outside(draft: Draft) -> Iterator[Problem]:
    """By the internet and by sites, on 443; on 80 only to be sent to 443."""
    flows = _flows(draft)
    for index, rule in draft.firewall.items():
        for word in (w for w in rule.to if w in draft.load_balancers):
            if rule.protocol != "tcp" or rule.port not in (_SERVES, _REDIRECTS):
                yield Problem(
                    f"firewall.{index}.port",
                    f"{rule.protocol} {rule.port}",
                    f"the load balancer {word} serves tcp {_SERVES} and redirects tcp {_REDIRECTS}",
                    f"use {_SERVES}, or another target",
                )
            for source in rule.from_:
                if source not in _CALLERS:
                    yield Problem(
                        f"firewall.{index}.from",
                        f"{source} to {word}",
                        "a load balancer is called from outside: by the internet or a kind of site",
                        "let the role call the other role itself",
                    )
                elif rule.port == _REDIRECTS and (source, word, _SERVES) not in flows:
                    yield Problem(
                        f"firewall.{index}.from",
                        f"{source} to {word} tcp {_REDIRECTS}",
                        f"tcp {_REDIRECTS} only redirects to {_SERVES}, which {source} may not call",
                        f"add the same rule with port {_SERVES}, or remove this one",
                    )


def load_balancers_call_roles_of_their_vpc(draft: Draft) -> Iterator[Problem]:
    """Targets are server roles of the same VPC.

    Instances can be targets in the load balancer's own VPC only (Elastic Load Balancing, "Target groups for
    your Application Load Balancers", target type); what is behind a peering is another VPC's own to serve.
    """
    for index, rule in draft.firewall.items():
        for name in (w for w in rule.from_ if w in draft.load_balancers):
            for word in rule.to:
                role = draft.server_roles.get(word)
                if role is None and word not in draft.names.get("server_roles", frozenset()):
                    says, fix = "a load balancer calls server roles only", "name a role in to"
                elif role and role.vpc != draft.load_balancers[name].vpc:
                    says = f"a load balancer calls roles of its own VPC; {word} stands in {role.vpc}"
                    fix = f"put {name} into {role.vpc}, or name a role of {draft.load_balancers[name].vpc}"
                else:
                    continue
                yield Problem(f"firewall.{index}.to", f"{name} to {word}", says, fix)


def load_balancers_have_both_sides(draft: Draft) -> Iterator[Problem]:
    """Each is called by somebody and calls somebody; one that is neither would only be a way in."""
    if "firewall" in draft.broken:
        return
    flows = _flows(draft)
    for name in draft.load_balancers:
        if not any(target == name and port == _SERVES for _, target, port in flows):
            yield Problem(
                f"load_balancers.{name}",
                f"no rule to {name} tcp {_SERVES}",
                "every load balancer serves somebody",
                f"add {{from: [internet], to: [{name}], protocol: tcp, port: {_SERVES}, why: …, limit: …}}",
            )
        if not any(source == name for source, _, _ in flows):
            yield Problem(
                f"load_balancers.{name}",
                f"no rule from {name}",
                "every load balancer has a server role behind it",
                f"add {{from: [{name}], to: [a role], protocol: tcp, port: …, why: …}}",
            )


def _flows(draft: Draft) -> set[tuple[str, str, int]]:
    """(source, target, port) of the tcp rules."""
    return {
        (source, target, rule.port)
        for rule in draft.firewall.values()
        if rule.protocol == "tcp"
        for source in rule.from_
        for target in rule.to
    }


RULES: tuple[Rule, ...] = (
    names_of_load_balancers_are_free,
    load_balancers_stand_in_a_public_tier,
    load_balancers_are_called_from_outside,
    load_balancers_call_roles_of_their_vpc,
    load_balancers_have_both_sides,
)
