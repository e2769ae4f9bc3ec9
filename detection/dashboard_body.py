"""Bodies of the dashboards, one per layer. Pure and deterministic: the same region gives the same text.

CloudWatch API reference, "Dashboard Body Structure and Syntax"; 24 columns, widgets of a third each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from detection.model import LAYERS
from detection.watched import namespace

_FILE = Path(__file__).with_name("dashboards.yaml")
COLUMNS, WIDTH, HEIGHT = 24, 8, 6
ALARM_ROWS = 4
PERIOD = 300


@cache
def _data() -> dict[str, dict[str, Any]]:
    data: dict[str, dict[str, Any]] = yaml.safe_load(_FILE.read_text())
    if tuple(data) != LAYERS:
        raise ValueError(f"dashboards.yaml has {', '.join(data)}; the layers are {', '.join(LAYERS)}")
    return data


def dashboard_name(stack: str, layer: str) -> str:
    """Letters, digits and hyphens only."""
    return f"{stack}-{layer.replace(' ', '-')}"


def body(stack: str, region: str, layer: str, alarm_arns: Sequence[str]) -> str:
    """The body of a layer's dashboard: the state of its alarms above, its parameters below."""
    shown = _data()[layer]
    widgets = [_title(stack, region, layer, len(alarm_arns))]
    top = 2
    if alarm_arns:
        widgets.append(_alarms(layer, alarm_arns, top))
        top += ALARM_ROWS
    for place, (title, source) in enumerate(shown.items()):
        column, row = place % (COLUMNS // WIDTH), place // (COLUMNS // WIDTH)
        at = {"x": column * WIDTH, "y": top + row * HEIGHT, "width": WIDTH, "height": HEIGHT}
        widgets.append({"type": "metric", **at, "properties": _metric(title, source, stack, region)})
    return json.dumps({"widgets": widgets}, sort_keys=True, separators=(",", ":"))


def _title(stack: str, region: str, layer: str, alarms: int) -> dict[str, Any]:
    text = f"# {layer.capitalize()} of {stack}\n{region}, {alarms} alarm{'s' if alarms != 1 else ''}"
    at = {"x": 0, "y": 0, "width": COLUMNS, "height": 2}
    return {"type": "text", **at, "properties": {"markdown": text}}


def _alarms(layer: str, arns: Sequence[str], top: int) -> dict[str, Any]:
    at = {"x": 0, "y": top, "width": COLUMNS, "height": ALARM_ROWS}
    return {"type": "alarm", **at, "properties": {"title": f"Alarms: {layer}", "alarms": sorted(arns)}}


def _metric(title: str, source: Mapping[str, Any], stack: str, region: str) -> dict[str, Any]:
    statistic = source.get("statistic", "Sum")
    if "query" in source:
        metrics: list[list[Any]] = [[{"expression": source["query"], "id": "q1", "period": PERIOD}]]
    elif "search" in source:
        expression = f"SEARCH('{source['search']}', '{statistic}', {PERIOD})"
        metrics = [[{"expression": expression, "id": "s1"}]]
    else:
        metrics = [
            [namespace(stack) if space == "<trail>" else space, name, {"stat": stat}]
            for space, name, stat in source["metrics"]
        ]
    shown = {"metrics": metrics, "period": PERIOD, "view": "timeSeries", "stacked": False}
    return {"title": title, "region": region, **shown}
