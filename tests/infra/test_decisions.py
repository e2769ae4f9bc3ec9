"""Every line of decisions.yaml, decided from the documents that the program writes."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from iam import window_roll
from tests.infra.evaluation import Account, Request, allowed
from tests.infra.monitor import run_of

STACK = "in-mumbai"
# When the windows were rolled last: Tuesday morning.
ROLLED = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
TABLE = yaml.safe_load(Path(__file__).with_name("decisions.yaml").read_text())


@dataclass(frozen=True)
class Row:
    principal: str
    situation: str
    action: str
    resource: str
    expected: bool

    def __str__(self) -> str:
        verdict = "may" if self.expected else "may not"
        return f"{self.principal} {self.situation} {verdict} {self.action} on {self.resource}"


@functools.cache
def account() -> Account:
    return Account(run_of(STACK), ROLLED)


def rows() -> Iterator[Row]:
    for group in TABLE["groups"]:
        for verdict in ("allow", "deny"):
            for line in group.get(verdict, ()):
                action, _, pattern = line.partition(" ")
                for resource in filled(pattern):
                    yield Row(group["principal"], group["situation"], action, resource, verdict == "allow")


def filled(pattern: str) -> list[str]:
    """A line's resources: one, or one for each bucket, key or rolled policy."""
    known, region = account(), account().run.outputs["region"]
    plain = {"{region}": region["region"], "{account}": region["account"], "{stack}": STACK}
    for name, value in plain.items():
        pattern = pattern.replace(name, value)
    pattern = re.sub(r"\{bucket/([^}]+)\}", lambda found: known.buckets()[found[1]], pattern)
    pattern = re.sub(r"\{key/([^}]+)\}", lambda found: known.keys()[found[1]], pattern)
    every = {
        "{every bucket}": list(known.buckets().values()),
        "{every key}": list(known.keys().values()),
        "{rolled policy}": [order["arn"] for order in known.orders()],
    }
    for word, values in every.items():
        if word in pattern:
            return [pattern.replace(word, value) for value in values]
    assert "{" not in pattern, pattern
    return [pattern]


def decide(row: Row) -> bool:
    situation = dict(TABLE["situations"][row.situation])
    endpoint = situation.pop("endpoint", None)
    context = {key: value for key, value in situation.items() if value is not None}
    request = Request(account().roles()[row.principal], row.action, row.resource, context)
    return allowed(request, account().policies(row.principal, row.resource, endpoint))


def test_the_table_is_large_and_every_row_stands_once() -> None:
    written = list(rows())
    assert len(written) >= 200
    assert len(written) == len(set(written)), "a row stands twice"
    teams = {row.principal for row in written}
    assert {
        f"team-{team}" for team in ("platform", "operations", "security", "auditor", "break-glass")
    } <= teams


def test_every_role_that_people_or_nodes_take_is_in_the_table() -> None:
    judged = {row.principal for row in rows()}
    made = {name for name in account().roles() if name.startswith(("team-", "node-", "window-"))}
    assert made == judged


@pytest.mark.parametrize("expected", [True, False], ids=["allowed", "refused"])
def test_every_decision_is_the_one_that_is_written_down(expected: bool) -> None:
    chosen = [row for row in rows() if row.expected is expected]
    wrong = [str(row) for row in chosen if decide(row) is not expected]
    assert not wrong, f"{len(wrong)} of {len(chosen)}:\n" + "\n".join(wrong[:40])


def test_every_refusal_has_a_neighbour_that_is_allowed() -> None:
    """A principal that is refused everything proves nothing about where its limits are."""
    allow = {row.principal for row in rows() if row.expected}
    deny = {row.principal for row in rows() if not row.expected}
    assert deny - allow == {"node-edge"}, "only the node that calls no AWS API may have none"


def test_the_rolled_windows_are_the_only_difference_between_day_and_night() -> None:
    for team, closed in (("auditor", True), ("platform", True), ("operations", False), ("security", False)):
        nightly: list[Any] = [
            decide(Row(f"team-{team}", situation, "ec2:DescribeInstances", "*", expected=True))
            for situation in ("at work", "at night")
        ]
        assert nightly == [True, not closed], team


def test_break_the_order_of_statements_changes_no_decision() -> None:
    """Deny wins wherever it stands: the same rows with every document turned round."""
    sample = list(itertools.islice(rows(), 0, None, 7))
    for row in sample:
        found = account().policies(row.principal, row.resource)
        for document in (*found.identity, found.boundary or {"Statement": []}):
            document["Statement"].reverse()
        request = Request(account().roles()[row.principal], row.action, row.resource, _context(row.situation))
        if not TABLE["situations"][row.situation].get("endpoint"):
            assert allowed(request, found) is row.expected, str(row)


def _context(situation: str) -> dict[str, str]:
    return {k: v for k, v in TABLE["situations"][situation].items() if v is not None and k != "endpoint"}


@pytest.mark.parametrize("stack", ["eu-frankfurt", "in-hyderabad", "in-mumbai"])
def test_every_team_fits_into_what_iam_takes(stack: str) -> None:
    """IAM quotas: 10,240 characters of a role's inline policies, 6,144 a managed, 2,048 a trust policy."""
    found = Account(run_of(stack), ROLLED)
    for role in (name for name in found.roles() if name.startswith("team-")):
        inline = sum(window_roll.size(document) for document in found.inline(role))
        assert inline <= 10_240, f"{role}: {inline}"
        assert all(window_roll.size(d) <= window_roll.MOST_CHARACTERS for d in found.attached(role))
        assert window_roll.size(found.boundary(role)) <= window_roll.MOST_CHARACTERS
        assert window_roll.size(found.trust(role)) <= 2048


def test_a_wildcard_in_what_a_team_may_do_reads_or_stays_in_the_region() -> None:
    reading = re.compile(r":(Describe|Get|List|BatchGet|Search|Lookup)\w*\*$")
    for role in (name for name in account().roles() if name.startswith("team-")):
        for document in account().identity(role):
            for statement in document["Statement"]:
                wide = statement["Effect"] == "Allow" and "*" in statement["Resource"]
                stars = [action for action in statement.get("Action", []) if "*" in action]
                assert not wide or all(map(reading.search, stars)), f"{role} {statement['Sid']}: {stars}"
