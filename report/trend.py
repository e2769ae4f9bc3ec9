"""Where things are going: the last runs over the same stack beside this one, as plain data for a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from report import history
from report.history import Entry
from report.model import Report, Status
from report.verdict import OPEN

SHOWN = 30  # runs drawn
_STACKED = (Status.WAIVED, Status.MANUAL, Status.ERROR, Status.FAIL)  # from the ground up


@dataclass(frozen=True)
class Point:
    """One run in the trend; tops and heights of the bars in percent of the highest."""

    started: datetime
    commit: str
    counts: dict[Status, int]
    faults: int
    now: bool
    bars: tuple[tuple[Status, float, float], ...] = ()

    @property
    def open(self) -> int:
        return sum(self.counts.get(status, 0) for status in OPEN)

    @property
    def height(self) -> int:
        return sum(self.counts.get(status, 0) for status in _STACKED)


def past_of(report: Report, folder: Path) -> list[Entry]:
    """The whole runs over this stack before this one, oldest first; a part selected by hand is no point."""
    entries = history.read(folder, report.run.stack)
    return [entry for entry in entries if not entry.narrowed and entry.started < report.run.started]


def points(report: Report, past: Sequence[Entry]) -> list[Point]:
    """The last runs and, last, this one."""
    run = report.run
    shown = [Point(e.started, e.commit or "", e.counts, e.faults, now=False) for e in past[-(SHOWN - 1) :]]
    troubles = len(report.faults) + len(report.doubts())
    shown.append(Point(run.started, run.commit or "", report.counts(), troubles, now=True))
    highest = max(1, *(point.height for point in shown))
    return [_drawn(point, highest) for point in shown]


def _drawn(point: Point, highest: int) -> Point:
    at, bars = 100.0, []
    for status in _STACKED:
        height = 100 * point.counts.get(status, 0) / highest
        at -= height
        if height:
            bars.append((status, round(at, 2), round(height, 2)))
    return Point(point.started, point.commit, point.counts, point.faults, point.now, tuple(bars))
