"""Names that nodes may resolve, and the tiers that cross a transit gateway: what is refused, and why."""

from __future__ import annotations

from typing import Any

import pytest

import settings
from tests.unit.settings_sample import put, raw

CASES = [
    # domains, index of the problem, part of its rule or fix
    (["*.s3.amazonaws.com"], 0, "anybody can have a name under amazonaws.com"),
    (["amazonaws.com"], 0, "anybody can have a name under amazonaws.com"),
    (["*.github.io"], 0, "without a wildcard"),
    (["a.example.org", "a.example.org"], 1, "a.example.org lists it already"),
    (["*.example.org", "a.example.org"], 1, "*.example.org lists it already"),
    (["*.b.example.org", "*.example.org"], 0, "list a name once"),
]


def problems(data: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(settings.SettingsError) as refused:
        settings.parse(data)
    return {p.key: f"{p.value} {p.rule} {p.fix}" for p in refused.value.problems}


@pytest.mark.parametrize(("domains", "index", "said"), CASES)
def test_a_name_that_is_anybodys_or_stands_twice_is_refused(
    domains: list[str], index: int, said: str
) -> None:
    found = problems(put(raw(), "dns", {"allowed_domains": domains}))
    assert list(found) == [f"dns.allowed_domains.{index}"]
    assert said in found[f"dns.allowed_domains.{index}"]


@pytest.mark.parametrize(
    "domain", ["*", "com", "*.com", "exa mple.org", "http://example.org", "*example.org"]
)
def test_what_is_no_domain_is_refused(domain: str) -> None:
    assert "dns.allowed_domains.0" in problems(put(raw(), "dns", {"allowed_domains": [domain]}))


def test_whole_names_under_a_shared_domain_and_ones_own_wildcards_are_taken() -> None:
    stated = {"allowed_domains": ["status.ap-south-1.amazonaws.com", "*.example.org", "example.org"]}
    assert settings.parse(put(raw(), "dns", stated)).dns.allowed_domains == tuple(stated["allowed_domains"])


def test_one_tier_of_a_vpc_crosses_a_transit_gateway() -> None:
    data = put(raw(), "transit", "transit_gateway")
    settings.parse(data)
    rule = {"from": ["edge"], "to": ["archive"], "protocol": "tcp", "port": 9444, "why": "a second crossing"}
    data["firewall"].append(rule)
    found = problems(data)
    assert list(found) == ["transit"]
    assert "customer: private, public" in found["transit"] and "use peering" in found["transit"]
    settings.parse(put(data, "transit", "peering"))
