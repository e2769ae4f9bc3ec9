"""What bad input about load balancers and bound sources gets."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

import settings
from settings import rules_edge
from tests.unit.settings_sample import ACCEPTED, put, raw

SOURCE = {"cidr": "198.51.100.77/32", "change": "CHG-1", "until": "2099-12-31"}
OTHER_REGION = "arn:aws:acm:us-east-1:111122223333:certificate/5d0c1e52-7b3f-4c6a-9e0d-2f8a4b6c1d37"
OTHER_ACCOUNT = "arn:aws:acm:ap-south-1:999999999999:certificate/5d0c1e52-7b3f-4c6a-9e0d-2f8a4b6c1d37"
SPARE = "customers.surya-insurance.sources.spare"
SECOND_TARGET = {"from": ["front"], "to": ["edge"], "protocol": "tcp", "port": 443, "why": "a second one"}
AROUND = {
    "from": ["internet"],
    "to": ["edge"],
    "protocol": "tcp",
    "port": 8443,
    "why": "around it",
    "limit": {"connections": 5, "rate": 5},
}


def problems(data: dict[str, Any]) -> list[settings.Problem]:
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(data)
    assert caught.value.code == 2
    return caught.value.problems


CASES = [
    # place, value, key of the problem, part of the value, part of the rule or the fix
    (
        "load_balancers.front.certificate",
        OTHER_REGION,
        "load_balancers.front.certificate",
        "us-east-1",
        "region",
    ),
    (
        "load_balancers.front.certificate",
        OTHER_ACCOUNT,
        "load_balancers.front.certificate",
        "9999",
        "account",
    ),
    ("load_balancers.front.certificate", "x", "load_balancers.front.certificate", "x", "match pattern"),
    ("load_balancers.front.hosts", [], "load_balancers.front.hosts", "[]", "at least 1"),
    (
        "load_balancers.front.hosts",
        [f"h{n}.example" for n in range(6)],
        "load_balancers.front.hosts",
        "h0",
        "5",
    ),
    (
        "load_balancers.front.hosts",
        ["UP.example"],
        "load_balancers.front.hosts.0",
        "UP.example",
        "match pattern",
    ),
    ("load_balancers.front.hosts", ..., "load_balancers.front.hosts", "missing", "answered 404"),
    (
        "load_balancers.front.health_path",
        "health",
        "load_balancers.front.health_path",
        "health",
        "match pattern",
    ),
    ("load_balancers.front.uploads", "yes", "load_balancers.front.uploads", "yes", "boolean"),
    (
        "load_balancers.front.requests_per_five_minutes",
        9,
        "load_balancers.front.requests_per_five_minutes",
        "9",
        "10",
    ),
    ("firewall.11", SECOND_TARGET, "load_balancers.front", "app 8443, edge 443", "one server role"),
    (SPARE, SOURCE | {"cidr": "10.1.2.0/24"}, f"{SPARE}.cidr", "10.1.2.0/24", "public range"),
    (SPARE, SOURCE | {"cidr": "fd00::/48"}, f"{SPARE}.cidr", "fd00::/48", "public range"),
    (SPARE, SOURCE | {"cidr": "20.0.0.0/23"}, f"{SPARE}.cidr", "20.0.0.0/23", "/24 or narrower"),
    (SPARE, SOURCE | {"cidr": "2a00:1450::/47"}, f"{SPARE}.cidr", "2a00:1450::/47", "/48 or narrower"),
    (SPARE, SOURCE | {"cidr": "198.51.100.0/27"}, f"{SPARE}.cidr", "198.51.100.0/27", "one customer"),
    (SPARE, SOURCE | {"until": "2026-01-31"}, f"{SPARE}.until", "2026-01-31", "has ended"),
]


@pytest.mark.parametrize(
    ("path", "value", "key", "shown", "words"), CASES, ids=[f"{c[0]} {c[4]}" for c in CASES]
)
def test_bad_input_is_named_with_its_rule_and_fix(
    path: str, value: Any, key: str, shown: str, words: str
) -> None:
    found = problems(put(raw(), path, value))
    assert [p for p in found if p.key == key and shown in p.value and words in f"{p.rule} {p.fix}"], [
        str(p) for p in found
    ]


def test_no_way_leads_around_the_firewall_that_binds_customers() -> None:
    data = put(raw(), "firewall.10.to", ["edge"])  # front → edge, which the internet reaches as well
    (found,) = [p for p in problems(data) if p.key == "firewall.0.to"]
    assert found.value == "bound_sources to edge"
    assert "bound sources" in found.rule
    open_to_all = put(data, "load_balancers.front.sources", "internet")
    for index in (8, 9):  # internet → front
        put(open_to_all, f"firewall.{index}.accepted", ACCEPTED)
    assert settings.parse(open_to_all).load_balancers["front"].sources == "internet"


def test_a_load_balancer_for_customers_needs_a_bound_source() -> None:
    data = raw()
    for customer in data["customers"].values():
        customer["sources"] = {}
    found = {p.key: p.rule for p in problems(data)}
    assert set(found) == {"load_balancers.front.sources", "firewall.0.from"}
    assert all("nobody would be admitted" in says for says in found.values())


def test_more_customers_than_the_firewall_has_sets_for_are_refused() -> None:
    data = raw()
    one = data["customers"]["surya-insurance"]
    for number in range(97):
        cidr = f"20.0.{number}.0/32"
        data["customers"][f"customer-{number}"] = one | {"sources": {"office": SOURCE | {"cidr": cidr}}}
    assert any(p.key == "customers" and "99 sets" in p.value for p in problems(data))


def test_the_named_day_still_counts_and_the_next_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    data = put(raw(), SPARE, SOURCE | {"until": "2026-12-31"})
    monkeypatch.setattr(rules_edge, "today", lambda: date(2026, 12, 31))
    assert settings.parse(data)
    monkeypatch.setattr(rules_edge, "today", lambda: date(2027, 1, 1))
    assert [p.key for p in problems(data)] == [f"{SPARE}.until"]


def test_two_sources_of_one_customer_may_overlap() -> None:
    data = put(raw(), SPARE, SOURCE | {"cidr": "198.51.100.20/31"})
    assert settings.parse(data)
