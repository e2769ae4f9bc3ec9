"""Security groups, network ACLs, node rules and the matrix are renderings of one intent: they must agree."""

from __future__ import annotations

import functools
import ipaddress
from ipaddress import IPv4Network, ip_address

import hypothesis
import pytest
from hypothesis import given

import settings
from fault import Fault
from network import network_acls as acl_module
from network.intent import resolve
from network.network_acls import MOST_ENTRIES
from network.renderings import (
    endpoint_security_groups,
    network_acls,
    node_rules,
    reachability,
    security_groups,
)
from tests.unit.intent_sample import regions
from tests.unit.settings_sample import put, raw

# The judges ask the same few ranges thousands of times.
ip_network = functools.cache(ipaddress.ip_network)

# Client ports at the edges of what systems use: the lowest, Linux's first, Windows's first, the last.
CLIENT_PORTS = (1024, 32768, 49152, 65535)
SOMEWHERE = (ip_address("198.18.5.5"), ip_address("2001:db8:ffff::1"))


# --- judges, written apart from the code under test: each answers for one packet ---


def is_peer(rule, address, role):
    if rule.peer_kind == "role":
        return rule.peer == role
    return rule.peer_kind != "aws_endpoints" and address in ip_network(rule.peer)


def group_admits(rules, what, address, role=None):
    """`what` is (direction, protocol, port)."""
    return any((r.direction, r.protocol, r.port) == what and is_peer(r, address, role) for r in rules)


def acl_admits(entries, direction, protocol, port, address):
    return any(
        e.direction == direction
        and e.protocol_number == {"tcp": "6", "udp": "17"}[protocol]
        and e.from_port <= port <= e.to_port
        and address in e.cidr
        for e in entries
    )


def node_admits(rules, protocol, port, address):
    family = f"networks{address.version}"
    return any(
        (r["protocol"], r["port"]) == (protocol, port) and any(address in ip_network(n) for n in r[family])
        for r in rules
    )


class Region:
    """Everything rendered from one region's settings, and packets through it."""

    def __init__(self, loaded):
        self.settings = loaded
        self.intent = resolve(loaded)
        self.groups = security_groups(self.intent)
        self.acls = network_acls(self.intent, loaded)
        self.nodes = {name: node_rules(self.intent, name) for name in loaded.server_roles}
        self.places = {name: (r.vpc, str(r.tier)) for name, r in loaded.server_roles.items()}
        self.endpoints = {f"{e.kind}/{e.name}": e for e in self.intent.endpoints}
        self.matrix = reachability(self.intent, [{"role": name} for name in loaded.server_roles])

    def addresses(self, endpoint):
        if endpoint.kind == "internet":
            return list(SOMEWHERE)
        # The edges are where a wrong block shows; the middle subnets of a role add nothing but time.
        networks = (
            {endpoint.networks[0], endpoint.networks[-1]} if endpoint.kind == "role" else endpoint.networks
        )
        return [address for n in networks for address in (n[0], n[-1])]

    def groups_admit(self, reach, source, here, there):
        inside = source.name if source.kind == "role" else None
        arrives = group_admits(
            self.groups[reach.target_role], ("ingress", reach.protocol, reach.port), here, inside
        )
        leaves = inside is None or group_admits(
            self.groups[inside], ("egress", reach.protocol, reach.port), there, reach.target_role
        )
        return arrives and leaves

    def nodes_admit(self, reach, source, here, there):
        arrives = node_admits(self.nodes[reach.target_role]["inbound"], reach.protocol, reach.port, here)
        leaves = source.kind != "role" or node_admits(
            self.nodes[source.name]["outbound"], reach.protocol, reach.port, there
        )
        return arrives and leaves

    def acls_admit(self, reach, source, here, there):
        """Request and answer, at the target's subnet and at the source's if that is ours."""
        target = self.acls[self.places[reach.target_role]]
        good = acl_admits(target, "ingress", reach.protocol, reach.port, here)
        good &= all(acl_admits(target, "egress", reach.protocol, p, here) for p in CLIENT_PORTS)
        if source.kind == "role":
            own = self.acls[self.places[source.name]]
            good &= acl_admits(own, "egress", reach.protocol, reach.port, there)
            good &= all(acl_admits(own, "ingress", reach.protocol, p, there) for p in CLIENT_PORTS)
        return good

    def packets(self, reach):
        source = self.endpoints[reach.source]
        target = self.endpoints[f"role/{reach.target_role}"]
        for here in self.addresses(source):
            for there in self.addresses(target):
                yield source, here, there


@hypothesis.settings(deadline=None, max_examples=60)
@given(loaded=regions())
def test_the_renderings_agree_on_every_source_role_and_port(loaded):
    region = Region(loaded)
    assert any(r.allowed for r in region.matrix) and not all(r.allowed for r in region.matrix)
    for reach in region.matrix:
        for source, here, there in region.packets(reach):
            if reach.allowed:
                assert region.groups_admit(reach, source, here, there), reach
                assert region.acls_admit(reach, source, here, there), reach
                assert region.nodes_admit(reach, source, here, there), reach
            elif source.kind != "site" or loaded.server_roles[reach.target_role].vpc in source.vpcs:
                assert not region.groups_admit(reach, source, here, there), reach
                assert not region.nodes_admit(reach, source, here, there), reach


@hypothesis.settings(deadline=None, max_examples=40)
@given(loaded=regions())
def test_every_flow_out_of_the_region_is_admitted_on_its_way_and_back(loaded):
    region = Region(loaded)
    outside = [
        f for f in region.intent.flows if f.source.kind == "role" and f.target.kind in ("service", "site")
    ]
    assert outside
    for flow in outside:
        acl = region.acls[region.places[flow.source.name]]
        for there in region.addresses(flow.target):
            what = ("egress", flow.protocol, flow.port)
            assert group_admits(region.groups[flow.source.name], what, there), flow
            assert node_admits(region.nodes[flow.source.name]["outbound"], flow.protocol, flow.port, there), (
                flow
            )
            assert acl_admits(acl, "egress", flow.protocol, flow.port, there), flow
            assert all(acl_admits(acl, "ingress", flow.protocol, p, there) for p in CLIENT_PORTS), flow


@hypothesis.settings(deadline=None, max_examples=40)
@given(loaded=regions())
def test_endpoints_admit_exactly_the_roles_that_may_use_them(loaded):
    region = Region(loaded)
    groups = endpoint_security_groups(region.intent)
    wanted = {
        (f.target.name, f.source.name, f.protocol, f.port)
        for f in region.intent.flows
        if f.target.kind == "aws_endpoints"
    }
    got = {(vpc, r.peer, r.protocol, r.port) for vpc, rules in groups.items() for r in rules}
    assert got == wanted
    for vpc, role, protocol, port in wanted:
        assert vpc == loaded.server_roles[role].vpc
        egress = {
            (r.peer_kind, r.peer) for r in region.groups[role] if (r.protocol, r.port) == (protocol, port)
        }
        assert ("aws_endpoints", vpc) in egress


@hypothesis.settings(deadline=None, max_examples=40)
@given(loaded=regions())
def test_numbers_and_names_are_unique_and_legal(loaded):
    region = Region(loaded)
    for rules in region.groups.values():
        assert len({r.key for r in rules}) == len(rules)
    for entries in region.acls.values():
        assert len({(e.direction, e.number) for e in entries}) == len(entries)
        assert len({e.key for e in entries}) == len(entries)
        assert all(1 <= e.number <= 32766 for e in entries)


def test_two_entries_that_fall_on_one_number_get_two(monkeypatch):
    monkeypatch.setattr(acl_module, "_NUMBERS", 20)
    loaded = settings.parse(raw())
    for entries in network_acls(resolve(loaded), loaded).values():
        assert len({(e.direction, e.number) for e in entries}) == len(entries)
        assert all(1 <= e.number <= 20 for e in entries)


def test_what_the_vpc_itself_offers_is_filtered_on_nodes_only():
    region = Region(settings.parse(raw()))
    for rules in region.groups.values():
        assert not {r.port for r in rules} & {53, 67, 80}
    for entries in region.acls.values():
        assert not {e.from_port for e in entries} & {53, 67, 80}
    resolver, elsewhere = ip_address("10.20.0.2"), ip_address("10.20.0.3")
    outbound = region.nodes["app"]["outbound"]
    for protocol in ("udp", "tcp"):
        assert node_admits(outbound, protocol, 53, resolver)
        assert not node_admits(outbound, protocol, 53, elsewhere)


def test_groups_reference_each_other_inside_and_ranges_outside():
    groups = security_groups(resolve(settings.parse(raw())))
    archive = {(r.direction, r.port, r.peer_kind, r.peer) for r in groups["archive"]}
    assert ("ingress", 9443, "role", "app") in archive
    assert ("ingress", 22, "cidr4", "172.30.10.0/24") in archive
    assert ("egress", 443, "aws_endpoints", "platform") in archive
    inside = [IPv4Network("10.20.0.0/16"), IPv4Network("10.21.0.0/16")]
    for rules in groups.values():
        for rule in rules:
            assert rule.why
            if rule.peer_kind == "cidr4" and rule.peer != "0.0.0.0/0":
                assert not any(IPv4Network(rule.peer).overlaps(block) for block in inside)


def test_only_the_public_role_is_open_to_the_world_and_on_its_port_only():
    groups = security_groups(resolve(settings.parse(raw())))
    world = {
        (name, r.direction, r.port)
        for name, rules in groups.items()
        for r in rules
        if r.peer in ("0.0.0.0/0", "::/0")
    }
    assert world == {("edge", "ingress", 443)}


def test_an_isolated_tier_has_no_way_to_everywhere():
    loaded = settings.parse(raw())
    for entry in network_acls(resolve(loaded), loaded)[("platform", "isolated")]:
        assert entry.cidr.prefixlen > 0


def test_a_tier_without_roles_is_closed():
    loaded = settings.parse(raw())
    acls = network_acls(resolve(loaded), loaded)
    assert acls[("platform", "public")] == acls[("platform", "private")] == []


def test_a_new_zone_changes_no_network_acl_and_a_new_customer_only_adds():
    before_settings = settings.parse(raw())
    before = network_acls(resolve(before_settings), before_settings)
    zoned = settings.parse(put(raw(), "zones.3", "ap-south-1d"))
    assert network_acls(resolve(zoned), zoned) == before
    data = put(put(raw(), "firewall.0", ...), "firewall.0.limit", ...)
    base = settings.parse(data)
    fewer = network_acls(resolve(base), base)[("customer", "public")]
    data["sites"]["new"] = data["sites"]["acme-bank"] | {
        "gateway": "198.51.100.99",
        "ranges": ["192.168.200.0/24"],
    }
    grown = settings.parse(data)
    more = network_acls(resolve(grown), grown)[("customer", "public")]
    assert set(fewer) < set(more) and len(more) == len(fewer) + 2


def test_a_customers_own_limit_comes_before_the_internets():
    inbound = node_rules(resolve(settings.parse(raw())), "edge")["inbound"]
    limits = [(r["networks4"], r["limit"]["connections"]) for r in inbound if r["port"] == 443]
    assert limits[-1] == (["0.0.0.0/0"], 50)
    assert (["192.168.64.0/24"], 200) in limits[:-1]


def test_node_rules_have_the_shape_of_the_contract():
    for rules in node_rules(resolve(settings.parse(raw())), "edge").values():
        for rule in rules:
            assert list(rule) == ["protocol", "port", "networks4", "networks6", "limit", "why"]
            assert rule["networks4"] or rule["networks6"]


def test_rules_of_an_unknown_role_are_a_fault():
    with pytest.raises(Fault, match="role 'database'"):
        node_rules(resolve(settings.parse(raw())), "database")


# --- the matrix ---


def allowed(matrix):
    return {(r.source, r.target_role, r.port) for r in matrix if r.allowed}


def test_the_matrix_of_mumbai():
    intent = resolve(settings.parse(raw()))
    matrix = reachability(intent, [{"role": "edge"}, {"role": "edge"}, {"role": "app"}, {"role": "archive"}])
    sites = ("site/noc-mumbai", "site/sc-pune", "site/acme-bank", "site/surya-insurance")
    assert len(matrix) == (3 + len(sites) + 1) * 3 * 4
    admin = {(s, r, 22) for s in sites[:2] for r in ("edge", "app", "archive")}
    web = {(s, "edge", 443) for s in (*sites, "internet/internet")}
    assert allowed(matrix) == admin | web | {("role/edge", "app", 8443), ("role/app", "archive", 9443)}
    reasons = {(r.source, r.target_role, r.port): r.why for r in matrix}
    assert reasons["site/acme-bank", "edge", 443] == "customers upload through their tunnel"
    assert reasons["internet/internet", "archive", 22] == "no rule of the intent allows it"


def test_a_site_without_a_tunnel_reaches_nothing_even_if_the_internet_does():
    data = raw()
    data["vpcs"]["platform"]["tiers"] = ["public", "private", "isolated"]
    data["server_roles"]["portal"] = data["server_roles"]["edge"] | {"vpc": "platform"}
    data["firewall"][0]["to"].append("portal")
    data["firewall"][4]["to"].append("portal")
    for index in (5, 6):
        data["firewall"][index]["from"].append("portal")
    matrix = reachability(resolve(settings.parse(data)), [{"role": "portal"}])
    found = {r.source: (r.allowed, r.why) for r in matrix if r.port == 443}
    assert found["internet/internet"][0] and found["site/noc-mumbai"][0]
    assert found["site/acme-bank"] == (False, "acme-bank has no tunnel to platform")


def test_roles_without_nodes_are_neither_source_nor_target():
    matrix = reachability(resolve(settings.parse(raw())), [{"role": "app"}])
    assert {r.target_role for r in matrix} == {"app"}
    assert {r.source for r in matrix if r.source.startswith("role/")} == {"role/app"}


@pytest.mark.parametrize("nodes", [[], [{"role": "database"}]])
def test_a_matrix_of_nothing_or_of_strangers_is_a_fault(nodes):
    with pytest.raises(Fault, match="reachability is stated for nodes"):
        reachability(resolve(settings.parse(raw())), nodes)


# --- quotas ---


def _with_noc_ranges(number):
    data = put(raw(), "sites.noc-mumbai.ranges", [f"172.20.{n}.0/25" for n in range(number)])
    data["services"]["time_servers"] = data["services"]["time_servers"][:1]
    return settings.parse(data)


def test_a_security_group_over_quota_says_how_to_split():
    # 57 NOC ranges, one service centre, and the internet and two customers on 443: 61 rules for IPv4
    with pytest.raises(
        Fault, match=r"role edge: 61 ingress rules for IPv4; AWS takes 60 .*; merge neighbouring"
    ):
        security_groups(resolve(_with_noc_ranges(57)))
    assert security_groups(resolve(_with_noc_ranges(56)))


def test_a_network_acl_over_quota_says_how_to_split():
    fits = _with_noc_ranges(10)
    entries = network_acls(resolve(fits), fits)[("customer", "private")]
    for direction in ("ingress", "egress"):
        assert sum(e.direction == direction for e in entries) <= MOST_ENTRIES
    over = _with_noc_ranges(15)
    with pytest.raises(Fault, match=r"AWS takes 20 .*; merge neighbouring"):
        network_acls(resolve(over), over)
