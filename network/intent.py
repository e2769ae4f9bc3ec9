"""The firewall intent, resolved: who may reach whom, with addresses. All filters are rendered from this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Literal

from network.plan import plan_vpc
from settings import FirewallRule, Settings, SiteKind, Tier
from settings.model import innermost

Network = IPv4Network | IPv6Network
Kind = Literal["role", "load_balancer", "site", "internet", "source", "service", "aws_endpoints", "platform"]

# What stands in a subnet of ours behind a security group of its own.
GUARDED: tuple[Kind, ...] = ("role", "load_balancer")

# What calls from the internet: everybody, or the addresses that a customer is bound to.
FACING: tuple[Kind, ...] = ("internet", "source")

EVERYWHERE: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))

# Instance metadata (IMDS). Amazon EC2 User Guide, "Instance metadata and user data".
_METADATA: tuple[Network, ...] = (ip_network("169.254.169.254/32"), ip_network("fd00:ec2::254/128"))


@dataclass(frozen=True)
class Endpoint:
    """One side of a flow.

    `kind` platform is what every VPC offers by itself at a fixed address (resolver, DHCP, metadata): AWS
    filters it by neither security groups nor network ACLs (Amazon VPC User Guide, "Network ACL basics"), so
    it shows on nodes only. `vpc` and `tier` say where a role, a load balancer or the AWS endpoints stand; a
    site has tunnels to `vpcs`. `source` is what one customer's data may come from, on the internet.
    """

    kind: Kind
    name: str
    networks: tuple[Network, ...]
    vpc: str | None = None
    tier: str | None = None
    vpcs: tuple[str, ...] = ()
    site_kind: str | None = None


@dataclass(frozen=True)
class Throttle:
    """Per source address: concurrent connections, and new connections per second."""

    connections: int
    rate: int


@dataclass(frozen=True)
class Flow:
    """One source may reach one target on one port, for a reason. Everything that is no flow is refused."""

    source: Endpoint
    target: Endpoint
    protocol: Literal["tcp", "udp"]
    port: int
    why: str
    limit: Throttle | None = None


@dataclass(frozen=True)
class Intent:
    """All flows, and all endpoints there are (a site that no flow names is still to be refused)."""

    flows: tuple[Flow, ...]
    endpoints: tuple[Endpoint, ...]

    def roles(self) -> tuple[Endpoint, ...]:
        """The server roles, in the order of the settings."""
        return tuple(e for e in self.endpoints if e.kind == "role")

    def load_balancers(self) -> tuple[Endpoint, ...]:
        """The load balancers, in the order of the settings."""
        return tuple(e for e in self.endpoints if e.kind == "load_balancer")

    def sources(self) -> tuple[Endpoint, ...]:
        """Everything a connection may come from: roles, load balancers, sites, bound sources, the
        internet.
        """
        return tuple(e for e in self.endpoints if e.kind in (*GUARDED, *FACING, "site"))


def endpoint_tier(tiers: Iterable[str]) -> str:
    """The tier whose subnets hold a VPC's interface endpoints: the innermost there is."""
    return innermost(tiers).value


def resolve(settings: Settings) -> Intent:
    """Every rule of the settings as flows of one source and one target each, with addresses."""
    book = _Book(settings)
    flows: list[Flow] = []
    for rule in settings.firewall:
        for word in rule.from_:
            for target in rule.to:
                flows += book.flows(rule, word, target)
    for name in settings.server_roles:
        flows += book.platform_flows(name)
    return Intent(tuple(flows), tuple(book.sources()))


class _Book:
    """Looks words of the settings up to endpoints."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.roles = {name: self._role(name) for name in settings.server_roles}
        self.load_balancers = {name: self._load_balancer(name) for name in settings.load_balancers}
        self.sites = {
            name: Endpoint("site", name, site.ranges, vpcs=site.vpcs, site_kind=str(site.kind))
            for name, site in settings.sites.items()
        }
        # Those that have ended are no settings (settings/rules_edge.py), so all of them count.
        self.bound = [
            Endpoint("source", name, tuple(source.cidr for source in customer.sources.values()))
            for name, customer in settings.customers.items()
            if customer.sources
        ]
        self.internet = Endpoint("internet", "internet", EVERYWHERE)

    def sources(self) -> Iterator[Endpoint]:
        yield from self.roles.values()
        yield from self.load_balancers.values()
        yield from self.sites.values()
        yield from self.bound
        yield self.internet

    def flows(self, rule: FirewallRule, source: str, target: str) -> Iterator[Flow]:
        """A kind of site stands for its sites that have a tunnel to the VPC of what is on the other side."""
        limit = Throttle(rule.limit.connections, rule.limit.rate) if rule.limit else None
        for here in self._endpoints(source, self._ours(target)):
            for there in self._targets(target, self._ours(source)):
                yield Flow(here, there, rule.protocol.value, rule.port, rule.why, limit)

    def platform_flows(self, role: str) -> Iterator[Flow]:
        """What a node needs of its VPC itself: names, its address lease, its credentials."""
        here = self.roles[role]
        base = self.settings.vpcs[self.settings.server_roles[role].vpc].cidr.network_address
        # VPC base + 2 is the resolver (Amazon VPC User Guide, "DNS attributes for your VPC").
        resolver = Endpoint("platform", "dns_resolver", (IPv4Network(base + 2),), vpc=here.vpc)
        yield Flow(here, resolver, "udp", 53, "names, from the VPC's resolver")
        yield Flow(here, resolver, "tcp", 53, "names that do not fit into a datagram")
        routers: tuple[Network, ...] = tuple(IPv4Network(n.network_address + 1) for n in here.networks)
        dhcp = Endpoint("platform", "dhcp", routers, vpc=here.vpc)
        yield Flow(here, dhcp, "udp", 67, "renewal of the address lease")
        metadata = Endpoint("platform", "instance_metadata", _METADATA, vpc=here.vpc)
        yield Flow(here, metadata, "tcp", 80, "credentials of the instance role")

    def _targets(self, word: str, source: Endpoint | None) -> list[Endpoint]:
        if word == "internet" and source and source.vpc:
            return [self._internet_of(source.vpc)]
        return self._endpoints(word, source)

    def _internet_of(self, vpc: str) -> Endpoint:
        """The internet as a VPC's nodes can call it: by IPv6 from a dual-stack VPC only."""
        families = (4, 6) if self.settings.vpcs[vpc].ipv6 else (4,)
        networks = tuple(network for network in EVERYWHERE if network.version in families)
        return Endpoint("internet", "internet", networks)

    def _ours(self, word: str) -> Endpoint | None:
        return self.roles.get(word) or self.load_balancers.get(word)

    def _endpoints(self, word: str, other: Endpoint | None) -> list[Endpoint]:
        if ours := self._ours(word):
            return [ours]
        if word in tuple(SiteKind):
            return [
                self.sites[name]
                for name, site in self.settings.sites.items()
                if site.kind == word and (other is None or other.vpc in site.vpcs)
            ]
        if word == "internet":
            return [self.internet]
        if word == "bound_sources":
            return self.bound
        if word == "aws_endpoints":
            return [self._aws_endpoints(other.vpc)] if other and other.vpc else []
        return self._services(word)

    def _services(self, word: str) -> list[Endpoint]:
        services = self.settings.services
        if word == "package_proxy":
            return [Endpoint("service", word, (IPv4Network(services.package_proxy.address),))]
        if word == "log_collector":
            collectors = [services.log_collector] if services.log_collector else []
            return [Endpoint("service", word, (IPv4Network(one.address),)) for one in collectors]
        return [Endpoint("service", word, tuple(IPv4Network(s.address) for s in services.time_servers))]

    def _role(self, name: str) -> Endpoint:
        role = self.settings.server_roles[name]
        return Endpoint(
            "role", name, self._subnets(role.vpc, str(role.tier)), vpc=role.vpc, tier=str(role.tier)
        )

    def _load_balancer(self, name: str) -> Endpoint:
        vpc, tier = self.settings.load_balancers[name].vpc, Tier.PUBLIC.value
        return Endpoint("load_balancer", name, self._subnets(vpc, tier), vpc=vpc, tier=tier)

    def _aws_endpoints(self, vpc: str) -> Endpoint:
        tier = endpoint_tier(self.settings.vpcs[vpc].tiers)
        return Endpoint("aws_endpoints", vpc, self._subnets(vpc, tier), vpc=vpc, tier=tier)

    def _subnets(self, vpc: str, tier: str) -> tuple[Network, ...]:
        planned = plan_vpc(self.settings.vpcs[vpc].cidr, self.settings.zones, [tier])
        return tuple(subnet.cidr for subnet in planned.values())


def peerings(intent: Intent) -> tuple[tuple[str, str], ...]:
    """Pairs of VPCs (sorted, each once) that a flow between two roles crosses: these need a peering."""
    pairs = {
        (min(f.source.vpc, f.target.vpc), max(f.source.vpc, f.target.vpc))
        for f in intent.flows
        if f.source.vpc and f.target.vpc and f.target.kind == "role" and f.source.vpc != f.target.vpc
    }
    return tuple(sorted(pairs))


def egress_vpcs(intent: Intent) -> frozenset[str]:
    """VPCs from which some role may call the internet: these need a way out, and no other has one."""
    return frozenset(f.source.vpc for f in intent.flows if f.target.kind == "internet" and f.source.vpc)


def inside(inner: Network, outer: Network) -> bool:
    """Whether `outer` contains all of `inner`; never across address families."""
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False


Networks6 = Mapping[str, Mapping[str, Sequence[Any]]]


def to_data(intent: Intent, networks6: Networks6 | None = None) -> dict[str, Any]:
    """Plain data for region.json; `from_data` reads it back.

    `networks6`: per VPC and tier the IPv6 blocks of its subnets, which only AWS knows. What stands there has
    them from here on, so that whoever reads the contract (nodes' firewalls, tests) sees both families.
    """
    known = networks6 or {}
    return {
        "flows": [_flow_data(flow, known) for flow in intent.flows],
        "endpoints": [_endpoint_data(endpoint, known) for endpoint in intent.endpoints],
    }


def from_data(data: Mapping[str, Any]) -> Intent:
    """The intent that `to_data` wrote. Raises KeyError or ValueError on anything else.

    What is None may be missing: Pulumi drops such keys from a stack's outputs.
    """
    flows = tuple(
        Flow(
            _endpoint(flow["source"]),
            _endpoint(flow["target"]),
            flow["protocol"],
            flow["port"],
            flow["why"],
            Throttle(**flow["limit"]) if flow.get("limit") else None,
        )
        for flow in data["flows"]
    )
    return Intent(flows, tuple(_endpoint(endpoint) for endpoint in data["endpoints"]))


def _flow_data(flow: Flow, networks6: Networks6) -> dict[str, Any]:
    limit = {"connections": flow.limit.connections, "rate": flow.limit.rate} if flow.limit else None
    return {
        "source": _endpoint_data(flow.source, networks6),
        "target": _endpoint_data(flow.target, networks6),
        "protocol": flow.protocol,
        "port": flow.port,
        "why": flow.why,
        "limit": limit,
    }


def _endpoint_data(endpoint: Endpoint, networks6: Networks6) -> dict[str, Any]:
    ours = endpoint.kind in GUARDED and endpoint.vpc and endpoint.tier
    six = networks6.get(endpoint.vpc or "", {}).get(endpoint.tier or "", ()) if ours else ()
    return {
        "kind": endpoint.kind,
        "name": endpoint.name,
        "networks": [*(str(network) for network in endpoint.networks), *six],
        "vpc": endpoint.vpc,
        "tier": endpoint.tier,
        "vpcs": list(endpoint.vpcs),
        "site_kind": endpoint.site_kind,
    }


def _endpoint(data: Mapping[str, Any]) -> Endpoint:
    return Endpoint(
        data["kind"],
        data["name"],
        tuple(ip_network(network) for network in data["networks"]),
        data.get("vpc"),
        data.get("tier"),
        tuple(data["vpcs"]),
        data.get("site_kind"),
    )
