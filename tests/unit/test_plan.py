"""The address plan: keyed by name, so that adding or removing a zone or a tier renumbers nothing."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fault import Fault
from network.plan import SubnetPlan, plan_vpc, tier_block, zone_letter
from settings.facts import TIER_SLOTS, ZONE_LETTERS

ZONES = [f"ap-south-1{letter}" for letter in ZONE_LETTERS]
TIERS = list(TIER_SLOTS)


@pytest.mark.parametrize(
    ("cidr", "zone", "tier", "block"),
    [
        ("10.20.0.0/16", "ap-south-1a", "public", "10.20.0.0/21"),
        ("10.20.0.0/16", "ap-south-1b", "public", "10.20.8.0/21"),
        ("10.20.0.0/16", "ap-south-1c", "private", "10.20.80.0/21"),
        ("10.20.0.0/16", "ap-south-1a", "isolated", "10.20.128.0/21"),
        ("10.20.0.0/16", "ap-south-1h", "isolated", "10.20.184.0/21"),
        ("10.64.32.0/20", "eu-central-1b", "private", "10.64.36.128/25"),
        ("10.64.32.0/23", "eu-central-1a", "public", "10.64.32.0/28"),
        ("10.64.32.0/23", "eu-central-1c", "isolated", "10.64.33.32/28"),
    ],
)
def test_a_subnet_has_the_block_of_its_tier_and_zone(cidr, zone, tier, block):
    name = f"{tier}-{zone[-1]}"
    assert plan_vpc(IPv4Network(cidr), [zone], [tier]) == {
        name: SubnetPlan(name, tier, zone, IPv4Network(block))
    }


@st.composite
def vpcs(draw):
    prefix = draw(st.integers(16, 23))
    return IPv4Network(
        (int(IPv4Network("10.0.0.0/8").network_address) + (draw(st.integers(0, 255)) << 16), prefix)
    )


names = st.lists(st.sampled_from(ZONES), min_size=1, unique=True)
some_tiers = st.lists(st.sampled_from(TIERS), min_size=1, unique=True)


@given(cidr=vpcs(), zones=names, tiers=some_tiers, more_zones=names, more_tiers=some_tiers)
def test_adding_removing_and_reordering_renumbers_nothing(cidr, zones, tiers, more_zones, more_tiers):
    before = plan_vpc(cidr, zones, tiers)
    after = plan_vpc(cidr, more_zones, more_tiers)
    for name in before.keys() & after.keys():
        assert before[name] == after[name]
    assert len(before) == len(zones) * len(tiers)


@given(cidr=vpcs(), zones=names, tiers=some_tiers)
def test_subnets_lie_in_the_vpc_and_in_their_tier_and_never_overlap(cidr, zones, tiers):
    planned = plan_vpc(cidr, zones, tiers)
    for subnet in planned.values():
        assert subnet.cidr.subnet_of(tier_block(cidr, subnet.tier))
        assert subnet.cidr.subnet_of(cidr)
        assert subnet.cidr.prefixlen <= 28
    for one, other in combinations(planned.values(), 2):
        assert not one.cidr.overlaps(other.cidr)


@pytest.mark.parametrize(
    ("cidr", "zones", "tiers", "says"),
    [
        ("10.0.0.0/24", ZONES[:1], ["public"], "a VPC is /16 to /23"),
        ("10.0.0.0/15", ZONES[:1], ["public"], "a VPC is /16 to /23"),
        ("10.0.0.0/16", ["ap-south-1z"], ["public"], "one letter of a-h"),
        ("10.0.0.0/16", ["ap-south-1-bom-1a", "bom"], ["public"], "one letter of a-h"),
        ("10.0.0.0/16", ZONES[:1], ["dmz"], "public, private, isolated"),
        ("10.0.0.0/16", ["ap-south-1a", "ap-south-2a"], ["public"], "name one subnet"),
        ("10.0.0.0/16", ZONES[:1], ["public", "public"], "name one subnet"),
    ],
)
def test_what_cannot_be_planned_is_a_fault(cidr, zones, tiers, says):
    with pytest.raises(Fault, match=says) as caught:
        plan_vpc(IPv4Network(cidr), zones, tiers)
    assert caught.value.code == 2


def test_an_empty_zone_name_is_a_fault():
    with pytest.raises(Fault):
        zone_letter("")
