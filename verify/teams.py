"""What the documents of a team's role say for certain: denials that no grant can lift, windows, trust."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from verify import identity
from verify.account import Account
from verify.policies import Statement, conditions, covers
from verify.subjects import Resource


def denials(aws: Account, role: Resource) -> list[Statement]:
    """Every Deny on a role: in its policies and in its boundary."""
    own = [s for policy in identity.policies_of(aws, role["RoleName"]).values() for s in policy]
    return [s for s in [*own, *boundary(aws, role)] if s.get("Effect") == "Deny"]


def boundary(aws: Account, role: Resource) -> list[Statement]:
    """The statements of its boundary; none when it has none."""
    return identity.boundary_of(aws, role.data) or []


def always_denied(
    statements: Iterable[Statement], action: str, resource: str = "*", but: Iterable[str] = ()
) -> bool:
    """Is there an unconditional Deny of this action on this resource? `but`: patterns it may leave out."""
    left_out = set(but)
    return any(
        _names(statement, action)
        and not conditions(statement)
        and (_reaches(statement, resource) or _all_but(statement, left_out))
        for statement in statements
    )


def _all_but(statement: Statement, left_out: set[str]) -> bool:
    excepted = set(statement.get("NotResource", []))
    return bool(excepted) and excepted <= left_out


def denied_when(statements: Iterable[Statement], action: str, condition: dict[str, set[str]]) -> bool:
    """Is there a Deny of this action on everything, under exactly these conditions?

    `condition`: "operator key" in lower case → the values, all of which have to be there and no other.
    """
    return any(
        _names(statement, action)
        and _reaches(statement, "*")
        and {key: set(values) for key, values in conditions(statement).items()} == condition
        for statement in statements
    )


def _names(statement: Statement, action: str) -> bool:
    if "NotAction" in statement:
        return not covers(statement["NotAction"], action)
    return covers(statement.get("Action", []), action)


def _reaches(statement: Statement, resource: str) -> bool:
    patterns = statement.get("Resource", [])
    return "*" in patterns or (resource != "*" and any(_matches(pattern, resource) for pattern in patterns))


def _matches(pattern: str, resource: str) -> bool:
    # An ARN's case counts, unlike an action's.
    head, star, _ = pattern.partition("*")
    return resource.startswith(head) if star else resource == pattern


def windows(statements: Iterable[Statement]) -> list[tuple[datetime | None, datetime | None]]:
    """From when to when each Allow of a boundary holds; None where it says no bound."""
    return [_window(statement) for statement in statements if statement.get("Effect") == "Allow"]


def _window(statement: Statement) -> tuple[datetime | None, datetime | None]:
    found = conditions(statement)
    opens = found.get("dategreaterthanequals aws:currenttime")
    closes = found.get("datelessthan aws:currenttime")
    return _moment(opens), _moment(closes)


def _moment(values: list[str] | None) -> datetime | None:
    if not values or len(values) != 1:
        return None
    moment = datetime.fromisoformat(values[0].upper().replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def trust_conditions(role: Resource) -> list[tuple[set[str], dict[str, list[str]]]]:
    """Per trusting statement: the actions it allows, and its conditions."""
    return [(set(s.get("Action", [])), conditions(s)) for s in identity.trusted(role.data)]


def roller_policies(aws: Account, contract: dict[str, Any]) -> list[Statement]:
    """What the function that rolls windows may do."""
    name = contract["role_arn"].split("/")[-1]
    return [s for policy in identity.policies_of(aws, name).values() for s in policy]
