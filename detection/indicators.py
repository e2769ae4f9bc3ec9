"""Threat intelligence as plain data: which ranges are hostile today, in which order, in which words.

The stack file holds the indicators (`detection.indicators`): each with its source and its last day.
GuardDuty, the web firewall and the nodes' firewalls take what this module makes of them, so that all three
mean the same. Pure: today's date is given, never asked for. Feeds are read by `detection/feeds.py`, which
is also `python -m detection.indicators FILE…`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from settings.access import ended
from settings.watch import Indicator

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Ranked:
    """A hostile range that counts today, and where it comes from."""

    network: Network
    name: str
    source: str
    added: date
    until: date


def ranked(indicators: Mapping[str, Indicator], today: date) -> list[Ranked]:
    """The indicators that have begun and not ended on `today`, the most telling first.

    Newest first, since addresses change hands; of one day the narrowest first, since it accuses fewest. A
    range that lies in another one, or is stated twice, stays once: what was added last speaks for it.
    """
    alive = [
        Ranked(found.cidr, name, found.source, found.added, found.until)
        for name, found in indicators.items()
        if found.added <= today and not ended(found.until, today)
    ]
    kept: list[Ranked] = []
    # Widest first, newest first: whoever is covered by somebody newer says nothing more.
    for one in sorted(alive, key=lambda r: (r.network.prefixlen, -r.added.toordinal(), r.name)):
        if not any(covers(other.network, one.network) and other.added >= one.added for other in kept):
            kept.append(one)
    return sorted(kept, key=_telling)


def _telling(one: Ranked) -> tuple[int, int, int, str]:
    return (-one.added.toordinal(), -one.network.prefixlen, one.network.version, str(one.network))


def covers(wide: Network, narrow: Network) -> bool:
    """Whether one range holds all of another; never across address families."""
    if isinstance(wide, IPv4Network) and isinstance(narrow, IPv4Network):
        return narrow.subnet_of(wide)
    if isinstance(wide, IPv6Network) and isinstance(narrow, IPv6Network):
        return narrow.subnet_of(wide)
    return False


def hostile(
    indicators: Mapping[str, Indicator], today: date, version: int, most: int | None = None
) -> list[str]:
    """The hostile ranges of one address family in CIDR notation, merged and sorted by address: the same
    indicators always give the same list. `most`: how many a service takes; of more, the best ranked stay.
    """
    networks = [one.network for one in ranked(indicators, today) if one.network.version == version]
    merged = together(networks)
    while most is not None and len(merged) > most:
        networks = networks[: len(networks) - (len(merged) - most)]
        merged = together(networks)
    return [str(network) for network in merged]


def together(networks: Iterable[Network]) -> list[Network]:
    """Ranges of one family without overlaps and with neighbours joined, sorted by address."""
    four = [n for n in networks if isinstance(n, IPv4Network)]
    six = [n for n in networks if isinstance(n, IPv6Network)]
    return [*collapse_addresses(four), *collapse_addresses(six)]


@dataclass(frozen=True)
class Listing:
    """A list as GuardDuty reads it, and the name of the object it lies in.

    GuardDuty reads a list when it is activated and never by itself later, so a changed list lies under a new
    name: the name holds what is in it.
    """

    key: str
    content: str


def listing(kind: str, ranges: Iterable[str]) -> Listing | None:
    """The list of some ranges; None for none, since GuardDuty takes no empty list.

    `kind`: `threat` or `trusted`. One range a line, format TXT.
    """
    lines = sorted(set(ranges), key=lambda r: (":" in r, together([_network(r)])[0]))
    if not lines:
        return None
    content = "".join(f"{line}\n" for line in lines)
    return Listing(f"lists/{kind}-{sha256(content.encode()).hexdigest()[:16]}.txt", content)


def _network(text: str) -> Network:
    return IPv6Network(text) if ":" in text else IPv4Network(text)


if __name__ == "__main__":
    import fault
    from detection.feeds import command

    fault.main(command)
