"""Namespaces and links: a router per VPC, one namespace per node and per site, one for the internet.

Every node hangs on its own wire, and its router answers ARP for everything else, so that each packet crosses
the router's forward hook, also between neighbours of one subnet. No wire ends in the machine's own namespace:
whatever is not in the account does not exist for a node.

Routes are the account's: main holds what AWS calls the local route, a table per subnet that subnet's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from fault import Fault
from twin.ledger import Ledger
from twin.machines import namespaces, packets
from twin.machines.facts import Account, Card, Peering, Route, Subnet, family

LEFT, RIGHT = "fe80::1", "fe80::2"
"""The two ends of every link between routers. Link-local, so they can be the same on all links; IPv4 routes
use them as next hops too (RFC 5549), and no IPv4 address has to be invented."""
OUTSIDE, OUTSIDE6 = "192.0.2.10", "2001:db8::10"
"""Somebody on the internet: documentation ranges (RFC 5737, RFC 3849)."""
QUIET = {
    "ipv4/conf/all/rp_filter": "0",  # routes differ by a packet's origin; nftables checks sources
    "ipv4/conf/default/rp_filter": "0",
    "ipv6/conf/all/accept_dad": "0",
    "ipv6/conf/default/accept_dad": "0",
}
ROUTING = {
    **QUIET,
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    "ipv4/conf/default/proxy_arp": "1",
    "ipv6/conf/all/forwarding": "1",
}
FIRST_TABLE = 1000


class Wires:
    """The networks of one region here. Raising them again converges; nodes make their own wires."""

    def __init__(self, ledger: Ledger, region: Mapping[str, Any], account: Account) -> None:
        self.ledger, self.region, self.account = ledger, region, account
        self._seen: dict[str, set[str]] = {}

    @property
    def internet(self) -> str:
        """The internet's namespace."""
        return f"{self.ledger.prefix}-internet"

    def vpc(self, name: str) -> str:
        """The namespace of a VPC's router."""
        return f"{self.ledger.prefix}-v-{name}"

    def site(self, name: str) -> str:
        """A site's namespace."""
        return f"{self.ledger.prefix}-s-{name}"

    def node(self, name: str) -> str:
        """A node's namespace."""
        return f"{self.ledger.prefix}-n-{name}"

    def raise_up(self) -> None:
        """Make namespaces and links that are missing, set addresses and routes, load the rules."""
        self._seen.clear()
        namespaces.make(self.ledger, self.internet, {**QUIET, "ipv4/ip_forward": "1"})
        for site in self.region["sites"]:
            namespaces.make(self.ledger, self.site(site), QUIET)
            self._link((self.internet, packets.site_interface(site)), (self.site(site), "wan"))
        for name in self.account.vpcs:
            namespaces.make(self.ledger, self.vpc(name), ROUTING)
            if name in self.account.gateways:
                self._link((self.vpc(name), packets.GATEWAY), (self.internet, vpc_interface(name)))
        for tunnel in self.account.tunnels:
            router = (self.vpc(tunnel.vpc), packets.site_interface(tunnel.site))
            self._link(router, (self.site(tunnel.site), vpc_interface(tunnel.vpc)))
        for peering in self.account.peerings:
            interface = packets.peering_interface(peering.id)
            self._link((self.vpc(peering.left), interface), (self.vpc(peering.right), interface))
        self._address_outside()
        for site in self.region["sites"]:
            self._address_site(site)
        for name in self.account.vpcs:
            self._route_vpc(name)
        self.load_rules()

    def load_rules(self) -> None:
        """Compile the account's rules for every VPC, check them all, then load them."""
        texts = {self.vpc(name): packets.ruleset(self.account, name) for name in self.account.vpcs}
        for options in (["-c"], []):
            for namespace, text in texts.items():
                with namespaces.inside(namespace):
                    namespaces.run(["nft", *options, "-f", "-"], text=text)

    def _link(self, left: tuple[str, str], right: tuple[str, str]) -> None:
        """A link between two namespaces; a link of which one end is left over is made anew."""
        have = [name in self._have(namespace) for namespace, name in (left, right)]
        if not all(have):
            if any(have):
                namespace, name = left if have[0] else right
                namespaces.batch(namespace, [f"link del {name}"])
            add = f"link add {left[1]} netns {left[0]} type veth peer name {right[1]} netns {right[0]}"
            namespaces.run(["ip", *add.split()])
        for (namespace, name), address in ((left, LEFT), (right, RIGHT)):
            namespaces.batch(
                namespace, [f"addr replace {address}/64 dev {name} nodad", f"link set {name} up"]
            )

    def _have(self, namespace: str) -> set[str]:
        if namespace not in self._seen:
            self._seen[namespace] = namespaces.interfaces(namespace)
        return self._seen[namespace]

    def _address_outside(self) -> None:
        lines = [f"addr replace {OUTSIDE}/32 dev lo", f"addr replace {OUTSIDE6}/128 dev lo nodad"]
        for name, site in self.region["sites"].items():
            interface = packets.site_interface(name)
            lines.append(
                f"route replace {site['gateway']}/32 via inet6 {RIGHT} dev {interface} src {OUTSIDE}"
            )
        lines += [
            f"addr replace {address}/32 dev lo" for address, site in self._bound().values() if site is None
        ]
        for vpc, address in self._public_addresses():
            interface = vpc_interface(vpc)
            lines.append(f"route replace {address}/32 via inet6 {LEFT} dev {interface} src {OUTSIDE}")
        namespaces.batch(self.internet, lines)

    def bound_source(self, customer: str) -> tuple[str, str]:
        """Namespace and IPv4 address from which a customer's bound source calls: its site's gateway where
        that is bound, else somebody on the internet. Raises Fault for a customer without one.
        """
        if customer not in self._bound():
            choice = ", ".join(sorted(self._bound())) or "none has one"
            raise Fault(f"customer '{customer}'", "a customer has a bound source", f"one of {choice}")
        address, site = self._bound()[customer]
        return (self.site(site) if site else self.internet), address

    def _bound(self) -> dict[str, tuple[str, str | None]]:
        """Per customer an address among its bound sources, and the site whose gateway has it."""
        gateways = {ip_address(site["gateway"]): name for name, site in self.region["sites"].items()}
        found: dict[str, tuple[str, str | None]] = {}
        for end in self.region.get("intent", {}).get("endpoints", []):
            for block in map(ip_network, end["networks"] if end["kind"] == "source" else ()):
                known = [address for address in gateways if address in block]
                if block.version == 4 and end["name"] not in found:
                    address = known[0] if known else block[0]
                    found[end["name"]] = (str(address), gateways.get(address))
        return found

    def _public_addresses(self) -> Iterator[tuple[str, str]]:
        yield from (
            (c.vpc, c.public) for c in self.account.cards if c.public and c.vpc in self.account.gateways
        )
        yield from ((nat.vpc, nat.public) for nat in self.account.nats if nat.vpc in self.account.gateways)

    def _address_site(self, name: str) -> None:
        site = self.region["sites"][name]
        own = [site["gateway"], *site_addresses(self.region, name), *served_addresses(self.region, name)]
        # Without `nodad` an IPv6 address is tentative for a moment, and a route from it is refused meanwhile.
        lengths = {4: "32 dev lo", 6: "128 dev lo nodad"}
        lines = [f"addr replace {address}/{lengths[family(address)]}" for address in own]
        lines.append(f"route replace 0.0.0.0/0 via inet6 {LEFT} dev wan src {site['gateway']}")
        lines6 = []
        for tunnel in (t for t in self.account.tunnels if t.site == name):
            interface = vpc_interface(tunnel.vpc)
            for block in self.account.vpcs[tunnel.vpc]:
                source = site_address(self.region, name, family(block))
                if source is not None and family(block) == 4:
                    lines.append(f"route replace {block} via inet6 {LEFT} dev {interface} src {source}")
                elif source is not None:
                    lines6.append(f"route replace {block} via {LEFT} dev {interface} src {source}")
        namespaces.batch(self.site(name), lines)
        namespaces.batch(self.site(name), lines6, six=True)

    def _route_vpc(self, name: str) -> None:
        subnets = [subnet for subnet in self.account.subnets if subnet.vpc == name]
        tables = {subnet.id: FIRST_TABLE + number for number, subnet in enumerate(subnets)}
        cards = [card for card in self.account.cards if card.vpc == name]
        router = self.vpc(name)
        namespaces.batch(router, [f"route flush table {table}" for table in tables.values()], lenient=True)
        lines = [f"addr replace {gateway_of(s.cidr)}/32 dev lo" for s in subnets]
        # What is inside the VPC but is nobody's is refused, and so is the metadata service, absent here.
        local = [block for block in self.account.vpcs[name] if family(block) == 4]
        lines += [f"route replace unreachable {block}" for block in (*local, "169.254.0.0/16")]
        lines += [line for s in subnets for line in self._subnet_routes(s, tables[s.id])]
        # No transit: what came in from outside and is not for this VPC goes nowhere.
        lines += ["rule flush", "rule add pref 100 lookup main", "rule add pref 30000 unreachable"]
        lines += [f"rule add pref 200 iif {card.interface} lookup {tables[card.subnet]}" for card in cards]
        namespaces.batch(router, lines)
        six = [f"route replace unreachable {b}" for b in self.account.vpcs[name] if family(b) == 6]
        namespaces.batch(router, [*six, *self._site_routes6(name)], six=True)

    def _subnet_routes(self, subnet: Subnet, table: int) -> Iterator[str]:
        for route in subnet.routes:
            if family(route.destination) == 6:
                continue
            hops = list(self._hops(subnet.vpc, route))
            for destination, hop in hops:
                yield f"route replace {destination} {hop} table {table}"
            if not hops:
                yield f"route replace unreachable {route.destination} table {table}"

    def _hops(self, vpc: str, route: Route) -> Iterator[tuple[str, str]]:
        """Destination and next hop of one AWS route; nothing when it leads nowhere here."""
        if route.way in ("internet", "nat") and vpc in self.account.gateways:
            yield route.destination, f"via inet6 {RIGHT} dev {packets.GATEWAY}"
        elif route.way == "peering":
            for peering in self.account.peerings:
                if peering.id == route.target:
                    yield route.destination, _across(peering, vpc)
        elif route.way == "vpn":
            yield from self._tunnel_hops(vpc, route)

    def _tunnel_hops(self, vpc: str, route: Route) -> Iterator[tuple[str, str]]:
        """A VPN gateway sends each site what that site announced, within the route's destination."""
        wanted = ip_network(route.destination)
        for tunnel in (t for t in self.account.tunnels if t.vpc == vpc):
            for block in map(ip_network, self.region["sites"][tunnel.site]["ranges"]):
                if block.version == 4 and block.overlaps(wanted):
                    narrow = block if block.prefixlen >= wanted.prefixlen else wanted
                    yield str(narrow), f"via inet6 {RIGHT} dev {packets.site_interface(tunnel.site)}"

    def _site_routes6(self, vpc: str) -> Iterator[str]:
        for tunnel in (t for t in self.account.tunnels if t.vpc == vpc):
            for block in self.region["sites"][tunnel.site]["ranges"]:
                if family(block) == 6:
                    yield f"route replace {block} via {RIGHT} dev {packets.site_interface(tunnel.site)}"

    def node_wire(self, card: Card) -> list[str]:
        """Shell lines that make a node's wire anew: a node switched on meets an untouched network stack."""
        namespace, router = self.node(card.node), self.vpc(card.vpc)
        subnet = self.account.subnet(card.subnet)
        length, gateway = ip_network(subnet.cidr).prefixlen, gateway_of(subnet.cidr)
        return [
            f"ip -n {router} link del {card.interface} 2>/dev/null",
            f"ip netns del {namespace} 2>/dev/null",
            f"ip netns add {namespace} || exit 1",
            f"ip link add {card.interface} netns {router} type veth peer name ens5 netns {namespace}",
            # Answering for the neighbours at once, not after a random moment (RFC 1027 has no such wait).
            f"nsenter --net=/run/netns/{router} sh -c"
            f" 'echo 0 > /proc/sys/net/ipv4/neigh/{card.interface}/proxy_delay'",
            f"ip -n {router} -batch - <<END || exit 1",
            f"addr replace {LEFT}/64 dev {card.interface} nodad",
            # The router asks for the node as its subnet's gateway, else as any of its addresses: a node with
            # arp_ignore=2 answers nobody from another subnet, and is gone until it says something itself.
            f"addr replace {gateway}/32 dev {card.interface}",
            f"link set {card.interface} up alias {card.node}",
            f"route replace {card.address}/32 dev {card.interface}",
            *([f"route replace {card.address6}/128 dev {card.interface}"] if card.address6 else []),
            "END",
            f"ip -n {namespace} -batch - <<END || exit 1",
            "link set lo up",
            f"link set ens5 address {mac(card.address)}",
            f"addr add {card.address}/{length} dev ens5",
            *([f"addr add {card.address6}/128 dev ens5 nodad"] if card.address6 else []),
            "link set ens5 up",
            f"route add default via {gateway}",
            *([f"route add default via {LEFT} dev ens5"] if card.address6 else []),
            "END",
        ]


def vpc_interface(vpc: str) -> str:
    """The far end of a link to a VPC's router, in a site or the internet."""
    return "v" + hashlib.sha256(vpc.encode()).hexdigest()[:10]


def gateway_of(cidr: str) -> IPv4Address:
    """A subnet's router, its first address (Amazon VPC User Guide, "Subnet CIDR blocks")."""
    return IPv4Network(cidr)[1]


def mac(address: str) -> str:
    """A locally administered hardware address that follows from the IPv4 address."""
    return "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def site_address(region: Mapping[str, Any], name: str, version: int) -> str | None:
    """The address that a person at a site sends from; None when the site has no range of this family."""
    return next((a for a in site_addresses(region, name) if family(a) == version), None)


def site_addresses(region: Mapping[str, Any], name: str) -> list[str]:
    """One address of a person's machine in each range of a site; never a service's address."""
    served = {str(address) for address in served_addresses(region, name)}
    found = []
    for block in map(ip_network, region["sites"][name]["ranges"]):
        first = next((str(host) for host in _hosts(block) if str(host) not in served), None)
        found += [first] if first else []
    return found


def _hosts(block: IPv4Network | IPv6Network) -> Iterator[object]:
    """A few usable addresses: from the fifth on, the first four are where routers and such stand."""
    start = 5 if block.num_addresses > 16 else 0
    for offset in range(start, min(start + 16, block.num_addresses)):
        yield block[offset]


def served_addresses(region: Mapping[str, Any], name: str) -> list[str]:
    """Addresses of the shared services that stand in a site's ranges."""
    services = region["services"]
    wanted = [services["package_proxy"]["address"], *(s["address"] for s in services["time_servers"])]
    wanted += [collector["address"]] if (collector := services.get("log_collector")) else []
    blocks = [ip_network(block) for block in region["sites"][name]["ranges"]]
    return [a for a in dict.fromkeys(wanted) if any(ip_address(a) in block for block in blocks)]


def _across(peering: Peering, vpc: str) -> str:
    hop = RIGHT if vpc == peering.left else LEFT
    return f"via inet6 {hop} dev {packets.peering_interface(peering.id)}"
