"""Limits of AWS: exceeded ones are problems of the settings, before anything is made, with a way to split."""

from __future__ import annotations

from typing import Any

import pytest

import settings
from network.intent import resolve
from network.renderings import network_acls, security_groups
from settings.facts import MOST_ACL_RULES, MOST_GROUP_RULES
from tests.unit.settings_sample import put, raw


def with_noc_ranges(number: int, step: int = 1) -> dict[str, Any]:
    data = put(raw(), "sites.noc-mumbai.ranges", [f"172.20.{n * step}.0/24" for n in range(number)])
    data["services"]["time_servers"] = data["services"]["time_servers"][:1]
    return data


def problems(data: dict[str, Any]) -> list[settings.Problem]:
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(data)
    return caught.value.problems


def test_a_group_with_too_many_rules_says_what_to_merge_and_what_to_split() -> None:
    # 56 NOC ranges, one service centre, and two customers, each by a tunnel and by a source: 61 rules
    found = [p for p in problems(with_noc_ranges(56)) if "security group of role edge" in p.value]
    assert [p.value for p in found] == ["security group of role edge: 61 inbound rules for IPv4"]
    assert found[0].rule == "AWS takes 60 rules per security group, direction and family"
    assert found[0].fix.startswith(
        "merge the 56 ranges of noc-mumbai into 3 (172.20.0.0/19, 172.20.32.0/20, "
    )
    assert found[0].fix.endswith("or split edge in two with fewer flows each")
    assert not [p for p in problems(with_noc_ranges(55)) if "security group of role edge" in p.value]


def test_ranges_that_do_not_merge_are_named_as_too_many() -> None:
    found = [p for p in problems(with_noc_ranges(57, step=2)) if "role edge" in p.value]
    assert "state fewer, wider ranges for noc-mumbai (57 now)" in found[0].fix


def test_a_load_balancers_group_is_counted_too() -> None:
    data = put(raw(), "sites.acme-bank.ranges", [f"10.99.{n}.0/24" for n in range(60)])
    data["firewall"][8]["from"] = ["internet", "customer"]  # to front
    values = {p.value for p in problems(data)}
    # the internet on 443 and 80, the 60 ranges of one customer and one of another
    assert "security group of load balancer front: 63 inbound rules for IPv4" in values


def test_a_network_acl_with_too_many_entries_says_how_to_split() -> None:
    fits = settings.parse(with_noc_ranges(10))
    entries = network_acls(resolve(fits), fits)["customer", "private"]
    for direction in ("ingress", "egress"):
        assert sum(e.direction == direction for e in entries) < MOST_ACL_RULES
    found = [p for p in problems(with_noc_ranges(18)) if "private in customer" in p.value]
    assert found and all("entries for IPv4" in p.value for p in found)
    assert all("its own deny included" in p.rule for p in found)
    assert all("ranges of noc-mumbai" in p.fix and "move a role of app" in p.fix for p in found)


def test_the_limit_itself_is_allowed() -> None:
    """At the limit nothing is refused, one above it is."""
    data = raw()
    base = len([r for r in security_groups(resolve(settings.parse(data)))["app"] if r.direction == "ingress"])
    for number in range(MOST_GROUP_RULES - base):
        data["firewall"].append(
            {"from": ["edge"], "to": ["app"], "protocol": "tcp", "port": 9000 + number, "why": "a port"}
        )
    groups = "security group of role app"
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(data)  # the network ACL, which takes fewer, is what gives in first
    assert not [p for p in caught.value.problems if groups in p.value]
    data["firewall"].append(data["firewall"][-1] | {"port": 9999})
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(data)
    assert [p for p in caught.value.problems if groups in p.value]


def test_limits_are_told_only_once_everything_else_is_sound() -> None:
    found = problems(put(with_noc_ranges(57), "owner", ""))
    assert {p.key for p in found} == {"owner"}
