"""Switches: the narrowest one decides, and nothing is denied that no switch names."""

from __future__ import annotations

from typing import Any

import pytest

from iam.documents import Document, Statement, document
from iam.switches import for_machines, for_organisation, for_team
from settings.access import Switch
from tests.infra.evaluation import Policies, Request, allowed

ROLES = {
    "platform": "arn:aws:iam::111122223333:role/stockade-teams/x/x-platform",
    "security": "arn:aws:iam::111122223333:role/stockade-teams/x/x-security",
}
MACHINE = "arn:aws:iam::444455556666:role/anything"
EVERYTHING = document([Statement("All", "Allow", ["*"])])


def switches(*stated: str) -> list[Switch]:
    return [
        Switch.model_validate({"service": "bedrock", "effect": e, "for": f, "why": "as agreed"})
        for e, f in (one.split() for one in stated)
    ]


def may(role: str, user: str, statements: list[Statement], action: str = "bedrock:InvokeModel") -> bool:
    denials: Document = document([Statement("All", "Allow", ["*"]), *statements])
    context = {"aws:SourceIdentity": user} if user else {}
    return allowed(Request(role, action, "*", context), Policies([EVERYTHING], denials))


CASES: list[tuple[tuple[str, ...], dict[str, bool]]] = [
    (("block organisation",), {"platform/u1": False, "security/u1": False, "machine/": False}),
    (("block team/platform",), {"platform/u1": False, "security/u1": True, "machine/": True}),
    (("block user/u1",), {"platform/u1": False, "security/u1": False, "security/u2": True, "machine/": True}),
    (
        ("block organisation", "enable team/platform"),
        {"platform/u1": True, "security/u1": False, "machine/": False},
    ),
    (
        ("block organisation", "enable user/u1"),
        {"platform/u1": True, "platform/u2": False, "security/u1": True, "machine/": False},
    ),
    (
        ("block organisation", "enable team/platform", "block user/u2"),
        {"platform/u1": True, "platform/u2": False, "security/u1": False},
    ),
    (("block team/platform", "enable user/u1"), {"platform/u1": True, "platform/u2": False}),
    # A session that nobody named is nobody's exception.
    (("block organisation", "enable user/u1"), {"platform/": False}),
    (("block user/u1",), {"platform/": False}),
]


@pytest.mark.parametrize(("stated", "expected"), CASES)
def test_the_narrowest_switch_decides(stated: tuple[str, ...], expected: dict[str, bool]) -> None:
    written = switches(*stated)
    for who, wanted in expected.items():
        group, _, user = who.partition("/")
        statements = for_machines(written) if group == "machine" else for_team(group, written)
        assert may(ROLES.get(group, MACHINE), user, statements) is wanted, who
        assert may(ROLES.get(group, MACHINE), user, statements, "ec2:RunInstances")


@pytest.mark.parametrize(("stated", "expected"), CASES)
def test_the_organisations_policy_blocks_no_less_and_spares_who_is_enabled(
    stated: tuple[str, ...], expected: dict[str, bool]
) -> None:
    written: Any = switches(*stated)
    organisation = for_organisation(written, ROLES)
    for who, wanted in expected.items():
        group, _, user = who.partition("/")
        role = ROLES.get(group, MACHINE)
        both = [*organisation, *(_renamed(for_team(group, written)) if group in ROLES else [])]
        if wanted or any(one == "block organisation" for one in stated):
            assert may(role, user, both) is wanted, who


def _renamed(statements: list[Statement]) -> list[Statement]:
    return [Statement(f"Own{s.sid}", s.effect, s.actions, condition=s.condition) for s in statements]


def test_without_a_switch_nothing_is_written() -> None:
    assert for_team("platform", []) == for_machines([]) == for_organisation([], ROLES) == []
