"""Renderings of the firewall intent, by example; that they agree is proven in test_renderings_agree.py."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address

import pytest

import settings
from fault import Fault
from network import network_acls as acl_module
from network.intent import resolve
from network.renderings import (
    load_balancer_security_groups,
    network_acls,
    node_rules,
    reachability,
    security_groups,
)
from tests.unit.rendering_judges import Region, node_admits
from tests.unit.settings_sample import STACKS, opened, put, raw


def test_two_entries_that_fall_on_one_number_get_two(monkeypatch):
    monkeypatch.setattr(acl_module, "_NUMBERS", 20)
    loaded = settings.parse(raw())
    for entries in network_acls(resolve(loaded), loaded).values():
        assert len({(e.direction, e.number) for e in entries}) == len(entries)
        assert all(1 <= e.number <= 20 for e in entries)


def test_what_the_vpc_itself_offers_is_filtered_on_nodes_only():
    region = Region(settings.parse(raw()))
    for (kind, _), rules in region.groups.items():
        assert not {r.port for r in rules} & {53, 67, *([80] if kind == "role" else [])}
    for entries in region.acls.values():
        assert not {e.from_port for e in entries} & {53, 67}
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


def open_to_the_world(stated):
    return {
        (name, r.direction, r.port)
        for name, rules in security_groups(resolve(settings.parse(stated))).items()
        for r in rules
        if r.peer in ("0.0.0.0/0", "::/0")
    }


@pytest.mark.parametrize("stack", STACKS)
def test_no_server_is_open_to_the_world_but_under_an_exception(stack):
    assert open_to_the_world(raw(stack)) == set()
    assert open_to_the_world(opened(stack)) == {("edge", "ingress", 443)}


def test_a_group_names_the_bound_sources_and_a_node_knows_them_too():
    intent = resolve(settings.parse(raw()))
    group = {r.peer for r in security_groups(intent)["edge"] if (r.direction, r.port) == ("ingress", 443)}
    sites = {"192.168.64.0/24", "192.168.72.0/22"}
    assert group == sites | {"198.51.100.10/32", "198.51.100.20/32"}
    inbound = [r for r in node_rules(intent, "edge")["inbound"] if r["port"] == 443]
    assert {n for r in inbound for n in r["networks4"]} == group
    assert all(r["limit"] for r in inbound)  # the throttle of row M24 stands behind each of them


def test_a_load_balancers_group_opens_its_listeners_and_names_its_targets_group():
    intent = resolve(settings.parse(raw()))
    front = {
        (r.direction, r.port, r.peer_kind, r.peer) for r in load_balancer_security_groups(intent)["front"]
    }
    world = {
        ("ingress", port, f"cidr{v}", block)
        for port in (443, 80)
        for v, block in ((4, "0.0.0.0/0"), (6, "::/0"))
    }
    assert front == world | {("egress", 8443, "role", "app")}
    app = {(r.direction, r.port, r.peer_kind, r.peer) for r in security_groups(intent)["app"]}
    assert ("ingress", 8443, "load_balancer", "front") in app


def test_nodes_know_a_load_balancer_by_the_subnets_it_stands_in():
    inbound = node_rules(resolve(settings.parse(raw())), "app")["inbound"]
    (onward,) = [r for r in inbound if r["why"].startswith("what the load balancer admits")]
    assert (onward["protocol"], onward["port"]) == ("tcp", 8443)
    assert onward["networks4"] == ["10.20.0.0/21", "10.20.8.0/21", "10.20.16.0/21"]


def test_an_isolated_tier_has_no_way_to_everywhere():
    loaded = settings.parse(raw())
    for entry in network_acls(resolve(loaded), loaded)[("platform", "isolated")]:
        assert entry.cidr.prefixlen > 0  # type: ignore[union-attr]  # a VPC without IPv6 has plain ranges only


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
    data["load_balancers"] = {}
    data["firewall"] = [r for r in data["firewall"] if "front" not in (*r["from"], *r["to"])]
    base = settings.parse(data)
    fewer = network_acls(resolve(base), base)[("customer", "public")]
    data["sites"]["new"] = data["sites"]["acme-bank"] | {
        "gateway": "198.51.100.99",
        "asn": 65099,
        "ranges": ["192.168.200.0/24"],
    }
    grown = settings.parse(data)
    more = network_acls(resolve(grown), grown)[("customer", "public")]
    assert set(fewer) < set(more) and len(more) == len(fewer) + 2


def test_a_customers_own_limit_comes_before_the_internets():
    inbound = node_rules(resolve(settings.parse(opened())), "edge")["inbound"]
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
    return {(r.source, r.target, r.port) for r in matrix if r.allowed}


def test_the_matrix_of_mumbai():
    intent = resolve(settings.parse(raw()))
    matrix = reachability(intent, [{"role": "edge"}, {"role": "edge"}, {"role": "app"}, {"role": "archive"}])
    sites = ("site/noc-mumbai", "site/sc-pune", "site/acme-bank", "site/surya-insurance")
    bound = ("source/acme-bank", "source/surya-insurance")
    assert len(matrix) == (3 + 1 + len(sites) + len(bound) + 1) * (3 + 1) * 5
    admin = {(s, f"role/{r}", 22) for s in sites[:2] for r in ("edge", "app", "archive")}
    web = {(s, "role/edge", 443) for s in (*sites[2:], *bound)}
    web |= {(s, "load_balancer/front", p) for s in (*sites, *bound, "internet/internet") for p in (80, 443)}
    inner = {("role/edge", "role/app", 8443), ("role/app", "role/archive", 9443)}
    assert allowed(matrix) == admin | web | inner | {("load_balancer/front", "role/app", 8443)}
    reasons = {(r.source, r.target, r.port): r.why for r in matrix}
    assert reasons["site/acme-bank", "role/edge", 443] == "customers upload through their tunnel"
    assert (
        reasons["source/acme-bank", "role/edge", 443] == "customers upload over TLS from their bound sources"
    )
    assert reasons["internet/internet", "role/edge", 443] == "no rule of the intent allows it"
    assert reasons["internet/internet", "role/archive", 22] == "no rule of the intent allows it"
    assert reasons["load_balancer/front", "role/edge", 443] == "no rule of the intent allows it"


def test_a_site_without_a_tunnel_reaches_nothing_even_if_the_internet_does():
    data = opened()
    data["vpcs"]["platform"]["tiers"] = ["public", "private", "isolated"]
    data["server_roles"]["portal"] = data["server_roles"]["edge"] | {"vpc": "platform"}
    data["firewall"][0]["to"].append("portal")
    data["firewall"][4]["to"].append("portal")
    for index in (5, 6, -1):
        data["firewall"][index]["from"].append("portal")
    matrix = reachability(resolve(settings.parse(data)), [{"role": "portal"}])
    found = {r.source: (r.allowed, r.why) for r in matrix if r.port == 443 and r.target_role}
    assert found["internet/internet"][0] and found["site/noc-mumbai"][0]
    assert found["site/acme-bank"] == (False, "acme-bank has no tunnel to platform")


def test_roles_without_nodes_are_neither_source_nor_target():
    matrix = reachability(resolve(settings.parse(raw())), [{"role": "app"}])
    assert {r.target for r in matrix} == {"role/app", "load_balancer/front"}
    assert {r.source for r in matrix if r.source.startswith("role/")} == {"role/app"}


@pytest.mark.parametrize("nodes", [[], [{"role": "database"}]])
def test_a_matrix_of_nothing_or_of_strangers_is_a_fault(nodes):
    with pytest.raises(Fault, match="reachability is stated for nodes"):
        reachability(resolve(settings.parse(raw())), nodes)
