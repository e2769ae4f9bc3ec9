"""Names, internet gateways, what joins VPCs: the pure parts with tables, the rest from the whole program."""

from __future__ import annotations

import copy
import json
from ipaddress import ip_network
from typing import Any

import pytest

import settings
from guardrails import judge
from network.intent import Endpoint, Flow, Intent, resolve
from network.names import allowed_names, reverse_zones
from network.public_access import exclusions, facing_the_internet
from network.security_groups import security_groups
from network.transit import by_address
from network.vended_logs import delivery_policy
from tests.infra.breaking import bounds
from tests.infra.monitor import ROOT, Run, run_of, run_program, stack_file
from tests.unit.settings_sample import put, raw

STACKS = ("in-mumbai", "eu-frankfurt", "in-hyderabad")
ROUTE = "aws:ec2/route:Route"
TRANSIT = "aws:ec2transitgateway"
INTERNET = Endpoint("internet", "internet", (ip_network("0.0.0.0/0"),))


def role(name: str, vpc: str, tier: str) -> Endpoint:
    return Endpoint("role", name, (ip_network("10.20.0.0/21"),), vpc=vpc, tier=tier)


def intent(*flows: tuple[Endpoint, Endpoint]) -> Intent:
    made = tuple(Flow(source, target, "tcp", 443, "why it is") for source, target in flows)
    return Intent(made, tuple({end for pair in flows for end in pair}))


def changed(**keys: Any) -> dict[str, Any]:
    """The shipped stack with other values under dotted keys (`__` for a dot)."""
    config = copy.deepcopy(stack_file("in-mumbai"))
    for key, value in keys.items():
        first, *rest = key.split("__")
        if not rest:
            config[f"stockade:{first}"] = value
        else:
            put(config[f"stockade:{first}"], ".".join(rest), value)
    return config


# ---------------------------------------------------------------------- names
@pytest.mark.parametrize(
    ("block", "zones"),
    [
        ("10.20.0.0/16", ["*.20.10.in-addr.arpa."]),
        ("10.20.2.0/23", ["*.2.20.10.in-addr.arpa.", "*.3.20.10.in-addr.arpa."]),
        ("192.168.4.0/22", [f"*.{octet}.168.192.in-addr.arpa." for octet in (4, 5, 6, 7)]),
    ],
)
def test_reverse_zones_hold_a_block_and_nothing_else(block: str, zones: list[str]) -> None:
    assert list(reverse_zones(ip_network(block))) == zones  # type: ignore[arg-type]


def test_allowed_names_are_the_regions_endpoints_our_own_zones_and_what_is_stated() -> None:
    config = settings.parse(put(raw(), "dns", {"allowed_domains": ["*.example.org", "crl.example.com"]}))
    names = allowed_names(config)
    assert {"kms.ap-south-1.amazonaws.com.", "*.s3.ap-south-1.amazonaws.com."} <= set(names)
    assert {"*.example.org.", "crl.example.com.", "*.ap-south-1.compute.internal."} <= set(names)
    assert {"*.20.10.in-addr.arpa.", "*.21.10.in-addr.arpa."} <= set(names)
    assert not [name for name in names if name in ("*.", "*.amazonaws.com.") or "us-east-1" in name]
    assert list(names) == sorted(set(names))


def test_the_delivery_of_logs_writes_this_stacks_groups_for_this_account_only() -> None:
    (statement,) = delivery_policy("111122223333", "ap-south-1", "/stockade/in-mumbai")["Statement"]
    (resource,) = statement["Resource"]
    assert resource.endswith(":log-group:/aws/vendedlogs/stockade/in-mumbai/*:log-stream:*")
    assert statement["Principal"] == {"Service": ["delivery.logs.amazonaws.com"]}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "111122223333"}


@pytest.mark.parametrize("stack", STACKS)
def test_every_vpc_is_filtered_logged_and_fails_closed(stack: str) -> None:
    run, vpcs = run_of(stack), set(stack_file(stack)["stockade:vpcs"])
    kinds = ("RuleGroupAssociation", "Config")
    for kind in kinds:
        assert set(run.of(f"aws:route53/resolverFirewall{kind}:ResolverFirewall{kind}")) == vpcs
    logged = "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation"
    assert set(run.of(logged)) == vpcs
    group = run.of("aws:cloudwatch/logGroup:LogGroup")["dns-queries"]["inputs"]
    assert group["name"] == f"/aws/vendedlogs/stockade/{stack}/dns"
    stated = stack_file(stack)["stockade:retention"]["flow_logs_days"]
    assert (group["retentionInDays"], bool(group["kmsKeyId"])) == (stated, True)
    assert set(run.outputs["region"]["dns"]["associations"]) == vpcs


# ---------------------------------------------------------------------- internet gateways
EDGE, APP, ARCHIVE = role("edge", "a", "public"), role("app", "a", "private"), role("arc", "b", "isolated")
FRONT = Endpoint("load_balancer", "front", (ip_network("10.21.0.0/21"),), vpc="b", tier="public")


@pytest.mark.parametrize(
    ("flows", "expected"),
    [
        ([], {}),
        ([(APP, ARCHIVE)], {}),
        ([(INTERNET, EDGE)], {("a", "public"): "allow-bidirectional"}),
        ([(FRONT, ARCHIVE)], {("b", "public"): "allow-bidirectional"}),
        ([(APP, INTERNET)], {("a", "public"): "allow-egress"}),
        ([(APP, INTERNET), (INTERNET, EDGE)], {("a", "public"): "allow-bidirectional"}),
    ],
)
def test_only_what_the_intent_needs_is_spared(
    flows: list[tuple[Endpoint, Endpoint]], expected: dict[tuple[str, str], str]
) -> None:
    assert exclusions(intent(*flows), {"a": False, "b": False}) == expected


def test_dual_stack_leaves_through_its_own_tier() -> None:
    found = exclusions(intent((APP, INTERNET)), {"a": True})
    assert found == {("a", "private"): "allow-egress", ("a", "public"): "allow-egress"}


@pytest.mark.parametrize("stack", STACKS)
def test_the_program_spares_the_public_subnets_of_vpcs_that_face_the_internet(stack: str) -> None:
    run, config = run_of(stack), settings.load(stack, ROOT)
    facing = facing_the_internet(resolve(config))
    exclusion = "aws:ec2/vpcBlockPublicAccessExclusion:VpcBlockPublicAccessExclusion"
    both_ways = {
        name
        for name, made in run.of(exclusion).items()
        if made["inputs"]["internetGatewayExclusionMode"] == "allow-bidirectional"
    }
    letters = [zone[-1] for zone in config.zones]
    assert both_ways == {f"{vpc}-public-{letter}" for vpc in facing for letter in letters}
    (options,) = run.of("aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions").values()
    assert options["inputs"]["internetGatewayBlockMode"] == "block-bidirectional"


# ---------------------------------------------------------------------- VPCs among themselves
VAULT = {"cidr": "10.22.0.0/16", "tiers": ["isolated"]}


def joined_to(run: Run, vpc: str) -> list[str]:
    """Routes of a VPC's tables, or to its block, that cross to another VPC."""
    return [
        name
        for name, route in run.of(ROUTE).items()
        if {"vpcPeeringConnectionId", "transitGatewayId"} & set(route["inputs"])
        and (
            any(urn.endswith(f"::{vpc}-isolated") for urn in route["depends"]["routeTableId"])
            or route["inputs"]["destinationCidrBlock"].startswith("10.22.")
        )
    ]


@pytest.mark.parametrize("transit", ["peering", "transit_gateway"])
def test_a_vpc_that_no_flow_joins_has_no_way_to_any_other(transit: str) -> None:
    run = run_program("in-mumbai", changed(vpcs__vault=VAULT, transit=transit))
    assert set(run.of("aws:ec2/vpc:Vpc")) == {"customer", "platform", "vault"}
    assert joined_to(run, "vault") == []
    peerings = run.of("aws:ec2/vpcPeeringConnection:VpcPeeringConnection")
    assert set(peerings) == ({"customer-platform"} if transit == "peering" else set())
    attachments = run.of(f"{TRANSIT}/vpcAttachment:VpcAttachment")
    assert set(attachments) == (set() if transit == "peering" else {"customer", "platform"})


def test_a_transit_gateway_carries_what_the_peering_carried_and_blackholes_the_rest() -> None:
    run, before = run_program("in-mumbai", changed(transit="transit_gateway")), run_of("in-mumbai")
    (gateway,) = run.of(f"{TRANSIT}/transitGateway:TransitGateway").values()
    for name in ("defaultRouteTableAssociation", "defaultRouteTablePropagation"):
        assert gateway["inputs"][name] == "disable"

    def crossing(found: Run, through: str) -> set[tuple[str, str]]:
        return {
            (route["inputs"]["routeTableId"], route["inputs"]["destinationCidrBlock"])
            for route in found.of(ROUTE).values()
            if through in route["inputs"]
        }

    assert crossing(run, "transitGatewayId") == crossing(before, "vpcPeeringConnectionId")
    routes = run.of(f"{TRANSIT}/route:Route")
    blackholes = {name for name, route in routes.items() if route["inputs"].get("blackhole")}
    assert blackholes == {"customer-blackhole", "platform-blackhole"}
    leading = {route["inputs"]["destinationCidrBlock"] for n, route in routes.items() if n not in blackholes}
    assert leading == {block for _, block in crossing(before, "vpcPeeringConnectionId")}
    assert set(run.outputs["region"]["transit"]["attachments"]) == {"customer", "platform"}
    assert set(judge(run.planned, bounds("in-mumbai"))) <= set(judge(before.planned, bounds("in-mumbai")))


def test_egress_into_another_vpc_is_written_by_address_for_a_transit_gateway() -> None:
    resolved = resolve(settings.load("in-mumbai", ROOT))
    by_reference, rewritten = security_groups(resolved), by_address(security_groups(resolved), resolved)
    archive = next(end for end in resolved.roles() if end.name == "archive")
    egress = {r.peer for r in rewritten["app"] if r.direction == "egress" and r.port == 9443}
    assert egress == {str(network) for network in archive.networks}
    assert rewritten["archive"] == by_reference["archive"]  # inbound keeps naming the group
    unchanged = [r for r in by_reference["app"] if r.port != 9443]
    assert [r for r in rewritten["app"] if r.port != 9443] == unchanged


def test_the_contract_of_a_peered_region_has_no_transit() -> None:
    assert run_of("in-mumbai").outputs["region"].get("transit") is None
    json.dumps(run_of("in-mumbai").outputs["region"]["public_access"])
