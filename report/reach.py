"""Who may reach whom, as rows of a table: the intent for a reader without a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_LIMITS = {"connections": "connections per source", "rate": "new per second per source"}


@dataclass(frozen=True)
class Reach:
    """One line of the plain table: who may open what, and why."""

    source: str
    target: str
    protocol: str
    port: str
    why: str
    limit: str


def reach(region: dict[str, Any]) -> list[Reach]:
    """The intent's flows as rows of a table, in the order of the stack file."""
    rows = []
    for flow in region.get("intent", {}).get("flows", []):
        limit = flow.get("limit") or {}
        rows.append(
            Reach(
                source=named(flow["source"]),
                target=named(flow["target"]).replace("_", " "),
                protocol=str(flow.get("protocol", "")),
                port=str(flow.get("port", "")),
                why=str(flow.get("why", "")),
                limit=", ".join(f"{value} {_LIMITS.get(name, name)}" for name, value in limit.items()),
            )
        )
    return rows


def named(end: dict[str, Any]) -> str:
    """An endpoint's name for a reader; the AWS endpoints carry the name of the VPC they stand in."""
    name, kind = str(end.get("name") or end.get("kind", "?")), end.get("kind")
    if kind == "aws_endpoints" and name != kind:
        return f"AWS endpoints of {name}"
    if kind == "source":
        return f"bound sources of {name}"
    return name
