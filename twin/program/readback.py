"""Is what was set what AWS gives back? The one comparison behind "kept", "drifted" and "unchanged"."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_NOT_COMPARED = frozenset({"region", "tags", "__defaults"})


def differences(
    inputs: Mapping[str, Any], outputs: Mapping[str, Any], write_only: frozenset[str]
) -> set[str]:
    """Names of the inputs that AWS does not give back. Inputs without an API to read them are exempt."""
    compared = set(inputs) - _NOT_COMPARED - write_only
    return {name for name in compared if not covers(inputs[name], outputs.get(name))}


def covers(wanted: Any, found: Any) -> bool:
    """Whether `found` contains everything that `wanted` says; AWS may add defaults, never lose a value."""
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return not wanted or all(_empty(value) for value in wanted.values())
        return all(covers(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list | tuple):
        return _covers_list(list(wanted), found)
    if _empty(wanted) and _empty(found):
        return True
    if isinstance(wanted, str) and isinstance(found, str) and wanted[:1] in "{[" and wanted:
        return _same_json(wanted, found)
    return _scalar(wanted) == _scalar(found)


def _covers_list(wanted: list[Any], found: Any) -> bool:
    left = list(found) if isinstance(found, list | tuple) else []
    if len(left) != len(wanted):
        return False
    for item in wanted:
        match = next((index for index, other in enumerate(left) if covers(item, other)), None)
        if match is None:
            return False
        del left[match]
    return True


def _empty(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {}, "false")


def _same_json(wanted: str, found: str) -> bool:
    try:
        return bool(json.loads(wanted) == json.loads(found))
    except ValueError:
        return wanted == found


def _scalar(value: Any) -> str:
    text = str(value)
    return text.lower() if isinstance(value, bool) or text in {"True", "False"} else text
