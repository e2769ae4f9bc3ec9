"""The way out is denied by default: internal subnets reach the internet as the intent declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from verify import egress, paths
from verify.account import Account
from verify.subjects import Resource

Region = dict[str, Any]
Find = Callable[[str], list[Resource]]
_NO_WAY_OUT = "not applicable: the intent lets nothing of this VPC call the internet"


def _tier(subnet: Resource) -> str | None:
    return (subnet.expected or {}).get("tier")


def _default_routes(aws: Account, subnet: Resource) -> dict[str, str]:
    ways = paths.beyond(paths.table_of(aws, subnet["SubnetId"], subnet["VpcId"]))
    return {destination: target for destination, target in ways.items() if egress.everybody(destination)}


def _nats(aws: Account) -> list[dict[str, Any]]:
    found = aws.need("ec2", "describe_nat_gateways")["NatGateways"]
    return [nat for nat in found if nat["State"] not in ("deleted", "deleting", "failed")]


@pytest.mark.control("STK-NET-005")
@pytest.mark.tiers("private")
def test_a_private_subnet_leaves_through_the_nat_gateway_of_its_own_zone(
    subnet: Resource, aws: Account, region: Region, resources: Find
) -> None:
    if not egress.declared(region, subnet["VpcId"]):
        pytest.skip(_NO_WAY_OUT)
    outward = {d: t for d, t in _default_routes(aws, subnet).items() if ":" not in d}
    assert list(outward) == ["0.0.0.0/0"], f"its default routes are {outward}, expected one, to a NAT gateway"
    nat = next((n for n in _nats(aws) if n["NatGatewayId"] == outward["0.0.0.0/0"]), None)
    assert nat is not None and nat["State"] == "available", (
        f"{outward['0.0.0.0/0']} is no working NAT gateway"
    )
    zones = {s["SubnetId"]: s["AvailabilityZone"] for s in resources("subnet")}
    zone = zones.get(nat["SubnetId"])
    assert zone == subnet["AvailabilityZone"], (
        f"its NAT gateway stands in {zone}: that zone's failure is its own"
    )


@pytest.mark.control("STK-NET-016")
def test_every_zone_with_private_subnets_has_its_own_nat_gateway(
    vpc: Resource, aws: Account, region: Region, resources: Find
) -> None:
    if not egress.declared(region, vpc["VpcId"]):
        pytest.skip(_NO_WAY_OUT)
    mine = [s for s in resources("subnet") if s["VpcId"] == vpc["VpcId"] and s.expected]
    public = {s["SubnetId"]: s["AvailabilityZone"] for s in mine if _tier(s) == "public"}
    private = {s["AvailabilityZone"] for s in mine if _tier(s) == "private"}
    places = [n["SubnetId"] for n in _nats(aws) if n["VpcId"] == vpc["VpcId"] and n["State"] == "available"]
    assert set(places) <= set(public), "a NAT gateway stands outside the public tier"
    assert {public[place] for place in places} == private, "not every zone with private subnets has one"


@pytest.mark.control("STK-NET-017")
@pytest.mark.tiers("private")
def test_a_private_subnet_has_a_default_route_only_where_the_intent_declares_egress(
    subnet: Resource, aws: Account, region: Region
) -> None:
    outward = _default_routes(aws, subnet)
    allowed = ("nat-", "eigw-") if egress.declared(region, subnet["VpcId"]) else ()
    wrong = {d: t for d, t in outward.items() if not t.startswith(allowed or ("nothing",))}
    assert not wrong, f"it leaves by {wrong}, which no flow of the intent asks for"


@pytest.mark.control("STK-NET-018")
def test_a_vpc_has_gateways_for_the_way_out_only_where_the_intent_declares_egress(
    vpc: Resource, aws: Account, region: Region
) -> None:
    if egress.declared(region, vpc["VpcId"]):
        return
    nats = [nat["NatGatewayId"] for nat in _nats(aws) if nat["VpcId"] == vpc["VpcId"]]
    answer = aws.need("ec2", "describe_egress_only_internet_gateways")["EgressOnlyInternetGateways"]
    only = [
        gateway["EgressOnlyInternetGatewayId"]
        for gateway in answer
        if any(a["VpcId"] == vpc["VpcId"] and a["State"] == "attached" for a in gateway["Attachments"])
    ]
    assert not nats + only, f"{', '.join(nats + only)}: no flow of the intent needs a way out"


@pytest.mark.control("STK-NET-019")
@pytest.mark.tiers("private", "isolated")
def test_the_network_acl_of_an_internal_tier_lets_out_what_the_intent_declares(
    subnet: Resource, aws: Account, region: Region
) -> None:
    calls = egress.declared(region, subnet["VpcId"]) if _tier(subnet) == "private" else set()
    protocols = {"6": "tcp", "17": "udp"}
    for entry in paths.allows(paths.acl_of(aws, subnet["SubnetId"]), egress=True):
        target = entry.get("CidrBlock") or entry.get("Ipv6CidrBlock")
        ports = entry.get("PortRange") or {"From": 0, "To": 65535}
        call = (protocols.get(str(entry["Protocol"]), "every protocol"), ports["From"])
        one = ports["From"] == ports["To"]
        assert not egress.everybody(target) or (one and call in calls), (
            f"entry {entry['RuleNumber']} lets {call[0]} {ports['From']}-{ports['To']} out to {target}"
        )
