"""Which names nodes may resolve, as plain data: what the region itself needs, and what the stack states.

Everything is spelled as name servers do, with the root's dot at the end: Route 53 Resolver DNS Firewall
gives names back that way.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from network.endpoints import INTERFACES
from settings import Settings

EVERYTHING = "*."


def allowed_names(settings: Settings) -> tuple[str, ...]:
    """The names that a node of this region may resolve, sorted, each once.

    The region's own AWS endpoints as far as we make them, the private names and the reverse zones of the
    VPCs (of no other block: a foreign reverse zone is a channel to the outside like any other name), and the
    stack's `dns.allowed_domains`.
    """
    names = {
        *_endpoint_names(str(settings.region)),
        _private_names(str(settings.region)),
        *(zone for vpc in settings.vpcs.values() for zone in reverse_zones(vpc.cidr)),
        *(f"{domain}." for domain in settings.dns.allowed_domains),
    }
    return tuple(sorted(names))


def _endpoint_names(region: str) -> Iterator[str]:
    for service in INTERFACES:
        yield f"{service}.{region}.amazonaws.com."
        if service == "s3":
            yield f"*.{service}.{region}.amazonaws.com."  # a bucket is a host name


def _private_names(region: str) -> str:
    # Amazon EC2 User Guide, "EC2 instance hostnames and domains": us-east-1 alone has the old name.
    return "*.ec2.internal." if region == "us-east-1" else f"*.{region}.compute.internal."


def reverse_zones(block: IPv4Network) -> Iterator[str]:
    """The zones that hold the names of a block's addresses, cut at the octets a reverse name is made of."""
    whole = -(-block.prefixlen // 8) * 8
    for part in block.subnets(new_prefix=whole):
        labels = part.network_address.reverse_pointer.split(".")
        yield f"*.{'.'.join(labels[-(whole // 8) - 2 :])}."
