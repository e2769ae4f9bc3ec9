"""Adding a zone, a tier, a node, a role or a site renames, renumbers and moves nothing that was there."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from nodes.placement import place
from tests.infra.monitor import Run, run_of, run_program, stack_file

SUBNET = "aws:ec2/subnet:Subnet"


def changed(**sections: Any) -> Run:
    config = copy.deepcopy(stack_file("in-mumbai"))
    for key, change in sections.items():
        value = config[f"stockade:{key}"]
        value.append(change) if isinstance(value, list) else value.update(change)
    return run_program("in-mumbai", config)


def urns(run: Run) -> dict[str, dict[str, Any]]:
    return {p["urn"]: p["inputs"] for p in run.planned}


def different(before: Run, after: Run) -> tuple[set[str], set[str], set[str]]:
    """Names that are new, gone, and changed in their inputs."""
    old, new = urns(before), urns(after)
    both = set(old) & set(new)
    name = "::".join

    def names(found: set[str]) -> set[str]:
        return {name(urn.split("::")[-2:]).rpartition("$")[2] for urn in found}

    return (
        names(set(new) - set(old)),
        names(set(old) - set(new)),
        names({u for u in both if old[u] != new[u]}),
    )


def test_a_fourth_zone_adds_only_what_carries_its_letter_and_moves_no_block() -> None:
    before, after = run_of("in-mumbai"), changed(zones="ap-south-1d")
    new, gone, other = different(before, after)
    assert gone == set()
    assert new and all(re.search(r"-d(-|$)", name) for name in new)
    # Only what spans all zones may notice: each tier's ACL, endpoints, load balancers, and nothing else.
    kinds = {name.split("::")[0].rpartition(":")[2] for name in other}
    assert kinds <= {"LoadBalancer", "NetworkAcl", "VpcEndpoint"}
    for name, subnet in before.of(SUBNET).items():
        assert after.of(SUBNET)[name]["inputs"] == subnet["inputs"]


def test_one_more_tier_moves_no_block_and_loses_no_resource_but_acl_entries() -> None:
    before = run_of("in-mumbai")
    after = changed(vpcs={"customer": {"cidr": "10.20.0.0/16", "tiers": ["public", "private", "isolated"]}})
    new, gone, _ = different(before, after)
    # The interface endpoints move to the innermost tier, so entries that named their old tier go.
    assert all("NetworkAclRule::customer-private" in name for name in gone)
    assert any("Subnet::customer-isolated-a" in name for name in new)
    for name, subnet in before.of(SUBNET).items():
        assert after.of(SUBNET)[name]["inputs"] == subnet["inputs"]


def test_more_nodes_of_one_role_add_exactly_those_nodes() -> None:
    role = {**stack_file("in-mumbai")["stockade:server_roles"]["edge"], "count": 5}
    new, gone, other = different(run_of("in-mumbai"), changed(server_roles={"edge": role}))
    # The alarm for silent nodes knows how many there are.
    assert gone == set() and {name.split("::")[1] for name in other} <= {"nodes-silent"}
    assert {"edge-a-2", "edge-b-2"} <= {name.split("::")[1] for name in new}
    assert all(re.search(r"edge-[ab]-2", name) for name in new)


def test_one_more_site_changes_no_resource_that_was_there() -> None:
    site = {
        "kind": "customer",
        "gateway": "198.51.100.99",
        "ranges": ["192.168.200.0/24"],
        "vpcs": ["customer"],
        "asn": 65099,
        "routing": "static",
    }
    new, gone, other = different(run_of("in-mumbai"), changed(sites={"aaa-first": site}))
    # The network's dashboard shows the new tunnels too.
    assert gone == set() and other <= {"aws:cloudwatch/dashboard:Dashboard::network"}
    assert any("VpnConnection::aaa-first-customer" in name for name in new)


@pytest.mark.parametrize(
    ("count", "zones", "names"),
    [
        (1, ["x-1a", "x-1b", "x-1c"], ["edge-a-1"]),
        (3, ["x-1a", "x-1b", "x-1c"], ["edge-a-1", "edge-b-1", "edge-c-1"]),
        (4, ["x-1a", "x-1b", "x-1c"], ["edge-a-1", "edge-b-1", "edge-c-1", "edge-a-2"]),
        (4, ["x-1a", "x-1c"], ["edge-a-1", "edge-c-1", "edge-a-2", "edge-c-2"]),
    ],
)
def test_nodes_are_named_by_role_zone_and_ordinal_in_the_zone(
    count: int, zones: list[str], names: list[str]
) -> None:
    assert [placed.name for placed in place("edge", "public", count, zones)] == names
