"""What the emulated account says about packets: plain data.

Nothing here knows namespaces or nftables; `packets.py` turns it into rules and `wires.py` into routes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Literal

Way = Literal["internet", "nat", "peering", "vpn", "nowhere"]


@dataclass(frozen=True)
class Permission:
    """One rule of a security group: a protocol (`-1` is all), a port range, and whom it is about."""

    protocol: str
    first: int | None
    last: int | None
    networks: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """A security group. No permission matching is a refusal: AWS groups only ever allow."""

    id: str
    inbound: tuple[Permission, ...]
    outbound: tuple[Permission, ...]


@dataclass(frozen=True)
class AclEntry:
    """One numbered entry of a network ACL; the lowest matching number decides."""

    number: int
    egress: bool
    protocol: str
    first: int | None
    last: int | None
    network: str
    allow: bool


@dataclass(frozen=True)
class Route:
    """One route of a subnet's table. `target` is the NAT gateway's or the peering's id, else empty."""

    destination: str
    way: Way
    target: str = ""


@dataclass(frozen=True)
class Subnet:
    """A subnet with the routes and ACL entries that apply to it."""

    id: str
    vpc: str
    cidr: str
    routes: tuple[Route, ...]
    acl: tuple[AclEntry, ...]


@dataclass(frozen=True)
class Card:
    """A network card of a node: its private address, its groups, and its public address if it has one."""

    node: str
    vpc: str
    subnet: str
    address: str
    groups: tuple[str, ...]
    public: str | None = None
    address6: str | None = None

    @property
    def interface(self) -> str:
        """The router's end of the node's wire: the address in hexadecimal, so it depends on nobody else."""
        return "n" + "".join(f"{int(part):02x}" for part in self.address.split("."))


@dataclass(frozen=True)
class Nat:
    """A NAT gateway: the subnet it stands in and the public address it lends."""

    id: str
    vpc: str
    subnet: str
    public: str


@dataclass(frozen=True)
class Peering:
    """An active connection between two VPCs (names)."""

    id: str
    left: str
    right: str


@dataclass(frozen=True)
class Tunnel:
    """A site's VPN connection to a VPC that is available."""

    site: str
    vpc: str


@dataclass(frozen=True)
class Account:
    """Everything that decides a packet's fate in a region. `vpcs` maps a VPC's name to its address blocks."""

    vpcs: dict[str, tuple[str, ...]]
    gateways: frozenset[str] = frozenset()
    subnets: tuple[Subnet, ...] = ()
    groups: dict[str, Group] = field(default_factory=dict)
    cards: tuple[Card, ...] = ()
    nats: tuple[Nat, ...] = ()
    peerings: tuple[Peering, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()

    def members(self, group: str) -> list[str]:
        """Addresses, IPv4 and IPv6, of every card that carries a group, in any VPC."""
        found = [card for card in self.cards if group in card.groups]
        return sorted(a for card in found for a in (card.address, card.address6) if a)

    def subnet(self, ident: str) -> Subnet:
        """The subnet of this id. Raises KeyError."""
        return next(subnet for subnet in self.subnets if subnet.id == ident)


def family(network: str) -> int:
    """4 or 6."""
    return ip_network(network, strict=False).version
