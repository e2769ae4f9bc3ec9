"""What a level of hardening and a kind of server change: variables of roles, as data."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from fault import Fault

ROOM = Path(__file__).resolve().parent
LEVELS = ("cis-l1", "cis-l2", "strict")
"""Each holds what it changes against the one before it, so a node gets those up to its own, in this order."""


def variables(kind: str, profile: str, room: Path = ROOM) -> dict[str, Any]:
    """Role variables of a kind of server at a level: the levels in order, then the kind.

    A mapping is merged key by key, anything else is replaced. Raises Fault for an unknown kind or level.
    """
    if profile not in LEVELS:
        raise Fault(
            f"profile {profile!r}", f"a profile is one of {', '.join(LEVELS)}", "correct the stack file"
        )
    merged: dict[str, Any] = {}
    for name in (*LEVELS[: LEVELS.index(profile) + 1], f"kinds/{kind}"):
        for variable, value in _read(room / f"{name}.yaml").items():
            both = isinstance(value, dict) and isinstance(merged.get(variable), dict)
            merged[variable] = {**merged[variable], **value} if both else value
    return merged


def reaches(profile: str, level: str) -> bool:
    """Whether a node of this profile is hardened to that level."""
    return LEVELS.index(level) <= LEVELS.index(profile)


@cache
def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text())
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml"))) or "none"
        rule = f"{path.parent.name} holds {known}"
        raise Fault(
            f"no profile {path.stem!r}", rule, "correct `kind` or `profile` in the stack file"
        ) from error
    if not isinstance(found, dict):
        raise Fault(f"{path}: no mapping", "a profile maps variables of roles to values", "correct the file")
    return found
