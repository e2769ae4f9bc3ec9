"""The words weaknesses are written in.

A weakness is a generator over the live region: it weakens one thing through the AWS API, yields exactly the
pairs of control and subject that must turn red, and repairs. Every file here has its own in `WEAKNESSES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Pairs = set[tuple[str, str]]
Weakness = Callable[[Any], Iterator[Pairs]]
ANYWHERE = "0.0.0.0/0"


def pairs(subject: str, *numbers: str) -> Pairs:
    """Controls by area and number ("BKT-003") on one subject."""
    return {(f"STK-{number}", subject) for number in numbers}


def account(live: Any, *numbers: str) -> Pairs:
    """Controls on the account itself."""
    return pairs(f"account/{live.contract['account']}", *numbers)


def node_of(live: Any, role: str) -> dict[str, Any]:
    """The first node of a server role, as the contract has it."""
    found: dict[str, Any] = next(node for node in live.contract["nodes"] if node["role"] == role)
    return found
