"""Every line of entries.yaml: who becomes a team, decided from the trust policies that the program writes."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.evaluation import Account, Document, Policies, Request, allowed
from tests.infra.monitor import run_of, stack_file
from tests.infra.test_decisions import ROLLED, STACK

TABLE = yaml.safe_load(Path(__file__).with_name("entries.yaml").read_text())
TEAMS = ("platform", "operations", "security", "auditor", "break-glass")


@dataclass(frozen=True)
class Entry:
    when: str
    team: str
    expected: bool

    def __str__(self) -> str:
        return f"{self.team} {'may' if self.expected else 'may not'} be taken when {self.when}"


@functools.cache
def account() -> Account:
    return Account(run_of(STACK), ROLLED)


@functools.cache
def roles() -> dict[str, str]:
    return account().roles()


@functools.cache
def identity_account() -> str:
    return str(stack_file(STACK)["stockade:access"]["identity_account"])


def entries() -> Iterator[Entry]:
    for line in TABLE["entries"]:
        for word, expected in (("may", True), ("may not", False)):
            named = line.get(word, ())
            for team in TEAMS if named == "all" else named:
                yield Entry(line["when"], team, expected)


def situation(entry: Entry) -> dict[str, str]:
    (change,) = (line.get("change", {}) for line in TABLE["entries"] if line["when"] == entry.when)
    stated = {key: value for key, value in {**TABLE["good"], **change}.items() if value is not None}
    return {
        k: v.replace("{team}", entry.team).replace("{identity}", identity_account())
        for k, v in stated.items()
    }


def decide(entry: Entry, trust: Document) -> bool:
    """Across accounts both sides have to allow: the caller's own policy does, what is left is the trust."""
    stated = situation(entry)
    principal, action = stated.pop("principal"), stated.pop("action")
    role = roles()[f"team-{entry.team}"]
    own = {"Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}
    policies = Policies([own], resource={**trust, "Statement": _on(role, trust)}, resource_must_allow=True)
    return allowed(Request(principal, action, role, stated), policies)


def _on(role: str, trust: Document) -> list[dict[str, Any]]:
    """A trust policy names no resource: it is its role's."""
    return [{**statement, "Resource": role} for statement in trust["Statement"]]


def wrong(team: str, trust: Document) -> list[str]:
    mine = [entry for entry in entries() if entry.team == team]
    return [str(entry) for entry in mine if decide(entry, trust) is not entry.expected]


def trust_of(team: str) -> Document:
    return copy.deepcopy(account().trust(f"team-{team}"))


def test_every_entry_is_decided_as_it_is_written_down() -> None:
    written = list(entries())
    assert len(written) == len(set(written)) >= 150
    for team in TEAMS:
        mine = [entry.expected for entry in written if entry.team == team]
        assert mine.count(True) >= 5, f"{team}: what is never allowed proves no limit"
        assert mine.count(False) >= 20, f"{team}: what is never refused has none"
        assert not wrong(team, trust_of(team))


@pytest.mark.parametrize("team", TEAMS)
@pytest.mark.parametrize(
    ("operator", "key"),
    [
        ("Bool", "aws:MultiFactorAuthPresent"),
        ("NumericLessThan", "aws:MultiFactorAuthAge"),
        ("StringEquals", "aws:PrincipalOrgID"),
        ("StringEquals", "aws:PrincipalTag/stockade:team"),
        ("StringEquals", "sts:SourceIdentity"),
        ("StringEquals", "sts:RoleSessionName"),
        ("IpAddress", "aws:SourceIp"),
        ("Bool", "aws:SecureTransport"),
    ],
)
def test_without_one_condition_somebody_gets_in_who_must_not(team: str, operator: str, key: str) -> None:
    """The table notices each condition that a trust policy would lose."""
    weakened = trust_of(team)
    for statement in weakened["Statement"]:
        found = statement["Condition"].get(operator, {})
        assert key in found or key == "sts:RoleSessionName", f"{statement['Sid']} has no {operator} {key}"
        found.pop(key, None)
        if not found:
            statement["Condition"].pop(operator, None)
    assert any("may not" in line for line in wrong(team, weakened)), f"nobody misses {key}"
