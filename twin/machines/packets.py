"""From account facts to one VPC router's nftables ruleset. Pure: text in, text out, nothing is loaded here.

The order in which a packet is judged is AWS's own: source check of the sending card, network ACL out of its
subnet, network ACL into the other subnet (both stateless, none inside one subnet), security group of the
sender, security group of the receiver (both stateful). What no rule allows is dropped without an answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, collapse_addresses, ip_network

from twin.machines.facts import Account, Card, Permission, Subnet, family

GATEWAY = "igw"
PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}


def peering_interface(ident: str) -> str:
    """The router's end of a peering, the same name on both sides."""
    return "p" + hashlib.sha256(ident.encode()).hexdigest()[:10]


def site_interface(site: str) -> str:
    """The router's end of a site's tunnel."""
    return "s" + hashlib.sha256(site.encode()).hexdigest()[:10]


def ruleset(account: Account, vpc: str) -> str:
    """The whole table of a VPC's router; loading it replaces the last one in one transaction."""
    subnets = [subnet for subnet in account.subnets if subnet.vpc == vpc]
    cards = [card for card in account.cards if card.vpc == vpc]
    lines = ["table inet stockade", "delete table inet stockade", "table inet stockade {"]
    lines += _address_translation(account, cards, subnets)
    for number, subnet in enumerate(subnets):
        for egress in (False, True):
            lines += _chain(_acl_name(number, egress), list(_acl(subnet, egress)))
    for card in cards:
        lines += _chain(f"out_{card.interface}", [*_permissions(account, card, outbound=True), "drop"])
        lines += _chain(f"in_{card.interface}", [*_permissions(account, card, outbound=False), "drop"])
    lines += _chain("acl", list(_acl_jumps(account, subnets)))
    lines += _chain("forward", list(_forward(account, vpc, cards, subnets)))
    lines.append("}")
    return "\n".join(lines) + "\n"


def _forward(account: Account, vpc: str, cards: list[Card], subnets: list[Subnet]) -> Iterator[str]:
    yield "type filter hook forward priority filter; policy drop;"
    yield from _source_check(cards)
    yield from _no_way_out(account, vpc, cards, subnets)
    yield "jump acl"
    yield "ct state established,related accept"
    yield "ct state invalid drop"
    # The internet knows public addresses only: whatever was not translated has no business here.
    yield f'iifname "{GATEWAY}" ct status ! dnat drop'
    for end, direction in (("iifname", "out"), ("oifname", "in")):
        verdicts = [f'"{card.interface}" : jump {direction}_{card.interface}' for card in cards]
        if verdicts:
            yield f"{end} vmap {{ {', '.join(verdicts)} }}"
    yield "accept"


def _source_check(cards: list[Card]) -> Iterator[str]:
    """EC2 drops what a card sends under another address (source/destination check)."""
    for card in cards:
        yield f'iifname "{card.interface}" ip saddr != {card.address} drop'
        yield f'iifname "{card.interface}" ip6 saddr != {card.address6 or "::"} drop'


def _no_way_out(account: Account, vpc: str, cards: list[Card], subnets: list[Subnet]) -> Iterator[str]:
    """Only a card with a public address, or a subnet with a NAT gateway, gets out to the internet."""
    allowed = [c.address for c in cards if c.public and _default(account.subnet(c.subnet)) == "internet"]
    allowed += [s.cidr for s in subnets if any(r.way == "nat" for r in s.routes)]
    if vpc not in account.gateways or not allowed:
        yield f'oifname "{GATEWAY}" drop'
        return
    yield f'oifname "{GATEWAY}" meta nfproto ipv6 drop'
    yield f'oifname "{GATEWAY}" ip saddr != {_set(allowed)} drop'


def _default(subnet: Subnet) -> str:
    return next((r.way for r in subnet.routes if r.destination == "0.0.0.0/0"), "nowhere")


def _address_translation(account: Account, cards: list[Card], subnets: list[Subnet]) -> Iterator[str]:
    """1:1 for Elastic IPs, many:1 for NAT gateways."""
    public = [
        c for c in cards if c.public and any(r.way == "internet" for r in account.subnet(c.subnet).routes)
    ]
    inward = [f'iifname "{GATEWAY}" ip daddr {card.public} dnat ip to {card.address}' for card in public]
    outward = [f'oifname "{GATEWAY}" ip saddr {card.address} snat ip to {card.public}' for card in public]
    gateways = {nat.id: nat for nat in account.nats}
    for subnet in subnets:
        for route in subnet.routes:
            if route.way == "nat" and route.target in gateways and family(route.destination) == 4:
                public_address = gateways[route.target].public
                destination = "" if route.destination == "0.0.0.0/0" else f"ip daddr {route.destination} "
                outward.append(
                    f'oifname "{GATEWAY}" ip saddr {subnet.cidr} {destination}snat ip to {public_address}'
                )
    yield from _chain("prerouting", ["type nat hook prerouting priority dstnat;", *inward])
    yield from _chain("postrouting", ["type nat hook postrouting priority srcnat;", *dict.fromkeys(outward)])


def _acl_jumps(account: Account, subnets: list[Subnet]) -> Iterator[str]:
    names = {subnet.id: number for number, subnet in enumerate(subnets)}
    for subnet in subnets:
        yield f"ip saddr {subnet.cidr} ip daddr {subnet.cidr} return"
    for subnet in subnets:
        yield f"ip saddr {subnet.cidr} jump {_acl_name(names[subnet.id], egress=True)}"
    for subnet in subnets:
        yield f"ip daddr {subnet.cidr} jump {_acl_name(names[subnet.id], egress=False)}"
    # What goes through a NAT gateway also enters and leaves the gateway's own subnet, both ways.
    gateways = {nat.id: names[nat.subnet] for nat in account.nats if nat.subnet in names}
    for subnet in subnets:
        for number in {gateways[r.target] for r in subnet.routes if r.way == "nat" and r.target in gateways}:
            for match in (f'oifname "{GATEWAY}" ip saddr', f'iifname "{GATEWAY}" ip daddr'):
                for egress in (False, True):
                    yield f"{match} {subnet.cidr} jump {_acl_name(number, egress)}"


def _acl_name(number: int, egress: bool) -> str:
    return f"acl_{number}_{'out' if egress else 'in'}"


def _acl(subnet: Subnet, egress: bool) -> Iterator[str]:
    entries = sorted((e for e in subnet.acl if e.egress == egress), key=lambda e: e.number)
    for entry in entries:
        match = _match(entry.protocol, entry.first, entry.last, family(entry.network))
        if match is not None:
            peer = _peer([entry.network], source=not egress)
            yield " ".join(part for part in (peer, match, "return" if entry.allow else "drop") if part)
    yield "drop"


def _permissions(account: Account, card: Card, outbound: bool) -> Iterator[str]:
    """What a card's groups allow together; `return` goes on to the next judge."""
    for group in (account.groups[ident] for ident in card.groups):
        for permission in group.outbound if outbound else group.inbound:
            yield from _permission(account, permission, outbound)


def _permission(account: Account, permission: Permission, outbound: bool) -> Iterator[str]:
    peers = [*permission.networks, *(a for group in permission.groups for a in account.members(group))]
    for version in (4, 6):
        networks = [network for network in peers if family(network) == version]
        match = _match(permission.protocol, permission.first, permission.last, version)
        if networks and match is not None:
            yield " ".join(part for part in (_peer(networks, source=not outbound), match, "return") if part)


def _match(protocol: str, first: int | None, last: int | None, version: int) -> str | None:
    """The protocol part of a rule; empty for every protocol, None when it cannot occur in this family."""
    name = PROTOCOLS.get(protocol, protocol)
    if name in ("-1", "all"):
        return ""
    if name in ("icmp", "icmpv6"):
        return _icmp(name, first, last) if (name == "icmp") == (version == 4) else None
    if name not in ("tcp", "udp"):
        return f"meta l4proto {name}"
    if first is None or first < 0 or (first, last) == (0, 65535):
        return f"meta l4proto {name}"
    return f"{name} dport {first}" if first == last else f"{name} dport {first}-{last}"


def _icmp(name: str, kind: int | None, code: int | None) -> str:
    """For ICMP, AWS uses the port range for type and code; -1 is any."""
    if kind is None or kind < 0:
        return f"meta l4proto {name}"
    return f"{name} type {kind}" + ("" if code is None or code < 0 else f" {name} code {code}")


def _peer(networks: Iterable[str], source: bool) -> str:
    """The address part of a rule; it also fixes the family, so "everywhere" is never empty."""
    wanted = list(networks)
    version = family(wanted[0])
    keyword = "ip" if version == 4 else "ip6"
    if any(network in ("0.0.0.0/0", "::/0") for network in wanted):
        return f"meta nfproto ipv{version}"
    return f"{keyword} {'saddr' if source else 'daddr'} {_set(wanted)}"


def _set(items: Iterable[str]) -> str:
    """One address or block, or an anonymous set of disjoint ones."""
    blocks = [ip_network(item) for item in items]
    joined = [*collapse_addresses(b for b in blocks if isinstance(b, IPv4Network))]
    wanted = [str(block) for block in (joined or collapse_addresses(b for b in blocks if b.version == 6))]
    plain = [text.removesuffix("/32").removesuffix("/128") for text in wanted]
    return plain[0] if len(plain) == 1 else f"{{ {', '.join(plain)} }}"


def _chain(name: str, rules: list[str]) -> Iterator[str]:
    yield f"  chain {name} {{"
    yield from (f"    {rule}" for rule in rules)
    yield "  }"
