"""Packages that are not updated until a date: declared by the playbook, or set by a rollback."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from . import packages
from .commands import STATE, run, write

OURS = STATE / "holds.json"
ROLLED_BACK = STATE / "rolled-back.json"

Hold = dict[str, str]


def today(configuration: dict[str, Any]) -> date:
    """The day in the time zone of the window, whose last hour a hold still covers."""
    return datetime.now(ZoneInfo(configuration["timezone"])).date()


def active(hold: Hold, day: date) -> bool:
    """Whether the hold still counts; its named day is its last one."""
    return date.fromisoformat(hold["until"]) >= day


def plan(declared: list[Hold], ours: set[str], now_held: set[str], day: date) -> tuple[set[str], set[str]]:
    """(to hold, to lift): active ones are held; expired or withdrawn ones of ours are lifted."""
    wanted = {hold["name"] for hold in declared if active(hold, day)}
    return wanted - now_held, (ours - wanted) & now_held


def after_rollback(day: date) -> list[Hold]:
    """Holds of a rollback that still count: without them the next run would bring the update back."""
    kept: list[Hold] = json.loads(ROLLED_BACK.read_text()) if ROLLED_BACK.exists() else []
    counted = [hold for hold in kept if active(hold, day)]
    if counted != kept:
        write(ROLLED_BACK, json.dumps(counted, indent=1))
    return counted


def remember(names: list[str], reason: str, until: str, day: date) -> None:
    """Hold packages after a rollback."""
    others = [hold for hold in after_rollback(day) if hold["name"] not in names]
    added = [{"name": name, "reason": reason, "until": until} for name in names]
    write(ROLLED_BACK, json.dumps(others + added, indent=1))


def apply(configuration: dict[str, Any]) -> dict[str, list[str]]:
    """Bring dpkg's holds to the declared ones and remember ours; a hold set by hand is left alone."""
    day = today(configuration)
    declared = configuration["holds"] + after_rollback(day)
    ours = set(json.loads(OURS.read_text())) if OURS.exists() else set()
    now_held = set(run("apt-mark", "showhold").split())
    known = set(run("dpkg-query", "--show", "--showformat", "${Package}\n").split())
    hold, lift = plan([h for h in declared if h["name"] in known], ours, now_held, day)
    wait = configuration["limits"]["lock"]
    for word, names in (("hold", hold), ("unhold", lift)):
        if names:
            packages.apt("apt-mark", word, *sorted(names), seconds=60, lock_seconds=wait)
    after = sorted((ours - lift) | hold)
    if after != sorted(ours):
        write(OURS, json.dumps(after))
    return {"held": sorted(hold), "lifted": sorted(lift)}
