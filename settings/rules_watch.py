"""Rules of the threat intelligence: an indicator names somebody hostile on the internet, never ourselves."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from settings import facts
from settings.draft import Draft
from settings.problems import Problem
from settings.rules_region import Rule

Network = IPv4Network | IPv6Network

# IANA IPv4 and IPv6 Special-Purpose Address Registries: nobody on the internet has these, so a feed that
# names one is wrong, and blocking it hits ourselves. The blocks kept for documentation (RFC 5737, RFC 3849)
# are left out: examples are written in them.
UNBLOCKABLE: tuple[tuple[Network, str], ...] = (
    *((network, "a private range") for network in facts.PRIVATE_V4),
    *(
        (ip_network(block), what)
        for block, what in (
            ("0.0.0.0/8", "this network"),
            ("127.0.0.0/8", "loopback"),
            ("169.254.0.0/16", "link-local"),
            ("192.0.0.0/24", "protocol assignments"),
            ("198.18.0.0/15", "benchmarking"),
            ("224.0.0.0/3", "multicast and reserved"),
            ("::/127", "unspecified and loopback"),
            ("fc00::/7", "a private range"),
            ("fe80::/10", "link-local"),
            ("ff00::/8", "multicast"),
        )
    ),
)
# The widest range an indicator may name: this project's limit. What is wider hits whole countries or clouds.
WIDEST = {4: 16, 6: 32}


def overlapping(one: Network, other: Network) -> bool:
    """Whether two ranges of the same family share an address."""
    if isinstance(one, IPv4Network) and isinstance(other, IPv4Network):
        return one.overlaps(other)
    if isinstance(one, IPv6Network) and isinstance(other, IPv6Network):
        return one.overlaps(other)
    return False


def indicators_lie_on_the_internet(draft: Draft) -> Iterator[Problem]:
    """No indicator names a special range, nor a range so wide that it is no indicator."""
    for name, found in draft.detection.indicators.items():
        key = f"detection.indicators.{name}.cidr"
        special = next((what for block, what in UNBLOCKABLE if overlapping(block, found.cidr)), None)
        if special:
            rule = f"an indicator is a range on the internet; this overlaps {special}"
            yield Problem(key, str(found.cidr), rule, "remove it, and ask the feed about it")
        elif found.cidr.prefixlen < WIDEST[found.cidr.version]:
            widest = WIDEST[found.cidr.version]
            yield Problem(
                key,
                str(found.cidr),
                f"an indicator is a /{widest} or narrower",
                "name the hostile part of it",
            )


def indicators_are_never_ourselves(draft: Draft) -> Iterator[Problem]:
    """No indicator blocks a VPC, a site, a trusted range or a customer's source."""
    for name, found in draft.detection.indicators.items():
        for where, own in _ours(draft):
            if overlapping(own, found.cidr):
                yield Problem(
                    f"detection.indicators.{name}.cidr",
                    str(found.cidr),
                    f"an indicator never blocks ourselves; this overlaps {where} ({own})",
                    "remove the indicator; if the range is hostile, remove the other first",
                )


def _ours(draft: Draft) -> Iterator[tuple[str, Network]]:
    for name, vpc in draft.vpcs.items():
        yield f"vpcs.{name}", vpc.cidr
    for name, site in draft.sites.items():
        yield f"sites.{name}.gateway", ip_network(site.gateway)
        yield from ((f"sites.{name}.ranges", network) for network in site.ranges)
    if draft.access:
        for name, networks in draft.access.trusted_ranges.items():
            yield from ((f"access.trusted_ranges.{name}", network) for network in networks)
    for name, customer in draft.customers.items():
        for source, bound in customer.sources.items():
            yield f"customers.{name}.sources.{source}", bound.cidr


def indicators_end_after_they_begin(draft: Draft) -> Iterator[Problem]:
    """The last day is not before the first."""
    for name, found in draft.detection.indicators.items():
        if found.until < found.added:
            yield Problem(
                f"detection.indicators.{name}.until",
                found.until.isoformat(),
                f"an indicator ends after it was added ({found.added.isoformat()})",
                "correct one of the two days",
            )


RULES: tuple[Rule, ...] = (
    indicators_lie_on_the_internet,
    indicators_are_never_ourselves,
    indicators_end_after_they_begin,
)
