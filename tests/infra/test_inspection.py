"""Inspection: the rules of a network firewall from the intent, and its place between tier and gateway."""

from __future__ import annotations

import copy
import functools
from ipaddress import ip_network

import pytest

import settings
from guardrails import judge
from network.inspection_rules import FIRST_SID, inspection_rules
from network.intent import Endpoint, Flow, Intent, resolve
from network.network_acls import network_acls
from tests.infra.breaking import bounds
from tests.infra.monitor import Run, run_of, run_program, stack_file
from tests.unit.settings_sample import put, raw

FIREWALL = "aws:networkfirewall"
INTERNET = Endpoint("internet", "internet", (ip_network("0.0.0.0/0"), ip_network("::/0")))
EDGE = Endpoint("role", "edge", (ip_network("10.20.0.0/21"), ip_network("10.20.8.0/21")), "a", "public")
APP = Endpoint("role", "app", (ip_network("10.20.64.0/21"),), vpc="a", tier="private")


def rules(*flows: Flow, domains: tuple[str, ...] = ()) -> list[str]:
    return inspection_rules(Intent(flows, ()), "a", domains)


def test_what_the_internet_may_reach_passes_both_ways_and_nothing_else_is_written() -> None:
    found = rules(
        Flow(INTERNET, EDGE, "tcp", 443, 'uploads; "over" TLS'), Flow(APP, EDGE, "tcp", 8443, "inside")
    )
    assert found == [
        'pass tcp any any <> [10.20.0.0/21,10.20.8.0/21] 443 (msg:"uploads over TLS"; '
        f"sid:{FIRST_SID}; rev:1;)"
    ]


def test_calls_to_the_internet_pass_by_the_name_they_ask_for() -> None:
    out = Flow(APP, INTERNET, "tcp", 443, "revocation lists")
    whole, below = rules(out, domains=("crl.example.com", "*.example.org"))
    assert whole.startswith(
        'pass tls $HOME_NET any -> any 443 (tls.sni; content:"crl.example.com"; startswith;'
    )
    assert 'tls.sni; dotprefix; content:".example.org"; nocase; endswith;' in below
    assert "flow:to_server,established" in whole
    assert rules(out) == []  # no listed name, no way out
    assert rules(Flow(APP, INTERNET, "udp", 123, "time"))[0].startswith("pass udp $HOME_NET any <> any 123")


def test_every_rule_has_a_number_of_its_own_and_says_its_reason_once() -> None:
    out = [Flow(APP, INTERNET, "tcp", port, "x") for port in (443, 8443, 443)]
    found = rules(*out, domains=("a.example.org", "b.example.org"))
    assert len(found) == 4
    assert len({rule.rpartition("sid:")[2] for rule in found}) == 4


@functools.cache
def inspected() -> Run:
    config = copy.deepcopy(stack_file("in-mumbai"))
    config["stockade:vpcs"]["customer"]["inspection"] = True
    return run_program("in-mumbai", config)


def test_nothing_of_it_exists_unless_a_vpc_asks_for_it() -> None:
    assert [p["type"] for p in run_of("in-mumbai").planned if "networkfirewall" in p["type"]] == []


def test_the_firewall_stands_between_the_public_tier_and_the_internet_gateway() -> None:
    run = inspected()
    routes = {name: route["inputs"] for name, route in run.of("aws:ec2/route:Route").items()}
    for letter in "abc":
        out = routes[f"customer-public-{letter}-inspected"]
        back = routes[f"customer-back-to-public-{letter}"]
        assert out["destinationCidrBlock"] == "0.0.0.0/0"
        assert out["vpcEndpointId"] == back["vpcEndpointId"] != ""
        assert out["vpcEndpointId"].endswith(f"customer-firewall-{letter}")
    assert routes["customer-firewall-internet"]["gatewayId"]
    direct = [n for n, r in routes.items() if n.startswith("customer-public") and "gatewayId" in r]
    assert direct == []
    assert "gatewayId" in routes["platform-public-internet"]  # the other VPC stays as it was


def test_it_drops_by_default_logs_both_ways_and_is_protected() -> None:
    run = inspected()
    (firewall,) = run.of(f"{FIREWALL}/firewall:Firewall").values()
    protections = ("deleteProtection", "subnetChangeProtection", "firewallPolicyChangeProtection")
    assert all(firewall["inputs"][name] is True for name in protections)
    (policy,) = run.of(f"{FIREWALL}/firewallPolicy:FirewallPolicy").values()
    body = policy["inputs"]["firewallPolicy"]
    assert body["statefulDefaultActions"] == ["aws:drop_established", "aws:alert_established"]
    assert body["statefulEngineOptions"] == {"ruleOrder": "STRICT_ORDER", "streamExceptionPolicy": "DROP"}
    (logging,) = run.of(f"{FIREWALL}/loggingConfiguration:LoggingConfiguration").values()
    configs = logging["inputs"]["loggingConfiguration"]["logDestinationConfigs"]
    assert {config["logType"] for config in configs} == {"ALERT", "FLOW"}
    group = run.of("aws:cloudwatch/logGroup:LogGroup")["customer-inspection"]["inputs"]
    assert group["kmsKeyId"] and group["name"].startswith("/aws/vendedlogs/stockade/in-mumbai/inspection/")
    assert set(run.outputs["region"]["inspection"]["customer"]["endpoints"]) == {"a", "b", "c"}
    before = judge(run_of("in-mumbai").planned, bounds("in-mumbai"))
    assert set(judge(run.planned, bounds("in-mumbai"))) <= set(before)


def test_its_subnets_let_through_what_goes_between_the_internet_and_the_public_tier() -> None:
    data = put(raw(), "vpcs.customer.inspection", True)
    config = settings.parse(data)
    acls = network_acls(resolve(config), config)
    entries = {(e.direction, e.from_port, e.to_port, str(e.cidr)) for e in acls["customer", "firewall"]}
    assert ("ingress", 443, 443, "0.0.0.0/0") in entries
    assert ("egress", 443, 443, "10.20.0.0/18") in entries
    assert ("egress", 1024, 65535, "0.0.0.0/0") in entries
    assert ("ingress", 1024, 65535, "10.20.0.0/18") in entries
    assert {cidr for _, _, _, cidr in entries} == {"0.0.0.0/0", "10.20.0.0/18"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"tiers": ["isolated"]}, "has a public tier"), ({"ipv6": True}, "IPv4 only")],
)
def test_a_firewall_without_a_place_or_with_a_way_around_is_refused(
    changes: dict[str, object], said: str
) -> None:
    vault = {"cidr": "10.22.0.0/16", "tiers": ["public"], "inspection": True, **changes}
    with pytest.raises(settings.SettingsError) as refused:
        settings.parse(put(raw(), "vpcs.vault", vault))
    assert [p.key for p in refused.value.problems] == ["vpcs.vault.inspection"]
    assert said in str(refused.value)
