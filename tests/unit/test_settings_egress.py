"""The way out: refused but for private roles, tcp 443, in a VPC with a public tier."""

from __future__ import annotations

from typing import Any

import pytest

import settings
from network.intent import egress_vpcs, resolve
from network.renderings import network_acls, reachability, security_groups
from tests.unit.settings_sample import put, raw

CALL = {"from": ["app"], "to": ["internet"], "protocol": "tcp", "port": 443, "why": "an API of a partner"}
PLACE = len(raw()["firewall"])


def with_call(**changes: Any) -> dict[str, Any]:
    return put(raw(), f"firewall.{PLACE}", CALL | changes)


CASES = [
    ({"from": ["edge"]}, "from", "edge to internet", "private tier only; edge is public"),
    ({"from": ["archive"]}, "from", "archive to internet", "private tier only; archive is isolated"),
    ({"from": ["app", "noc"]}, "from", "noc to internet", "private tier only"),
    ({"from": ["app", "front"]}, "from", "front to internet", "private tier only"),
    ({"port": 80}, "port", "tcp 80", "tcp 443 only"),
    ({"protocol": "udp"}, "port", "udp 443", "tcp 443 only"),
]


@pytest.mark.parametrize(("changes", "side", "shown", "says"), CASES)
def test_a_way_out_that_is_too_wide_is_named(
    changes: dict[str, Any], side: str, shown: str, says: str
) -> None:
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(with_call(**changes))
    hits = [p for p in caught.value.problems if p.key == f"firewall.{PLACE}.{side}" and p.value == shown]
    assert any(says in p.rule for p in hits), [str(p) for p in caught.value.problems]
    assert all(p.fix for p in hits)


def test_a_way_out_needs_a_public_tier_for_its_nat_gateways() -> None:
    data = with_call()
    data["vpcs"]["customer"]["tiers"] = ["private"]
    with pytest.raises(settings.SettingsError, match="no public tier for the NAT gateways"):
        settings.parse(data)


def test_without_a_declared_call_no_vpc_has_a_way_out() -> None:
    assert egress_vpcs(resolve(settings.parse(raw()))) == frozenset()
    assert egress_vpcs(resolve(settings.parse(with_call()))) == {"customer"}


def test_a_declared_call_passes_the_groups_and_the_acls_of_both_tiers() -> None:
    """What leaves through a NAT gateway also enters and leaves the public subnet where the gateway stands."""
    before, after = settings.parse(raw()), settings.parse(with_call())
    more = {r.key for r in security_groups(resolve(after))["app"]} - {
        r.key for r in security_groups(resolve(before))["app"]
    }
    assert more == {"egress-tcp-443-cidr4-0.0.0.0_0"}, "IPv4 alone: the VPC has no IPv6"
    old, new = network_acls(resolve(before), before), network_acls(resolve(after), after)
    told = {place: {e.key for e in entries} for place, entries in new.items()}
    added = {place: told[place] - {e.key for e in old[place]} for place in told}
    assert added["customer", "private"] == {
        "egress-tcp-443-443-0.0.0.0_0",
        "ingress-tcp-1024-3388-0.0.0.0_0",
        "ingress-tcp-3390-65535-0.0.0.0_0",
    }
    inner = "10.20.64.0_18"
    assert {f"ingress-tcp-443-443-{inner}", f"egress-tcp-1024-65535-{inner}"} & told[
        "customer", "public"
    ] or {
        "ingress-tcp-443-443-0.0.0.0_0",
        "egress-tcp-1024-65535-0.0.0.0_0",
    } <= told["customer", "public"]
    assert {"egress-tcp-443-443-0.0.0.0_0", "ingress-tcp-3390-65535-0.0.0.0_0"} <= told["customer", "public"]
    for (_, tier), entries in new.items():
        exposed = [e for e in entries if e.direction == "ingress" and e.from_port <= 3389 <= e.to_port]
        assert not [e for e in exposed if str(e.cidr) in ("0.0.0.0/0", "::/0")], tier
    assert not any(added[place] for place in added if place[0] == "platform")


def test_who_may_call_everybody_reaches_what_is_open_to_everybody_and_nothing_else() -> None:
    """The matrix says so, because the groups let it through; the archive stays out of reach."""
    matrix = reachability(
        resolve(settings.parse(with_call())), [{"role": r} for r in ("edge", "app", "archive")]
    )
    reached = {r.target for r in matrix if r.source == "role/app" and r.port == 443 and r.allowed}
    assert reached == {"load_balancer/front"}  # not edge, which knows bound sources only
