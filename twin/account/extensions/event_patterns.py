"""EventBridge: whether a pattern matches an event, and what an input transformer makes of it. Pure.

EventBridge User Guide, "Event patterns": a pattern matches when every field it names matches; below an array
it is enough that one element matches, and all that is said below one array has to hold for the same element;
`$or` at any level; an absent field matches only `exists: false`. "Input transformation": values are not
escaped, text outside quotes is quoted, a path without a value leaves nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

ABSENT = object()
Leaf = Callable[[Any, list[Any]], bool]

_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+|\*)\]")
_VARIABLE = re.compile(r"<([A-Za-z0-9_.-]+)>")


def matches(pattern: Mapping[str, Any], event: Any, leaf: Leaf) -> bool:
    """Whether the event matches; `leaf(value or ABSENT, filters)` judges one field."""
    if isinstance(event, list):
        return any(matches(pattern, element, leaf) for element in event)
    for name, wanted in pattern.items():
        if name == "$or":
            if not any(matches(one, event, leaf) for one in wanted):
                return False
            continue
        found = event.get(name, ABSENT) if isinstance(event, Mapping) else ABSENT
        if isinstance(wanted, Mapping):
            if not matches(wanted, found, leaf):
                return False
        elif not leaf(found, list(wanted)):
            return False
    return True


def transformed(template: str, paths: Mapping[str, str], event: Any, reserved: Mapping[str, Any]) -> str:
    """The template with its variables filled from the event. `reserved`: AWS's own variables."""
    values = {name: _at(event, path) for name, path in paths.items()} | dict(reserved)
    out: list[str] = []
    place = 0
    for found in _VARIABLE.finditer(template):
        name = found.group(1)
        if name not in values:
            continue
        before = template[place : found.start()]
        out.append(before)
        out.append(_written(values[name], _inside_quotes(template[: found.start()])))
        place = found.end()
    return "".join(out) + template[place:]


def _inside_quotes(text: str) -> bool:
    return len(re.findall(r'(?<!\\)"', text)) % 2 == 1


def _written(value: Any, quoted: bool) -> str:
    if value is ABSENT or value is None:
        return ""
    if quoted:
        return value if isinstance(value, str) else json.dumps(value).replace('"', "")
    return f'"{value}"' if isinstance(value, str) else json.dumps(value)


def _at(event: Any, path: str) -> Any:
    for name, index in _STEP.findall(path.removeprefix("$")):
        if index == "*":
            return event if isinstance(event, list) else ABSENT
        if index:
            if not isinstance(event, list) or int(index) >= len(event):
                return ABSENT
            event = event[int(index)]
        else:
            if not isinstance(event, Mapping) or name not in event:
                return ABSENT
            event = event[name]
    return event
