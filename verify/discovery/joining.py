"""What every finder of parts of a region is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from verify.account import Account
from verify.subjects import Resource

Contract = dict[str, Any]
Found = Iterator[Resource]
Finder = Callable[[Account, Contract], Found]


def tag(data: dict[str, Any], key: str = "Name") -> str | None:
    """A tag's value in an EC2 description."""
    return next((str(t["Value"]) for t in data.get("Tags", []) if t["Key"] == key), None)


def join(
    kind: str, promised: dict[str, tuple[str, dict[str, Any]]], seen: dict[str, Any], source: str
) -> Found:
    """`promised` by the account's id: (our name, contract entry); `seen` by the same id: the account's
    description."""
    for identity, (name, expected) in promised.items():
        facts = {"id": identity}
        if identity in seen:
            yield Resource(f"{kind}/{name}", kind, seen[identity], source, facts, expected)
        else:
            problem = f"{identity} of the region contract is not in the account"
            yield Resource(
                f"{kind}/{name}", kind, source=source, facts=facts, expected=expected, problem=problem
            )
    for identity, data in seen.items():
        if identity not in promised:
            name = data.get("Name") or identity
            yield Resource(f"{kind}/{name}", kind, data, source, {"id": identity})
