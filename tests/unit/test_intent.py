"""Resolving the firewall intent: words become flows of one source and one target, with addresses."""

from __future__ import annotations

import json
from ipaddress import ip_network

import hypothesis
import pytest
from hypothesis import given

import settings
from network import intent as intents
from network.intent import EVERYWHERE, from_data, resolve, to_data
from tests.unit.intent_sample import regions
from tests.unit.settings_sample import put, raw


@pytest.fixture(scope="module")
def mumbai():
    return resolve(settings.parse(raw()))


def flows(intent, **wanted):
    return [f for f in intent.flows if all(getattr(f, k) == v for k, v in wanted.items())]


def test_a_rule_becomes_a_flow_per_source_and_target(mumbai):
    pairs = [(f.source.name, f.target.name) for f in flows(mumbai, port=22)]
    sites = ("noc-mumbai", "sc-pune")
    assert sorted(pairs) == sorted((s, r) for s in sites for r in ("edge", "app", "archive"))


def test_a_kind_of_site_stands_for_sites_with_a_tunnel_to_the_role():
    data = put(raw(), "sites.sc-chennai", raw()["sites"]["sc-pune"])
    data["sites"]["sc-chennai"] |= {
        "gateway": "203.0.113.77",
        "asn": 65077,
        "ranges": ["172.30.77.0/24"],
        "vpcs": ["platform"],
    }
    found = flows(resolve(settings.parse(data)), port=22)
    assert {f.target.name for f in found if f.source.name == "sc-chennai"} == {"archive"}


def test_a_role_has_the_networks_of_its_subnets(mumbai):
    app = next(role for role in mumbai.roles() if role.name == "app")
    assert (app.vpc, app.tier) == ("customer", "private")
    assert [str(n) for n in app.networks] == ["10.20.64.0/21", "10.20.72.0/21", "10.20.80.0/21"]


def test_the_internet_is_everywhere_in_both_families_and_limited(mumbai):
    from_there = [f for f in mumbai.flows if f.source.kind == "internet"]
    assert {(f.target.name, f.port) for f in from_there} == {("front", 443), ("front", 80)}
    flow = from_there[0]
    assert flow.source.networks == EVERYWHERE
    assert flow.limit is not None and (flow.limit.connections, flow.limit.rate) == (50, 30)


def test_bound_sources_are_a_customers_own_addresses_and_nobody_elses(mumbai):
    found = {f.source.name: f for f in mumbai.flows if f.source.kind == "source"}
    assert {name: [str(n) for n in f.source.networks] for name, f in found.items()} == {
        "acme-bank": ["198.51.100.10/32"],
        "surya-insurance": ["198.51.100.20/32"],
    }
    assert {(f.target.name, f.port, f.limit.connections) for f in found.values()} == {("edge", 443, 50)}
    without = resolve(settings.parse(put(raw(), "customers.acme-bank.sources", {})))
    assert {e.name for e in without.sources() if e.kind == "source"} == {"surya-insurance"}


def test_aws_endpoints_are_those_of_the_roles_own_vpc_in_its_innermost_tier(mumbai):
    found = {f.source.name: f.target for f in mumbai.flows if f.target.kind == "aws_endpoints"}
    assert {name: (t.name, t.tier) for name, t in found.items()} == {
        "app": ("customer", "private"),
        "archive": ("platform", "isolated"),
    }
    assert str(found["archive"].networks[0]) == "10.21.128.0/21"


def test_every_role_gets_names_a_lease_and_its_credentials_from_the_vpc(mumbai):
    for role, vpc, router in (("edge", "10.20", "10.20.0.1"), ("archive", "10.21", "10.21.128.1")):
        platform = [f for f in mumbai.flows if f.source.name == role and f.target.kind == "platform"]
        assert {(f.target.name, f.protocol, f.port) for f in platform} == {
            ("dns_resolver", "udp", 53),
            ("dns_resolver", "tcp", 53),
            ("dhcp", "udp", 67),
            ("instance_metadata", "tcp", 80),
        }
        resolver = next(f.target for f in platform if f.port == 53)
        assert [str(n) for n in resolver.networks] == [f"{vpc}.0.2/32"]
        assert ip_network(router) in next(f.target for f in platform if f.port == 67).networks


def test_a_load_balancer_stands_in_every_public_subnet_of_its_vpc(mumbai):
    (front,) = mumbai.load_balancers()
    assert (front.kind, front.name, front.vpc, front.tier) == ("load_balancer", "front", "customer", "public")
    edge = next(role for role in mumbai.roles() if role.name == "edge")
    assert front.networks == edge.networks
    (onward,) = flows(mumbai, source=front)
    assert (onward.target.name, onward.port) == ("app", 8443)
    assert front in mumbai.sources() and front not in mumbai.roles()


def test_services_have_the_addresses_of_the_settings(mumbai):
    found = {f.target.name: f.target.networks for f in mumbai.flows if f.target.kind == "service"}
    assert {k: [str(n) for n in v] for k, v in found.items()} == {
        "package_proxy": ["172.30.20.10/32"],
        "time_servers": ["172.30.20.11/32", "172.30.10.11/32"],
        "log_collector": ["172.30.20.12/32"],
    }


def test_a_site_that_no_flow_names_is_still_an_endpoint():
    data = put(raw(), "firewall.1", ...)
    intent = resolve(settings.parse(data))
    assert "acme-bank" in {e.name for e in intent.sources()}
    assert not flows(
        intent, source=next(e for e in intent.sources() if e.kind == "site" and e.name == "acme-bank")
    )


def test_peerings_are_the_pairs_of_vpcs_that_roles_talk_across(mumbai):
    assert intents.peerings(mumbai) == (("customer", "platform"),)
    data = put(raw(), "firewall.3", ...)
    assert intents.peerings(resolve(settings.parse(data))) == ()


@hypothesis.settings(deadline=None, max_examples=60)
@given(region=regions())
def test_the_intent_survives_json(region):
    intent = resolve(region)
    assert from_data(json.loads(json.dumps(to_data(intent)))) == intent


@pytest.mark.parametrize(
    "broken", [{}, {"flows": [{}], "endpoints": []}, {"flows": [], "endpoints": [{"kind": "x"}]}]
)
def test_data_that_is_no_intent_is_refused(broken):
    with pytest.raises((KeyError, ValueError)):
        from_data(broken)
