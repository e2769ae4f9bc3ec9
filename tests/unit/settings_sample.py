"""Raw settings for tests: the shipped Mumbai stack as un-prefixed data, fresh each time."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
STACKS = ("eu-frankfurt", "in-hyderabad", "in-mumbai")


@functools.cache
def _raw(stack: str) -> dict[str, Any]:
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {k.removeprefix("stockade:"): v for k, v in config.items() if k.startswith("stockade:")}


def raw(stack: str = "in-mumbai") -> dict[str, Any]:
    return copy.deepcopy(_raw(stack))


# Under which a rule may open a server to everybody; today is stated in tests/conftest.py.
ACCEPTED = {"owner": "platform-engineering", "why": "a test", "change": "CHG-1", "until": "2027-06-30"}


def opened(stack: str = "in-mumbai") -> dict[str, Any]:
    """The stack with `edge` open to everybody, under an exception."""
    return put(put(raw(stack), "firewall.0.from", ["internet"]), "firewall.0.accepted", dict(ACCEPTED))


def put(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Set `path` (dots, numbers for lists) to a value; `...` removes it. Returns the data."""
    here: Any = data
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    for part in parents:
        here = here[part]
    if value is ...:
        del here[last]
    elif isinstance(here, list) and last == len(here):
        here.append(value)
    else:
        here[last] = value
    return data
