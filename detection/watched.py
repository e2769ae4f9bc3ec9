"""What a region has to watch, and the words its alarms are written in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ONE_MINUTE, ONE_DAY = 60, 86_400
# Name of the request metrics of a bucket, over all its objects.
REQUEST_METRICS = "everything"


@dataclass(frozen=True)
class Watched:
    """What a region has to watch. Values may be known only after creation; names never are.

    `tunnels`: "<site>-<vpc>" to the VPN connection's id; `flow_logs`: VPC to its log group's name; `buckets`:
    name in the contract to the name of a critical bucket, which has request metrics `everything`;
    `rolling`: name of the function that rolls the dated windows.
    """

    stack: str
    nodes: int
    trail_group: Any
    topic: Any
    incidents: Any
    dead_letters: Any
    serious_rules: Sequence[str]
    tunnels: Mapping[str, Any] = field(default_factory=dict)
    flow_logs: Mapping[str, Any] = field(default_factory=dict)
    buckets: Mapping[str, Any] = field(default_factory=dict)
    load_balancers: bool = False
    nat: bool = False
    rolling: Any = None


def namespace(stack: str) -> str:
    """Where the metrics of the trail's filters are."""
    return f"Stockade/{stack}"


def over(source: str, function: str, metric: str) -> str:
    """A Metrics Insights query over every resource of a kind. CloudWatch User Guide, "Metrics Insights query
    components and syntax": a name that does not start with a letter stands in quotes.
    """
    name = metric if metric[0].isalpha() else f'"{metric}"'
    return " ".join(("SELECT", f"{function}({name})", "FROM", source))
