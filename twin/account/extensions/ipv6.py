"""IPv6 blocks that can be routed here: moto makes them up inside a range that belongs to somebody. And the
state of a subnet's block, which moto wraps twice, so that a client reads a text of Python for it.

They come from 2001:2::/48 instead, the range for tests between networks (RFC 5180, section 8), as a /56 each,
written the way AWS writes them. AWS keeps the first four addresses and the last one of a subnet to itself
(Amazon VPC User Guide, "Subnet sizing for IPv6"), so no interface gets one of these.
"""

from __future__ import annotations

import itertools
import secrets
from ipaddress import IPv6Network
from typing import Any

from moto.ec2.models import elastic_network_interfaces, vpcs
from moto.ec2.models.subnets import Subnet
from moto.ec2.utils import random_private_ip

from twin.account.extensions.placing import place

_RANGE = IPv6Network("2001:2::/48")
_KEPT_FIRST, _KEPT_LAST = 4, 1
_numbers = itertools.count(1)
_moto_private_ip = random_private_ip


def next_block() -> str:
    """The next /56 of the range; every one is given once, until the range has gone round."""
    blocks = 2 ** (56 - _RANGE.prefixlen)
    start = int(_RANGE.network_address) + ((next(_numbers) % blocks) << (128 - 56))
    return str(IPv6Network((start, 56)))


def private_address(cidr: str | None = None, ipv6: bool = False) -> str:
    """An address of a subnet: moto's own choice for IPv4, one that AWS may give for IPv6."""
    if not (ipv6 and cidr):
        return _moto_private_ip(cidr, ipv6)
    block = IPv6Network(cidr)
    free = block.num_addresses - _KEPT_FIRST - _KEPT_LAST
    return str(block.network_address + _KEPT_FIRST + secrets.randbelow(free))


def subnet_blocks(subnet: Any) -> list[dict[str, Any]]:
    """A subnet's IPv6 blocks as DescribeSubnets tells them: the associated ones, each with its state."""
    return [
        association
        for association in subnet.ipv6_cidr_block_associations.values()
        if association["ipv6CidrBlockState"]["State"] == "associated"
    ]


def install() -> None:
    """Put it in place; harmless when done twice."""
    place(vpcs, random_ipv6_cidr=next_block)
    place(Subnet, ipv6_cidr_block_association_set=property(subnet_blocks))
    place(elastic_network_interfaces, random_private_ip=private_address)
