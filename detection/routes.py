"""Which events become records of the incident queue: `events.yaml` as rules and input transformers. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from detection.records import SCHEMA, SEVERITIES

_FILE = Path(__file__).with_name("events.yaml")
# Taken from every event (Amazon EventBridge User Guide, "Events structure").
_ENVELOPE = {name: f"$.{name}" for name in ("id", "time", "region", "account", "source")}
SERIOUS = ("critical", "high")


@dataclass(frozen=True)
class Route:
    """One rule: which events, how severe, and what the record says of them."""

    id: str
    severity: str
    title: str
    resource: str
    paths: Mapping[str, str]
    pattern: Mapping[str, Any]

    @property
    def event_pattern(self) -> str:
        """The pattern as EventBridge takes it; sorted, so that the same pattern is the same text."""
        return json.dumps(self.pattern, sort_keys=True, separators=(",", ":"))

    @property
    def input_paths(self) -> dict[str, str]:
        """What the template takes from the event."""
        return {**_ENVELOPE, **self.paths}

    @property
    def template(self) -> str:
        """The record, see `detection.records`. Every placeholder stands in quotes: what an event lacks
        becomes an empty text, never a broken record. The whole event goes along as what is known first.
        """
        fields = {name: f"<{name}>" for name in _ENVELOPE}
        fields |= {"severity": self.severity, "title": self.title, "resource": self.resource}
        record = json.dumps({"schema": SCHEMA, "rule": self.id, **fields}, separators=(",", ":"))
        return f'{record[:-1]},"event":<aws.events.event.json>}}'


@cache
def routes() -> tuple[Route, ...]:
    """Every route of `events.yaml`. Raises ValueError for one that says something unknown."""
    data = yaml.safe_load(_FILE.read_text())
    return tuple(_route(key, entry) for key, entry in data.items())


def _route(key: str, entry: Mapping[str, Any]) -> Route:
    if entry["severity"] not in SEVERITIES:
        raise ValueError(f"event {key}: severity {entry['severity']}")
    return Route(
        key, entry["severity"], entry["title"], entry["resource"], dict(entry["paths"]), entry["pattern"]
    )


def rule_name(stack: str, route: Route) -> str:
    """The rule's name in the account."""
    return f"{stack}-{route.id}"


def serious_rules(stack: str) -> list[str]:
    """Names of the rules whose events call people."""
    return [rule_name(stack, route) for route in routes() if route.severity in SERIOUS]
