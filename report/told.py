"""What earlier runs told a service that keeps findings: so each is updated and ended, never doubled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controls.model import AREAS
from report.findings import RUN
from report.history import Entry
from report.model import Report, Status, Waiver

Key = tuple[str, str, str]  # control, subject, waiver ("" for what is open)


@dataclass(frozen=True)
class Recorded:
    """Every finding that was told, with the first run that told it."""

    first: dict[Key, datetime]
    whole: bool  # whether this run judged all that its scope names
    scope: str

    def settled(self, key: Key) -> bool:
        """Whether this run, which says nothing of the pair, would have judged it if it still existed."""
        outside = {"region only": "node", "nodes only": "region"}.get(self.scope, "")
        area = key[0].split("-")[1] if key[0].count("-") == 2 else ""
        return self.whole and area not in AREAS.get(outside, ())

    def dated(self, key: Key, finding: dict[str, Any]) -> dict[str, Any]:
        """The finding with the day on which it was first told."""
        return finding | ({"CreatedAt": moment(self.first[key])} if key in self.first else {})


def key_of(control: str, subject: str, waiver: Waiver | None = None) -> Key:
    """What names one finding from run to run."""
    return (control, subject, waiver.id if waiver else "")


def moment(at: datetime) -> str:
    """A time to the millisecond, as AWS writes it. Every time of a report is in UTC or carries its zone."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def recorded(report: Report, records: Sequence[Entry]) -> Recorded:
    """What the records of this stack's runs until this one told."""
    started, first = report.run.started, dict[Key, datetime]()
    for entry in sorted((e for e in records if e.started < started), key=lambda e: e.started):
        for key in _of(entry):
            first.setdefault(key, entry.started)
    for change in report.changes:  # the accepted run may be older than every record
        if change.before not in (None, Status.PASS, Status.NOT_APPLICABLE, Status.WAIVED):
            first.setdefault(key_of(change.control, change.subject), report.run.accepted or started)
    whole = any(e.started == started and not e.narrowed for e in records)
    return Recorded(first, whole, report.run.scope)


def _of(entry: Entry) -> Iterator[Key]:
    yield from (key_of(control, subject) for control, subject, _ in entry.red)
    yield from entry.waived
    if entry.faults:
        yield key_of(RUN, "")
