"""IPv6 is there where the plan has it and nowhere else: what nobody planned is filtered by nobody."""

from __future__ import annotations

from typing import Any

import pytest

from verify import egress, paths
from verify.account import Account
from verify.subjects import Resource


def _blocks(item: Resource) -> set[str]:
    found = item.get("Ipv6CidrBlockAssociationSet", [])
    return {one["Ipv6CidrBlock"] for one in found if one["Ipv6CidrBlockState"]["State"] == "associated"}


def _planned(item: Resource, key: str) -> set[str]:
    """What the contract says; of a resource that is in no plan, nothing was planned."""
    value = (item.expected or {}).get(key)
    return {value} if value else set()


@pytest.mark.control("STK-NET-020")
def test_a_vpc_has_an_ipv6_block_exactly_where_the_plan_says_so(vpc: Resource) -> None:
    planned = _planned(vpc, "cidr6")
    assert _blocks(vpc) == planned, f"the plan says {sorted(planned)}, the account {sorted(_blocks(vpc))}"


@pytest.mark.control("STK-NET-021")
def test_a_subnet_has_its_planned_ipv6_block_and_no_other(subnet: Resource) -> None:
    planned = _planned(subnet, "cidr6")
    assert _blocks(subnet) == planned, (
        f"the plan says {sorted(planned)}, the account {sorted(_blocks(subnet))}"
    )


@pytest.mark.control("STK-NET-022")
def test_a_node_has_the_one_ipv6_address_that_the_contract_names(instance: Resource) -> None:
    found = {
        address["Ipv6Address"]
        for interface in instance.get("NetworkInterfaces", [])
        for address in interface.get("Ipv6Addresses", [])
    }
    planned = _planned(instance, "address6")
    assert found == planned, f"the contract says {sorted(planned)}, the account {sorted(found)}"


@pytest.mark.control("STK-NET-023")
def test_ipv6_leaves_and_enters_by_the_same_kinds_of_gateway_as_ipv4(
    subnet: Resource, aws: Account, region: dict[str, Any]
) -> None:
    ways = paths.beyond(paths.table_of(aws, subnet["SubnetId"], subnet["VpcId"]))
    through = {d: t for d, t in ways.items() if ":" in d and egress.everybody(d)}
    tier, six = (subnet.expected or {}).get("tier"), bool((subnet.expected or {}).get("cidr6"))
    kinds = {"public": "igw-", "private": "eigw-"} if six else {}
    if tier == "private" and not egress.declared(region, subnet["VpcId"]):
        kinds = {}
    kind = kinds.get(str(tier))
    assert all(kind and target.startswith(kind) for target in through.values()), (
        f"a subnet of tier {tier} routes {through}"
    )
    assert bool(through) == bool(kind), f"a dual-stack subnet of tier {tier} without its IPv6 route"
