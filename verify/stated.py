"""Expected nodes without a region contract: stated by the caller, described by an Ansible inventory.

The inventory says how nodes are reached and what they are; it never says which have to be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fault import Fault

SCHEMA = "stockade/region/1"
RULE = "without a region contract the expected nodes are stated"
FIX = "give --region FILE, or --expect with NAME,NAME or with the path of a list"
_FACTS = ("tier", "zone", "kind", "profile")


class Unstated(dict[str, Any]):
    """A part of a contract; asking for what nobody stated makes a test not applicable, with that reason."""

    def __init__(self, values: Mapping[str, Any], what: str) -> None:
        super().__init__(values)
        self._what = what

    def __missing__(self, key: str) -> Any:
        pytest.skip(f"not applicable: {self._what} does not state `{key}`")


def expected_names(text: str | None) -> list[str]:
    """The names in `--expect`: with commas between them, or one a line in a file whose path has a slash.

    Raises Fault when there are none, or one of them twice.
    """
    if text is None:
        raise Fault("--region is missing", RULE, FIX)
    if "/" in text:  # pytest itself takes @FILE for a file of arguments
        try:
            lines = Path(text).read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Fault(f"--expect {text}: {error}", RULE, FIX) from error
        text = ",".join(line.partition("#")[0] for line in lines)
    names = [name.strip() for name in text.split(",") if name.strip()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice:
        raise Fault(f"--expect names {f'{twice[0]} twice' if twice else 'no node'}", RULE, FIX)
    return names


def contract_of(names: list[str], found: Mapping[str, Mapping[str, Any]], inventory: Path) -> dict[str, Any]:
    """As much of a region contract as names and host variables give (docs/contracts.md section 3)."""
    return {
        "schema": SCHEMA,
        "stack": inventory.stem,
        "project": "stockade",
        "region": "not stated",
        "account": "not stated",
        "vpcs": {},
        "nodes": [_node(name, found.get(name, {})) for name in names],
    }


def _node(name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    groups = sorted(variables.get("group_names") or ())
    role = variables.get("stockade_role") or next(iter(groups), "ungrouped")
    facts = {key: variables[f"stockade_{key}"] for key in _FACTS if variables.get(f"stockade_{key}")}
    return {"name": name, "role": str(role), "address": str(variables.get("ansible_host") or name), **facts}
