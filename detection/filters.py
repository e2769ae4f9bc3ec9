"""What is looked for in the trail: `filters.yaml` as metric filter patterns of CloudWatch Logs. Pure.

The syntax is that of the Amazon CloudWatch Logs User Guide, "Filter pattern syntax", JSON log events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from detection.model import LAYERS, SEVERITIES, Severity

_FILE = Path(__file__).with_name("filters.yaml")
# CloudWatch Logs API reference, PutMetricFilter.
LONGEST_PATTERN = 1024
_ISSUER = "$.userIdentity.sessionContext.sessionIssuer.userName"


@dataclass(frozen=True)
class Filter:
    """One thing to look for; `usage` is judged by what is usual, the rest by a number of events."""

    id: str
    layer: str
    severity: Severity
    says: str
    pattern: str
    benchmark: str | None
    usage: bool


def filters(rolling_role: str | None = None) -> tuple[Filter, ...]:
    """Every filter. `rolling_role`: the role that changes policies by design."""
    data = _data()
    name = f"{data['benchmark']['name']} v{data['benchmark']['version']}"
    return tuple(_filter(key, entry, name, rolling_role) for key, entry in data["filters"].items())


@cache
def _data() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(_FILE.read_text())
    return found


def _filter(key: str, entry: dict[str, Any], benchmark: str, rolling_role: str | None) -> Filter:
    pattern = entry.get("pattern") or calls(
        entry["service"], entry["events"], rolling_role if entry.get("except_role") else None
    )
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"filter {key}: {len(pattern)} characters, CloudWatch Logs takes {LONGEST_PATTERN}")
    if entry["layer"] not in LAYERS or entry["severity"] not in SEVERITIES:
        raise ValueError(f"filter {key}: unknown layer or severity")
    number = f"{benchmark}: {entry['cis']}" if entry["cis"] else None
    return Filter(
        key,
        entry["layer"],
        entry["severity"],
        entry["says"],
        pattern,
        number,
        bool(entry.get("usage")),
    )


def calls(service: str, events: Sequence[str], except_role: str | None = None) -> str:
    """The pattern of changing calls to a service, e.g. `iam`; `*` at either end of an event's name is any
    text. `readOnly` keeps out the reading calls that a `*` would let in.
    """
    named = " || ".join(f'($.eventName = "{event}")' for event in events)
    parts = [f'($.eventSource = "{service}.amazonaws.com")', "($.readOnly IS FALSE)", f"({named})"]
    if except_role:
        # A caller without a session has no issuer: it must exist to be the one that is left out.
        parts.append(f'(({_ISSUER} NOT EXISTS) || ({_ISSUER} != "{except_role}"))')
    return f"{{ {' && '.join(parts)} }}"
