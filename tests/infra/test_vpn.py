"""Site-to-site VPN as the program plans it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from tests.infra.monitor import Run, run_of, stack_file
from tests.infra.test_program import STACKS

CONNECTION = "aws:ec2/vpnConnection:VpnConnection"
ROUTE = "aws:ec2/vpnConnectionRoute:VpnConnectionRoute"
# Bounds of AWS's guide to the tunnel options, which refuses what lies outside in the middle of a run.
BOUNDS = {
    "Phase1LifetimeSeconds": (900, 28800),
    "Phase2LifetimeSeconds": (900, 3600),
    "RekeyFuzzPercentage": (0, 100),
    "ReplayWindowSize": (64, 2048),
    "DpdTimeoutSeconds": (30, 3600),
}


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(stack: str) -> Run:
    return run_of(stack)


def _sites(stack: str, routing: str) -> dict[str, Any]:
    stated = stack_file(stack)["stockade:sites"]
    return {name: site for name, site in stated.items() if site.get("routing", "bgp") == routing}


def test_one_stack_really_has_a_site_with_static_routes() -> None:
    assert [stack for stack in STACKS if _sites(stack, "static")]


def test_a_site_with_static_routes_gets_exactly_its_ipv4_ranges(run: Run, stack: str) -> None:
    wanted = {
        (f"{name}-{vpc}", block)
        for name, site in _sites(stack, "static").items()
        for vpc in site["vpcs"]
        for block in site["ranges"]
        if ip_network(block).version == 4
    }
    found = {
        (dependency.rpartition("::")[2], planned["inputs"]["destinationCidrBlock"])
        for planned in run.of(ROUTE).values()
        for dependency in planned["depends"]["vpnConnectionId"]
    }
    assert found == wanted


def test_routing_is_what_the_site_states(run: Run, stack: str) -> None:
    static = set(_sites(stack, "static"))
    for name, planned in run.of(CONNECTION).items():
        site = next(s for s in stack_file(stack)["stockade:sites"] if name.startswith(f"{s}-"))
        assert planned["inputs"]["staticRoutesOnly"] is (site in static), name


def test_a_static_tunnel_leads_to_its_vpc_and_not_on_to_other_sites(run: Run, stack: str) -> None:
    vpcs = stack_file(stack)["stockade:vpcs"]
    for name, site in _sites(stack, "static").items():
        for vpc in site["vpcs"]:
            inputs = run.of(CONNECTION)[f"{name}-{vpc}"]["inputs"]
            assert inputs["remoteIpv4NetworkCidr"] == vpcs[vpc]["cidr"]
            if len(site["ranges"]) == 1:
                assert inputs["localIpv4NetworkCidr"] == site["ranges"][0]


def test_a_bgp_tunnel_keeps_the_wide_selectors_that_its_sessions_need(run: Run, stack: str) -> None:
    for name in _sites(stack, "bgp"):
        for connection, planned in run.of(CONNECTION).items():
            if connection.startswith(f"{name}-"):
                assert "remoteIpv4NetworkCidr" not in planned["inputs"]
                assert "localIpv4NetworkCidr" not in planned["inputs"]


def test_every_tunnel_option_is_stated_within_the_bounds_that_aws_takes(run: Run) -> None:
    for planned in run.of(CONNECTION).values():
        for tunnel in ("tunnel1", "tunnel2"):
            given = {name: planned["inputs"][tunnel + name] for name in BOUNDS}
            outside = {name: v for name, v in given.items() if not BOUNDS[name][0] <= v <= BOUNDS[name][1]}
            assert not outside
            assert given["Phase2LifetimeSeconds"] < given["Phase1LifetimeSeconds"]
            margin = planned["inputs"][f"{tunnel}RekeyMarginTimeSeconds"]
            assert 60 <= margin <= given["Phase2LifetimeSeconds"] / 2
