"""A small record of every run, `build/report/history/<started>.json`: trend, and since when a change lasts.

`verify` writes them, the reports read them. One file a run, so that nothing old is ever rewritten.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fault import Fault
from report.model import Change, Report, Status
from report.verdict import OPEN, worst

FOLDER = "history"
MOST = 400  # the oldest records go; more than a year of one run a day


class Entry(BaseModel):
    """One run, as far as later runs need it."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["stockade/run/1"] = Field(default="stockade/run/1", alias="schema")
    stack: str
    started: AwareDatetime
    seconds: float
    commit: str | None
    catalogue: str | None
    scope: Literal["region and nodes", "region only", "nodes only"]
    narrowed: bool = Field(description="a part was selected by hand: not a point of a trend")
    exit_code: int
    faults: int
    subjects: int
    counts: dict[Status, int]
    red: tuple[tuple[str, str, Status], ...] = Field(description="control, subject, status; each pair once")
    waived: tuple[tuple[str, str, str], ...] = Field(default=(), description="control, subject, waiver")
    accepted: AwareDatetime | None = Field(description="the accepted run that `changes` compares with")
    changes: tuple[Change, ...]


def entry_of(report: Report, *, narrowed: bool) -> Entry:
    """The record of a run."""
    red: dict[tuple[str, str], list[Status]] = {}
    for result in report.results:
        if result.status in OPEN:
            red.setdefault((result.control, result.subject), []).append(result.status)
    waived = {
        (r.control, r.subject, r.waiver.id) for r in report.results if r.status is Status.WAIVED and r.waiver
    }
    return Entry(
        **report.run.model_dump(include={"stack", "started", "seconds", "commit", "catalogue", "scope"}),
        narrowed=narrowed,
        exit_code=report.exit_code(),
        faults=len(report.faults) + len(report.doubts()),
        subjects=len(report.subjects),
        counts=report.counts(),
        red=tuple((*pair, worst(statuses)) for pair, statuses in sorted(red.items())),
        waived=tuple(sorted(one for one in waived if one[:2] not in red)),
        accepted=report.run.accepted,
        changes=report.changes,
    )


def write(entry: Entry, folder: Path) -> Path:
    """Write the record into `folder` and remove the oldest beyond MOST; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{entry.started:%Y%m%dT%H%M%S.%fZ}.json"
    path.write_text(entry.model_dump_json(by_alias=True) + "\n")
    for old in sorted(folder.glob("*.json"))[:-MOST]:
        old.unlink(missing_ok=True)
    return path


def read(folder: Path, stack: str) -> list[Entry]:
    """The records of a stack, oldest first. Raises Fault for a file that is no such record."""
    return [entry for entry in map(_read, sorted(folder.glob("*.json"))) if entry.stack == stack]


def _read(path: Path) -> Entry:
    try:
        return Entry.model_validate_json(path.read_text())
    except (OSError, ValidationError) as error:
        said = error.strerror if isinstance(error, OSError) else error.errors()[0]["msg"]
        raise Fault(f"{path}: {said}", "a record follows report/history.py", "remove the file") from error


def dated(changes: Iterable[Change], past: Iterable[Entry], accepted: object) -> tuple[Change, ...]:
    """The changes, each with the start of the first run that showed it without a break.

    `past` is oldest first. A run that judged only a part says nothing about what it left out.
    """
    earlier = [entry for entry in past if entry.accepted == accepted]
    return tuple(_since(change, earlier) for change in changes)


def _since(change: Change, earlier: list[Entry]) -> Change:
    for entry in reversed(earlier):
        known = next((c for c in entry.changes if _same(c, change)), None)
        if known is not None:
            return change.model_copy(update={"since": known.since})
        if not entry.narrowed and entry.scope == "region and nodes":
            break
    return change


def _same(one: Change, other: Change) -> bool:
    return (one.control, one.subject, one.before, one.after) == (
        other.control,
        other.subject,
        other.before,
        other.after,
    )
