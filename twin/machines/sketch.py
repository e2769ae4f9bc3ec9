"""A region without an account: for a lone node in a test, and for work on the nodes alone.

The facts follow from the region's own firewall intent, through the same renderings that the program gives to
AWS; only network ACLs are left open, because they follow from the whole settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from network.intent import from_data, peerings, resolve, to_data
from network.plan import plan_vpc, zone_letter
from network.renderings import security_groups
from settings import Settings
from twin.machines.facts import (
    Account,
    AclEntry,
    Card,
    Group,
    Peering,
    Permission,
    Route,
    Subnet,
    Tunnel,
    family,
)

Region = Mapping[str, Any]


def region(settings: Settings, stack: str) -> dict[str, Any]:
    """A region contract (docs/contracts.md, 3) with planned addresses and made-up ids."""
    vpcs: dict[str, Any] = {}
    for name, vpc in settings.vpcs.items():
        subnets = {
            key: {"id": f"subnet-{name}-{key}", "cidr": str(p.cidr), "zone": p.zone, "tier": p.tier}
            for key, p in plan_vpc(vpc.cidr, settings.zones, list(map(str, vpc.tiers))).items()
        }
        vpcs[name] = {
            "id": f"vpc-{name}",
            "cidr": str(vpc.cidr),
            "subnets": subnets,
            "vpn_gateway": f"vgw-{name}",
        }
    data = settings.model_dump(mode="json", by_alias=True)
    return {
        "schema": "stockade/region/1",
        "stack": stack,
        "project": "stockade",
        "region": settings.region,
        "account": settings.account,
        "allowed_regions": data["residency"]["allowed_regions"],
        "jurisdiction": settings.residency.jurisdiction,
        "vpcs": vpcs,
        "nodes": list(_nodes(settings, vpcs)),
        "buckets": {},
        "keys": {},
        "roles": {},
        "vpn": {
            f"{site}/{vpc}": {"connection": f"vpn-{site}-{vpc}", "vpn_gateway": f"vgw-{vpc}"}
            for site, facts in settings.sites.items()
            for vpc in facts.vpcs
        },
        "intent": to_data(resolve(settings)),
        **{
            key: data[key]
            for key in ("sites", "services", "patching", "retention", "administrators", "automation", "image")
        },
    }


def _nodes(settings: Settings, vpcs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    taken: dict[str, int] = {}
    six = any(family(str(block)) == 6 for site in settings.sites.values() for block in site.ranges)
    for role, facts in settings.server_roles.items():
        for number in range(facts.count):
            zone = settings.zones[number % len(settings.zones)]
            subnet = f"{facts.tier}-{zone_letter(zone)}"
            offset = taken[subnet] = taken.get(subnet, 9) + 1
            address = ip_network(vpcs[facts.vpc]["subnets"][subnet]["cidr"])[offset]
            name = f"{role}-{zone_letter(zone)}-{number // len(settings.zones) + 1}"
            yield {
                "name": name,
                "role": role,
                "kind": str(settings.kind_of(role)),
                "profile": str(facts.profile),
                "vpc": facts.vpc,
                "tier": str(facts.tier),
                "zone": zone,
                "subnet": subnet,
                "instance_id": f"i-{name}",
                "address": str(address),
                "address6": f"fd00:5:{int(address) & 0xFFFF:x}::1" if six else None,
                "public_address": f"198.51.100.{100 + offset}" if str(facts.tier) == "public" else None,
                "security_group": f"sg-{role}",
            }


def account(region: Region) -> Account:
    """Account facts as the program would make them, from the region contract alone."""
    intent = from_data(region["intent"])
    groups = {f"sg-{role}": _group(f"sg-{role}", rules) for role, rules in security_groups(intent).items()}
    tunnels = tuple(Tunnel(*name.split("/", 1)) for name in region["vpn"])
    links = tuple(Peering(f"pcx-{left}-{right}", left, right) for left, right in peerings(intent))
    return Account(
        vpcs={name: tuple(_blocks(region, name)) for name in region["vpcs"]},
        gateways=frozenset(n for n, v in region["vpcs"].items() if "public" in _tiers(v)),
        subnets=tuple(_subnets(region, tunnels, links)),
        groups=groups,
        cards=tuple(_card(region, node) for node in region["nodes"]),
        peerings=links,
        tunnels=tunnels,
    )


def _blocks(region: Region, vpc: str) -> Iterator[str]:
    yield region["vpcs"][vpc]["cidr"]
    yield from (f"{n['address6']}/128" for n in region["nodes"] if n["vpc"] == vpc and n.get("address6"))


def _tiers(vpc: Mapping[str, Any]) -> set[str]:
    return {subnet["tier"] for subnet in vpc["subnets"].values()}


def _subnets(region: Region, tunnels: tuple[Tunnel, ...], links: tuple[Peering, ...]) -> Iterator[Subnet]:
    everything = tuple(
        AclEntry(100, egress, "-1", None, None, network, allow=True)
        for egress in (True, False)
        for network in ("0.0.0.0/0", "::/0")
    )
    for name, vpc in region["vpcs"].items():
        ways = [
            Route(block, "vpn")
            for t in tunnels
            if t.vpc == name
            for block in region["sites"][t.site]["ranges"]
            if family(block) == 4
        ]
        for link in (link for link in links if name in (link.left, link.right)):
            other = link.right if name == link.left else link.left
            ways.append(Route(region["vpcs"][other]["cidr"], "peering", link.id))
        for subnet in vpc["subnets"].values():
            internet = [Route("0.0.0.0/0", "internet")] if subnet["tier"] == "public" else []
            yield Subnet(subnet["id"], name, subnet["cidr"], (*ways, *internet), everything)


def _card(region: Region, node: Mapping[str, Any]) -> Card:
    return Card(
        node=node["name"],
        vpc=node["vpc"],
        subnet=region["vpcs"][node["vpc"]]["subnets"][node["subnet"]]["id"],
        address=node["address"],
        groups=(f"sg-{node['role']}",),
        public=node.get("public_address"),
        address6=node.get("address6"),
    )


def _group(ident: str, rules: list[Any]) -> Group:
    sides: dict[str, list[Permission]] = {"ingress": [], "egress": []}
    for rule in rules:
        by_role = rule.peer_kind == "role"
        if by_role or rule.peer_kind.startswith("cidr"):
            networks, groups = ((), (f"sg-{rule.peer}",)) if by_role else ((rule.peer,), ())
            sides[rule.direction].append(Permission(rule.protocol, rule.port, rule.port, networks, groups))
    return Group(ident, tuple(sides["ingress"]), tuple(sides["egress"]))


def placed(region: Region) -> Account:
    """Only where the nodes are, for tools that look at nodes that are up: no rules, no routes."""
    subnets = {
        (name, key): Subnet(subnet["id"], name, subnet["cidr"], (), ())
        for name, vpc in region["vpcs"].items()
        for key, subnet in vpc["subnets"].items()
    }
    return Account(
        vpcs={name: tuple(_blocks(region, name)) for name in region["vpcs"]},
        subnets=tuple(subnets.values()),
        cards=tuple(_card(region, node) for node in region["nodes"]),
    )
