"""Rules of the firewall intent: who may stand where, and what must be there so that nobody is locked out."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from settings import facts
from settings.draft import Draft
from settings.model import FirewallRule, Site, SiteKind, Tier, innermost
from settings.problems import Problem
from settings.rules_region import Rule

INTERNET = "internet"
BOUND = "bound_sources"
_OUTSIDE = (INTERNET, BOUND)
SERVICES = ("package_proxy", "time_servers", "log_collector")
ENDPOINTS = "aws_endpoints"
_KINDS = tuple(SiteKind)


def _words(draft: Draft) -> tuple[frozenset[str], frozenset[str]]:
    """The words `from` may use, and those `to` may use."""
    both = _ours(draft) | frozenset(_KINDS)
    return both | {*_OUTSIDE}, both | {*SERVICES, ENDPOINTS, INTERNET}


def _ours(draft: Draft) -> frozenset[str]:
    """Words for what stands in a VPC of ours: server roles and load balancers."""
    return draft.names.get("server_roles", frozenset()) | draft.names.get("load_balancers", frozenset())


def _attached(draft: Draft, kind: str, vpc: str) -> list[Site]:
    return [s for s in draft.sites.values() if s.kind == kind and vpc in s.vpcs]


def words_are_known(draft: Draft) -> Iterator[Problem]:
    """Every word is a role, a load balancer, a kind of site, or one of the special ones, on the side it
    belongs to. `internet` may stand on both, see rules_egress.py.
    """
    sources, targets = _words(draft)
    for index, rule in draft.firewall.items():
        for side, words, known in (("from", rule.from_, sources), ("to", rule.to, targets)):
            for word in words:
                if word in known:
                    continue
                wrong_side = word in sources | targets
                says = f"{word} cannot stand in `{side}`" if wrong_side else "a firewall word is known"
                yield Problem(
                    f"firewall.{index}.{side}", word, says, f"choose from {', '.join(sorted(known))}"
                )


def internet_reaches_public_roles_only(draft: Draft) -> Iterator[Problem]:
    """A public rule for an internal role is refused, for customers' bound sources as for everybody."""
    for index, rule in draft.firewall.items():
        if not {*_OUTSIDE} & {*rule.from_}:
            continue
        for word in rule.to:
            role = draft.server_roles.get(word)
            if role and role.tier == Tier.PUBLIC:
                continue
            if role:
                yield Problem(
                    f"firewall.{index}.to",
                    word,
                    f"the internet reaches roles of the public tier only; {word} is {role.tier}",
                    "name a public role, or another source",
                )
            elif word in _KINDS or word in (*SERVICES, ENDPOINTS):
                yield Problem(
                    f"firewall.{index}.to",
                    word,
                    "the internet reaches server roles and load balancers only",
                    "name a public role or a load balancer",
                )


def internet_is_throttled(draft: Draft) -> Iterator[Problem]:
    """A rule from the internet carries a limit per source, bound or not."""
    for index, rule in draft.firewall.items():
        if {*_OUTSIDE} & {*rule.from_} and rule.limit is None:
            yield Problem(
                f"firewall.{index}.limit",
                "missing",
                "a rule from the internet has a limit per source",
                "add limit: {connections: 50, rate: 30}",
            )


def administration_is_ours(draft: Draft) -> Iterator[Problem]:
    """Ports of administration never open to the internet or to customers."""
    for index, rule in draft.firewall.items():
        for word in rule.from_:
            if rule.port in facts.ADMIN_PORTS and word in (*_OUTSIDE, SiteKind.CUSTOMER):
                yield Problem(
                    f"firewall.{index}.from",
                    f"{word} to port {rule.port}",
                    f"{facts.ADMIN_PORTS[rule.port]} is administration: from our sites or a role",
                    "remove the word or the rule",
                )


def flows_are_stated_once(draft: Draft) -> Iterator[Problem]:
    """The same source, target, protocol and port do not stand in two rules."""
    seen: dict[tuple[str, str, str, int], int] = {}
    for index, rule in draft.firewall.items():
        for source in rule.from_:
            for target in rule.to:
                flow = (source, target, str(rule.protocol), rule.port)
                if flow in seen:
                    yield Problem(
                        f"firewall.{index}",
                        f"{source} to {target} {rule.protocol} {rule.port}",
                        f"a flow is stated once; it stands in rule {seen[flow]} too",
                        "merge the two rules",
                    )
                seen.setdefault(flow, index)


def roles_talk_to_others(draft: Draft) -> Iterator[Problem]:
    """A rule has a server role or load balancer on one side at least: nothing else is ours to filter."""
    roles = _ours(draft)
    for index, rule in draft.firewall.items():
        if not roles & {*rule.from_} and not roles & {*rule.to}:
            yield Problem(
                f"firewall.{index}",
                f"{', '.join(rule.from_)} to {', '.join(rule.to)}",
                "a rule has a server role or a load balancer on one side",
                "name one in from or to",
            )


def sites_are_attached(draft: Draft) -> Iterator[Problem]:
    """A rule between a kind of site and what stands in a VPC has a site of that kind with a tunnel to it."""
    if "sites" in draft.broken:
        return
    for index, rule in draft.firewall.items():
        pairs = [(kind, role, "from") for kind in rule.from_ for role in rule.to]
        pairs += [(kind, role, "to") for kind in rule.to for role in rule.from_]
        for kind, word, side in pairs:
            role = draft.server_roles.get(word) or draft.load_balancers.get(word)
            if kind in _KINDS and role and not _attached(draft, kind, role.vpc):
                yield Problem(
                    f"firewall.{index}.{side}",
                    kind,
                    f"a site of kind {kind} has a tunnel to the VPC {role.vpc} of {word}",
                    f"add {role.vpc} to the site's vpcs, or remove the word",
                )


def every_role_has_an_admin_path(draft: Draft) -> Iterator[Problem]:
    """ssh from a NOC to every role, or the first run of the playbooks locks everybody out."""
    if "firewall" in draft.broken:
        return
    lockout = "every role is administered from a NOC, or hardening would lock everybody out"
    for name, role in draft.server_roles.items():
        if not any(_is_admin_path(rule, name) for rule in draft.firewall.values()):
            rule = (
                f"{{from: [noc], to: [{name}], protocol: tcp, port: {facts.ADMIN_PORT}, why: administration}}"
            )
            yield Problem(
                "firewall", f"no rule from noc to {name} tcp {facts.ADMIN_PORT}", lockout, f"add {rule}"
            )
        elif "sites" not in draft.broken and not _attached(draft, SiteKind.NOC, role.vpc):
            yield Problem(
                "sites",
                f"no NOC with a tunnel to {role.vpc}",
                f"{lockout}; {name} stands there",
                f"add {role.vpc} to the vpcs of a site of kind noc",
            )


def _is_admin_path(rule: FirewallRule, role: str) -> bool:
    return (
        SiteKind.NOC in rule.from_
        and role in rule.to
        and rule.port == facts.ADMIN_PORT
        and rule.protocol == "tcp"
    )


def every_role_gets_packages_and_time(draft: Draft) -> Iterator[Problem]:
    """Patching and time synchronisation are controls of every node; the intent must let them happen."""
    if draft.services is None or "firewall" in draft.broken:
        return
    port = draft.services.package_proxy.port
    for word, protocol, needed in (("package_proxy", "tcp", port), ("time_servers", "udp", facts.TIME_PORT)):
        for name in draft.server_roles:
            fits = [
                rule
                for rule in draft.firewall.values()
                if name in rule.from_ and word in rule.to and (rule.protocol, rule.port) == (protocol, needed)
            ]
            if not fits:
                yield Problem(
                    "firewall",
                    f"no rule from {name} to {word} {protocol} {needed}",
                    "every role gets signed packages and time from the shared services",
                    f"add {{from: [{name}], to: [{word}], protocol: {protocol}, port: {needed}, why: …}}",
                )


def services_are_in_reach(draft: Draft) -> Iterator[Problem]:
    """A role that uses a shared service stands in a VPC with a tunnel to that service's site."""
    if draft.services is None or "sites" in draft.broken:
        return
    addresses = {
        "package_proxy": (draft.services.package_proxy.address,),
        "time_servers": tuple(server.address for server in draft.services.time_servers),
        "log_collector": (collector.address,) if (collector := draft.services.log_collector) else (),
    }
    for index, rule in draft.firewall.items():
        for word in sorted(set(rule.to) & set(addresses)):
            for name in rule.from_:
                role = draft.server_roles.get(name)
                for address in addresses[word] if role else ():
                    site = _site_of(draft, address)
                    if role and site and role.vpc not in draft.sites[site].vpcs:
                        yield Problem(
                            f"firewall.{index}.to",
                            f"{word} at {address}",
                            f"{site} has no tunnel to the VPC {role.vpc} of {name}",
                            f"add {role.vpc} to sites.{site}.vpcs",
                        )


def _site_of(draft: Draft, address: IPv4Address) -> str | None:
    return next((n for n, s in draft.sites.items() if any(address in r for r in s.ranges)), None)


def host_firewalls_tell_roles_apart(draft: Draft) -> Iterator[Problem]:
    """What the intent denies between two roles is refused by the nodes too, not by security groups alone.

    A node knows other roles, and load balancers, by their subnets. Where two share a tier, a denied pair may
    look allowed on both ends, each because of a neighbour's rule.
    """
    if draft.broken & {"firewall", "server_roles", "vpcs", "load_balancers"}:
        return
    flows = {(s, t, r.protocol, r.port) for r in draft.firewall.values() for s in r.from_ for t in r.to}
    places = {name: (role.vpc, str(role.tier)) for name, role in draft.server_roles.items()}
    leaving = {
        (s, _place_of(draft, places, s, t), protocol, port) for s, t, protocol, port in flows if s in places
    }
    standing = places | {name: (b.vpc, str(Tier.PUBLIC)) for name, b in draft.load_balancers.items()}
    entering = {(standing.get(s, s), t, protocol, port) for s, t, protocol, port in flows if t in places}
    for source, at, protocol, port in sorted(leaving, key=str):
        for target in sorted(name for name, place in places.items() if place == at):
            admitted = {(places[source], target, protocol, port), (INTERNET, target, protocol, port)}
            if (source, target, protocol, port) not in flows and admitted & entering:
                yield Problem(
                    "firewall",
                    f"{source} to {target} {protocol} {port}",
                    "no rule allows it, yet both nodes would, because their neighbours may: "
                    "a node knows other roles by subnet",
                    "move one to another tier or VPC, use another port, or allow it with a reason",
                )


def _place_of(
    draft: Draft, places: dict[str, tuple[str, str]], source: str, target: str
) -> tuple[str, str] | None:
    """Where the target's subnets are, as seen from the source; None for what lies outside the region."""
    if target != ENDPOINTS:
        return places.get(target)
    vpc = draft.server_roles[source].vpc
    return (vpc, str(innermost(draft.vpcs[vpc].tiers))) if vpc in draft.vpcs else None


RULES: tuple[Rule, ...] = (
    words_are_known,
    internet_reaches_public_roles_only,
    internet_is_throttled,
    administration_is_ours,
    flows_are_stated_once,
    roles_talk_to_others,
    sites_are_attached,
    every_role_has_an_admin_path,
    every_role_gets_packages_and_time,
    services_are_in_reach,
    host_firewalls_tell_roles_apart,
)
