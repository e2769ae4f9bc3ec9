"""Row M25 in the settings: nothing faces the internet unbound, but under an exception that ends."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

import settings
from settings import rules_binding
from tests.unit.settings_sample import ACCEPTED, STACKS, opened, put, raw

FRONT = 8  # internet → front, 443


def problems(data: dict[str, Any]) -> list[settings.Problem]:
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(data)
    assert caught.value.code == 2
    return caught.value.problems


@pytest.mark.parametrize("stack", STACKS)
def test_a_server_open_to_the_internet_by_one_word_is_refused(stack: str) -> None:
    (found,) = problems(put(raw(stack), "firewall.0.from", ["internet"]))
    assert (found.key, found.value) == ("firewall.0.from", "internet to edge")
    assert "bound sources only" in found.rule
    assert "from: [bound_sources]" in found.fix and "accepted" in found.fix
    assert settings.parse(opened(stack))  # with an owner, a reason, a change and an end


def test_a_load_balancer_that_admits_everybody_is_refused_likewise() -> None:
    found = problems(put(raw(), "load_balancers.front.sources", "internet"))
    assert {p.value for p in found} == {"internet to front"}
    assert all("load_balancers.front.sources: customers" in p.fix for p in found)


@pytest.mark.parametrize("missing", ["owner", "why", "change", "until"])
def test_an_exception_names_who_why_which_change_and_how_long(missing: str) -> None:
    assert [p.key for p in problems(put(opened(), f"firewall.0.accepted.{missing}", ...))] == [
        f"firewall.0.accepted.{missing}"
    ]


@pytest.mark.parametrize("index", [1, FRONT])
def test_an_exception_that_excepts_nothing_is_refused(index: int) -> None:
    """Customers come through their tunnel; the load balancer binds them by its web firewall."""
    (found,) = problems(put(raw(), f"firewall.{index}.accepted", ACCEPTED))
    assert found.key == f"firewall.{index}.accepted"
    assert found.fix == "remove it"


def test_the_last_day_of_an_exception_still_counts_and_the_next_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last = date.fromisoformat(ACCEPTED["until"])
    monkeypatch.setattr(rules_binding, "today", lambda: last)
    assert not list(_judged(opened()))
    monkeypatch.setattr(rules_binding, "today", lambda: last + timedelta(days=1))
    (found,) = _judged(opened())
    assert "has ended; the opening is refused" in found.rule
    monkeypatch.setattr(rules_binding, "today", lambda: last - timedelta(days=367))
    (found,) = _judged(opened())
    assert "a year at most" in found.rule


def _judged(data: dict[str, Any]) -> list[settings.Problem]:
    from settings.draft import read  # noqa: PLC0415

    draft, broken = read(data)
    assert not broken
    return [problem for rule in rules_binding.RULES for problem in rule(draft)]


def test_bound_sources_without_any_admit_nobody_and_are_said_so() -> None:
    data = raw("in-hyderabad")
    data["customers"]["deccan-rail"]["sources"] = {}
    (found,) = problems(data)
    assert (found.key, found.value) == ("firewall.0.from", "bound_sources")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"to": ["app"]}, "firewall.0.to"),  # a private role
        ({"to": ["front"]}, "firewall.0.from"),  # a load balancer binds by its web firewall
        ({"limit": ...}, "firewall.0.limit"),
    ],
)
def test_bound_sources_reach_public_roles_under_a_throttle(change: dict[str, Any], key: str) -> None:
    data = raw()
    for name, value in change.items():
        put(data, f"firewall.0.{name}", value)
    assert key in {p.key for p in problems(data)}
