"""When an alarm goes off: the defaults of `thresholds.yaml`, overridden by the stack file. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("thresholds.yaml")


@cache
def defaults() -> dict[str, float]:
    """Name of each threshold to its value."""
    return {name: float(entry["value"]) for name, entry in yaml.safe_load(_FILE.read_text()).items()}


def of(overrides: Mapping[str, float]) -> dict[str, float]:
    """The defaults with a stack's own values. Raises KeyError for a name that no alarm has; the settings'
    rules refuse it earlier and in words.
    """
    known = defaults()
    for name in overrides:
        if name not in known:
            raise KeyError(name)
    return {**known, **overrides}
