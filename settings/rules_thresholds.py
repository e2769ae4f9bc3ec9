"""Rules for what is watched: thresholds that somebody compares with, endpoints that are whole addresses."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import yaml

from settings.draft import Draft
from settings.problems import Problem, show

_THRESHOLDS = Path(__file__).resolve().parents[1] / "detection" / "thresholds.yaml"


@cache
def known() -> dict[str, str]:
    """Names of thresholds and their units, from the data of the alarms."""
    return {name: str(entry["unit"]) for name, entry in yaml.safe_load(_THRESHOLDS.read_text()).items()}


def thresholds_known(draft: Draft) -> Iterable[Problem]:
    """A threshold belongs to an alarm; one that is counted is whole, a percentage below 100, a band not so
    wide that nothing is outside it.
    """
    for name, value in draft.detection.thresholds.items():
        key = f"detection.thresholds.{name}"
        if name not in known():
            near = get_close_matches(name, known(), 1)
            fix = f"did you mean {near[0]}" if near else "see detection/thresholds.yaml"
            yield Problem(key, show(value), "a threshold is that of an alarm", fix)
        elif known()[name] == "percent" and value >= 100:
            yield Problem(key, show(value), "a percentage is reached below 100", "choose a smaller one")
        elif known()[name] == "width" and value > 10:
            yield Problem(key, show(value), "outside ten standard deviations is nothing", "choose 2 to 5")


def endpoints_once(draft: Draft) -> Iterable[Problem]:
    """An endpoint receives each notice once."""
    seen: set[str] = set()
    for endpoint in draft.detection.notify:
        plain = endpoint.rstrip("/")
        if plain in seen:
            yield Problem(
                "detection.notify", show(endpoint), "an endpoint stands once", "remove one of the two"
            )
        seen.add(plain)


RULES = (thresholds_known, endpoints_once)
