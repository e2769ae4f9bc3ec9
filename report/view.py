"""The report arranged for reading: tallies and details, still plain data without a word of HTML."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controls.waivers import WARN_DAYS
from report import drift, history
from report.clauses import Framework, frameworks
from report.findings import listed_controls, listed_subjects
from report.model import Change, ControlSummary, Report, Result, Status, Subject, Waiver
from report.trend import Point, points
from report.verdict import OPEN, URGENCY

STATIC_RESULTS = 6000  # more results than this are opened on demand instead of written out
STATIC_OPEN = 1000  # of which the most urgent are written out in any case
ATTENTION = 200
SEVERITIES = ("critical", "high", "medium", "low")


@dataclass
class Tally:
    """Results per status of one layer, row or subject."""

    name: str
    counts: dict[Status, int] = field(default_factory=lambda: dict.fromkeys(Status, 0))

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def open(self) -> int:
        return sum(self.counts[status] for status in OPEN)

    @property
    def bars(self) -> list[tuple[Status, float, float]]:
        """(status, start, width) in percent, most urgent first."""
        at, found = 0.0, []
        for status in URGENCY:
            width = 100 * self.counts[status] / self.total if self.total else 0.0
            if width:
                found.append((status, round(at, 3), round(width, 3)))
            at += width
        return found


@dataclass(frozen=True)
class Entry:
    """One result with the anchor that the matrix links to."""

    result: Result
    anchor: str


@dataclass
class Detail:
    """One control with everything found about it."""

    control: ControlSummary
    anchor: str
    tally: Tally
    entries: list[Entry]  # written out; fewer than tally.total when the report is large
    index: int = 0

    @property
    def status(self) -> Status | None:
        """The most urgent result, None without any."""
        return next((status for status in URGENCY if self.tally.counts[status]), None)

    @property
    def folded(self) -> int:
        return self.tally.total - len(self.entries)


@dataclass(frozen=True)
class Waived:
    """A waiver and what it covers in this run."""

    waiver: Waiver
    entries: list[Entry]
    days_left: int  # of the calendar in the waiver's own zone; below 0 when it is over
    within: int | None = None  # 7 or 30 when it ends within as many days, 0 when it is over


@dataclass(frozen=True)
class View:
    """Everything the page shows."""

    tiles: list[tuple[Status, int]]
    layers: list[Tally]
    rows: list[Tally]
    details: list[Detail]
    attention: list[Entry]
    attention_rest: int
    waived: list[Waived]
    not_applicable: list[tuple[str, list[Result]]]
    subjects: list[tuple[Subject, Tally]]
    by_control: dict[str, Detail]
    frameworks: list[Framework]
    changes: list[tuple[drift.Kind, Change]]
    trend: list[Point]
    procedures: list[tuple[Subject, list[Entry]]]
    open_results: list[Result]
    large: bool


def arrange(report: Report, past: Sequence[history.Entry] = ()) -> View:
    """Arrange a report; every result is counted and, in a report of ordinary size, written out once."""
    large = len(report.results) > STATIC_RESULTS
    entries = [Entry(result, f"r{index}") for index, result in enumerate(report.results)]
    details = _details(report, entries, large)
    by_control = {detail.control.id: detail for detail in details}
    counts = report.counts()
    urgent = sorted(
        (entry for entry in entries if entry.result.status in OPEN),
        key=lambda entry: _need(entry.result, by_control),
    )
    return View(
        tiles=[(status, counts[status]) for status in URGENCY],
        layers=_tallies(details, lambda control: (control.layer,)),
        rows=_tallies(details, lambda control: control.rows),
        details=details,
        attention=urgent[:ATTENTION],
        attention_rest=max(0, len(urgent) - ATTENTION),
        waived=_waived(report, entries),
        not_applicable=_reasons(report),
        subjects=_subjects(report),
        by_control=by_control,
        frameworks=frameworks(report.frameworks, lambda name: _status(by_control.get(name))),
        changes=drift.sorted_changes(report.changes),
        trend=points(report, past),
        procedures=_procedures(report, entries),
        open_results=[entry.result for entry in urgent],
        large=large,
    )


def _details(report: Report, entries: list[Entry], large: bool) -> list[Detail]:
    """In a large report the open results are written out up to a budget; the rest is opened on demand."""
    by_control: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_control[entry.result.control].append(entry)
    details, budget = [], STATIC_OPEN
    for index, control in enumerate(listed_controls(report)):
        found = sorted(by_control[control.id], key=lambda entry: URGENCY.index(entry.result.status))
        tally = Tally(control.id)
        for entry in found:
            tally.counts[entry.result.status] += 1
        if large:
            found = [entry for entry in found if entry.result.status in OPEN][:budget]
            budget -= len(found)
        anchor = f"c-{control.id}" if re.fullmatch(r"[A-Za-z0-9-]+", control.id) else f"c{index}"
        details.append(Detail(control, anchor, tally, found, index))
    return details


def _tallies(details: list[Detail], keys: Callable[[ControlSummary], Iterable[str]]) -> list[Tally]:
    found: dict[str, Tally] = {}
    for detail in details:
        for key in keys(detail.control):
            tally = found.setdefault(key, Tally(key))
            for status, number in detail.tally.counts.items():
                tally.counts[status] += number
    return sorted(found.values(), key=lambda tally: _natural(tally.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """D2 before D10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _waived(report: Report, entries: list[Entry]) -> list[Waived]:
    groups: dict[str, list[Entry]] = defaultdict(list)
    waivers: dict[str, Waiver] = {}
    for entry in entries:
        if entry.result.waiver is not None:
            waiver = entry.result.waiver
            waivers[waiver.model_dump_json()] = waiver
            groups[waiver.model_dump_json()].append(entry)
    start = report.run.started
    found = [
        Waived(waiver := waivers[key], members, _days_left(waiver, start), _within(waiver, start))
        for key, members in groups.items()
    ]
    return sorted(found, key=lambda waived: waived.waiver.expires)


def _days_left(waiver: Waiver, now: datetime) -> int:
    """Days until the day on which it ends, as `python -m verify waivers` counts them."""
    return (waiver.expires.date() - now.astimezone(waiver.expires.tzinfo).date()).days


def _within(waiver: Waiver, now: datetime) -> int | None:
    if now >= waiver.expires:
        return 0
    return next((days for days in sorted(WARN_DAYS) if now >= waiver.expires - timedelta(days=days)), None)


def _need(result: Result, by_control: dict[str, Detail]) -> tuple[int, int]:
    """What is read first: the status, then the severity."""
    severity = by_control[result.control].control.severity
    return URGENCY.index(result.status), SEVERITIES.index(severity)


def _status(detail: Detail | None) -> Status | None:
    return detail.status if detail else None


def _procedures(report: Report, entries: list[Entry]) -> list[tuple[Subject, list[Entry]]]:
    """Procedures between people, each with what was found about it."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.result.subject].append(entry)
    return [(s, found[s.id]) for s in listed_subjects(report) if s.kind == "procedure"]


def _reasons(report: Report) -> list[tuple[str, list[Result]]]:
    """Not applicable, by the reason that was given."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in report.results:
        if result.status is Status.NOT_APPLICABLE:
            groups[result.message].append(result)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def _subjects(report: Report) -> list[tuple[Subject, Tally]]:
    tallies = {subject.id: Tally(subject.id) for subject in listed_subjects(report)}
    for result in report.results:
        tallies[result.subject].counts[result.status] += 1
    return [(subject, tallies[subject.id]) for subject in listed_subjects(report)]
