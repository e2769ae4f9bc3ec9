"""Elastic IPs that can be routed: moto draws them from 127.0.0.0/8, which never leaves a machine.

They come from 198.18.0.0/15 instead, the range for tests between networks (RFC 2544, appendix C.2.2). The
twin's nodes answer there with real packets, and nothing on the real internet ever has such an address.
"""

from __future__ import annotations

import itertools
from ipaddress import ip_network

from moto.ec2.models import elastic_ip_addresses

from twin.account.extensions.placing import place

_BLOCK = ip_network("198.18.0.0/15")
_numbers = itertools.count(10)


def next_address() -> str:
    """The next address of the block; every one is given once in the life of the account."""
    return str(_BLOCK[next(_numbers) % _BLOCK.num_addresses])


def install() -> None:
    """Put it in place; harmless when done twice."""
    place(elastic_ip_addresses, random_ip=next_address)
