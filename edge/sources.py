"""Which addresses are bound to customers today. No Pulumi import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from ipaddress import IPv4Network, IPv6Network

from detection.indicators import together
from settings.access import ended
from settings.data import Customer

Network = IPv4Network | IPv6Network


def bound(customers: Mapping[str, Customer], day: date) -> dict[str, tuple[Network, ...]]:
    """Per customer the sources that are bound on `day`; a customer without any is left out.

    A source whose last day has passed is not among them: it is refused, never kept for convenience.
    """
    found = {
        name: tuple(source.cidr for source in customer.sources.values() if not ended(source.until, day))
        for name, customer in customers.items()
    }
    return {name: networks for name, networks in found.items() if networks}


def of_version(networks: Iterable[Network], version: int) -> list[str]:
    """The ranges of one address family as an IP set takes them: merged, none inside another, sorted."""
    return [str(network) for network in together(networks) if network.version == version]
