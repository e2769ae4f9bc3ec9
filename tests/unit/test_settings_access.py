"""Who may act: what is refused, with its rule and its fix."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

import settings
from inventory.build import LOGIN as INVENTORY_LOGIN
from nodes.first_boot import LOGIN as FIRST_BOOT_LOGIN
from settings import rules_access
from tests.unit.settings_sample import ROOT, STACKS, put, raw

TODAY = date(2026, 11, 22)
BLOCK = {"service": "bedrock", "effect": "block", "for": "organisation", "why": "no model is approved"}
TEAM = {**BLOCK, "effect": "enable", "for": "team/platform", "why": "a trial"}
HOURS = {"days": ["Mon"], "from": "08:00", "to": "20:00", "timezone": "Asia/Kolkata"}

CASES = [
    # place, value, key of the problem, value shown, part of the rule or the fix
    ("trusted_ranges.noc", ["10.0.0.0/24"], "trusted_ranges.noc.0", "10.0.0.0/24", "the public address"),
    ("trusted_ranges.noc", ["8.0.0.0/8"], "trusted_ranges.noc.0", "8.0.0.0/8", "a /24 or narrower"),
    ("trusted_ranges.noc", ["2a00::/20"], "trusted_ranges.noc.0", "2a00::/20", "a /48 or narrower"),
    ("trusted_ranges.noc", [], "trusted_ranges.noc", "empty", "at least one range"),
    ("identity_account", "111122223333", "identity_account", "111122223333", "another account"),
    ("teams.platform.hours.to", "08:00", "teams.platform.hours", "08:00 to 08:00", "end after they begin"),
    ("teams.platform.hours.from", "24:00", "teams.platform.hours", "24:00 to 20:00", "end after they begin"),
    ("teams.platform.hours.days.1", "Mon", "teams.platform.hours.days", "Mon", "named once"),
    ("teams.break-glass.hours", HOURS, "teams.break-glass.hours", "a window", "keeps no hours"),
    ("teams.break-glass.until", ..., "teams.break-glass.until", "missing", "at most a year"),
    ("teams.break-glass.until", "2027-11-24", "teams.break-glass.until", "2027-11-24", "at most a year"),
    ("teams.break-glass.until", "2026-11-21", "teams.break-glass.until", "2026-11-21", "last day is over"),
    ("teams.auditor.until", "2025-01-01", "teams.auditor.until", "2025-01-01", "last day is over"),
    ("switches", [{**BLOCK, "until": "2026-11-21"}], "switches.0.until", "2026-11-21", "last day is over"),
    ("switches", [{**BLOCK, "service": "bedrok"}], "switches.0.service", "bedrok", "did you mean bedrock"),
    ("switches", [{**BLOCK, "service": "sts"}], "switches.0.service", "sts", "nothing works without it"),
    ("switches", [{**BLOCK, "for": "team/sales"}], "switches.0.for", "team/sales", "team of the stack"),
    ("switches", [BLOCK, BLOCK], "switches.1", "block bedrock for organisation", "one switch decides"),
    ("switches", [TEAM], "switches.0", "enable bedrock for team/platform", "inside a wider block"),
    (
        "switches",
        [{**BLOCK, "effect": "enable"}],
        "switches.0",
        "enable bedrock for organisation",
        "inside a wider block",
    ),
    (
        "switches",
        [{**BLOCK, "for": "user/u1"}, {**BLOCK, "for": "user/u1", "effect": "enable"}],
        "switches.1",
        "enable bedrock for user/u1",
        "one switch decides",
    ),
]


@pytest.fixture(autouse=True)
def on_this_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_access, "today", lambda: TODAY)


@pytest.mark.parametrize(("place", "value", "key", "shown", "words"), CASES)
def test_what_is_wrong_is_one_clear_line(place: str, value: Any, key: str, shown: str, words: str) -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(put(raw(), f"access.{place}", value))
    found = [p for p in error.value.problems if p.key == f"access.{key}" and p.value == shown]
    assert any(words in f"{p.rule}; {p.fix}" for p in found), [str(p) for p in error.value.problems]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("teams.break-glass.until", "2026-11-22"),  # the named day still counts
        ("teams.break-glass.until", "2027-11-23"),
        ("teams.platform.hours.to", "24:00"),
        ("switches", [BLOCK, TEAM, {**TEAM, "for": "user/u1"}]),
        ("switches", [{**BLOCK, "for": "team/platform"}, {**TEAM, "for": "user/u1"}]),
        ("switches", [{**BLOCK, "until": "2026-11-22"}]),
        ("trusted_ranges.noc", ["1.1.1.1/32", "2606:4700::/48"]),
    ],
)
def test_what_is_right_passes(place: str, value: Any) -> None:
    settings.parse(put(raw(), f"access.{place}", value))


@pytest.mark.parametrize("stack", STACKS)
def test_the_shipped_stacks_pass(stack: str) -> None:
    settings.parse(raw(stack))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"admin": {"owner": "ops", "why": "a test", "until": "2026-01-31"}}, "its last day is over"),
        ({"admin": {"owner": "ops", "why": "a test", "until": "2029-01-31"}}, "at most a year from now"),
        ({"backup": {"owner": "ops", "why": "a test", "until": "2027-01-31"}}, "add admin with owner"),
        ({"admin": {"owner": "ops", "why": "a test"}}, "until"),
    ],
)
def test_root_without_a_password_has_an_owner_and_an_end(entries: Any, words: str) -> None:
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse({**raw(), "automation": entries})
    assert any(words in str(problem) for problem in caught.value.problems)
    assert all(problem.key.startswith("automation") for problem in caught.value.problems)


def test_the_login_is_the_same_everywhere() -> None:
    assert rules_access.LOGIN == INVENTORY_LOGIN == FIRST_BOOT_LOGIN


def test_services_come_with_their_source_and_date() -> None:
    assert {"bedrock", "s3", "ec2", "iam"} <= rules_access.service_prefixes()
    head = (ROOT / "settings/service_prefixes.txt").read_text()
    assert "Service Authorization Reference" in head and "2026-11-22" in head
