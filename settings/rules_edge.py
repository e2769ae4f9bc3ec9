"""Rules of what a load balancer serves and whom it admits: certificate, targets, bound sources."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from itertools import combinations

from settings.access import ended
from settings.calendar import today
from settings.data import Source
from settings.draft import Draft
from settings.problems import Problem
from settings.rules_region import Rule

# A bound source is a customer's own connection: this project's widest, a provider's smallest assignments.
NARROWEST_SHARED = {4: 24, 6: 48}
# AWS WAF Developer Guide, "AWS WAF quotas" (read 2026-11): IP sets in a region, of which two are ours.
MOST_CUSTOMER_SETS = 98
# Ranges of RFC 5737 and RFC 3849 are not public either; stack files of examples stand on them.
_DOCUMENTATION = tuple(map(IPv4Network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))
_DOCUMENTATION6 = (IPv6Network("2001:db8::/32"),)

Network = IPv4Network | IPv6Network


def certificates_are_ours(draft: Draft) -> Iterator[Problem]:
    """A load balancer takes certificates of its own region and account only."""
    for name, balancer in draft.load_balancers.items():
        region, account = balancer.certificate.split(":")[3:5]
        for what, found, ours in (("region", region, draft.region), ("account", account, draft.account)):
            if ours is not None and found != ours:
                yield Problem(
                    f"load_balancers.{name}.certificate",
                    balancer.certificate,
                    f"the certificate belongs to the stack's {what} {ours}",
                    f"request one there; this one is of {found}",
                )


def one_role_stands_behind(draft: Draft) -> Iterator[Problem]:
    """A load balancer has one server role on one port behind it: nothing says which request goes where."""
    for name in draft.load_balancers:
        targets = {
            (word, rule.port) for rule in draft.firewall.values() if name in rule.from_ for word in rule.to
        }
        if len(targets) > 1:
            stated = ", ".join(f"{word} {port}" for word, port in sorted(targets))
            yield Problem(
                f"load_balancers.{name}",
                stated,
                "one server role, on one port, stands behind a load balancer",
                "keep one rule from it, or add another load balancer",
            )


def nodes_that_are_balanced_are_not_public(draft: Draft) -> Iterator[Problem]:
    """Where customers are bound to their sources, no way leads around the firewall that binds them."""
    for index, rule in draft.firewall.items():
        around = [word for word in rule.from_ if word in ("internet", "bound_sources")]
        if not around:
            continue
        behind = {
            word: name
            for name, balancer in draft.load_balancers.items()
            if balancer.sources == "customers"
            for other in draft.firewall.values()
            if name in other.from_
            for word in other.to
        }
        for word in (w for w in rule.to if w in behind):
            yield Problem(
                f"firewall.{index}.to",
                f"{around[0]} to {word}",
                f"{behind[word]} admits to {word} only customers' bound sources; this rule goes around it",
                f"let the internet reach {behind[word]} only",
            )


def bound_customers_have_a_source(draft: Draft) -> Iterator[Problem]:
    """A load balancer for customers admits somebody, and no more of them than the firewall has sets for."""
    wanting = [name for name, found in draft.load_balancers.items() if found.sources == "customers"]
    if not wanting or "customers" in draft.broken:
        return
    bound = [source for customer in draft.customers.values() for source in customer.sources.values()]
    if not bound:
        yield Problem(
            f"load_balancers.{wanting[0]}.sources",
            "customers",
            "no customer has a source, so nobody would be admitted",
            "bind a source: customers.<name>.sources",
        )
    sets = len(wanting) * sum(
        len({source.cidr.version for source in customer.sources.values()})
        for customer in draft.customers.values()
    )
    if sets > MOST_CUSTOMER_SETS:
        yield Problem(
            "customers",
            f"{sets} sets of addresses",
            f"the firewall of a region takes {MOST_CUSTOMER_SETS} (an IP set per customer and family)",
            "ask AWS for a higher quota and raise it in settings/rules_edge.py, or split the customers",
        )


def sources_are_public_and_narrow(draft: Draft) -> Iterator[Problem]:
    """What comes from the internet has a public address; a wide range would bind nobody."""
    for key, source in _sources(draft):
        if not _public(source.cidr):
            yield Problem(
                key, str(source.cidr), "a source is a public range", "give the address the internet sees"
            )
        shortest = NARROWEST_SHARED[source.cidr.version]
        if source.cidr.prefixlen < shortest:
            yield Problem(
                key, str(source.cidr), f"a source is a /{shortest} or narrower", "bind the addresses in use"
            )


def sources_belong_to_one_customer(draft: Draft) -> Iterator[Problem]:
    """Two customers' sources never overlap: data would be taken in for the wrong one."""
    for (key, one), (other_key, other) in combinations(list(_sources(draft)), 2):
        if _customer(key) != _customer(other_key) and _overlap(one.cidr, other.cidr):
            yield Problem(
                other_key,
                str(other.cidr),
                f"it overlaps {one.cidr} of {key}",
                "bind each address to one customer",
            )


def sources_are_current(draft: Draft) -> Iterator[Problem]:
    """A binding whose last day has passed is renewed by a recorded change or taken out, never carried on."""
    for key, source in _sources(draft):
        if ended(source.until, today()):
            yield Problem(
                key.removesuffix(".cidr") + ".until",
                source.until.isoformat(),
                "the binding has ended; the source is refused",
                "renew it with a new change and day, or remove the source",
            )


def _sources(draft: Draft) -> Iterator[tuple[str, Source]]:
    for customer, stated in draft.customers.items():
        for name, source in stated.sources.items():
            yield f"customers.{customer}.sources.{name}.cidr", source


def _customer(key: str) -> str:
    return key.split(".")[1]


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _public(network: Network) -> bool:
    if network.version == 4:
        return network.is_global or any(_overlap(network, known) for known in _DOCUMENTATION)
    return network.is_global or any(_overlap(network, known) for known in _DOCUMENTATION6)


RULES: tuple[Rule, ...] = (
    certificates_are_ours,
    one_role_stands_behind,
    nodes_that_are_balanced_are_not_public,
    bound_customers_have_a_source,
    sources_are_public_and_narrow,
    sources_belong_to_one_customer,
    sources_are_current,
)
