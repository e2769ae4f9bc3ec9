"""The accepted run: the state that somebody looked at and wants to keep, and what differs from it now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from controls.model import AREAS
from fault import CONTROL_FAILED, GOOD, Fault
from report import history
from report.model import Change, Report, Status
from report.verdict import worst

FILE = "accepted.json"
Pair = tuple[str, str]


class Accepted(BaseModel):
    """Outcomes of the accepted run by control and subject."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["stockade/accepted/1"] = Field(default="stockade/accepted/1", alias="schema")
    stack: str
    started: AwareDatetime = Field(description="start of the run")
    accepted: AwareDatetime = Field(description="when it was accepted")
    reason: str = Field(default="", description="why a run that is not good was accepted")
    commit: str | None
    catalogue: str | None
    scope: Literal["region and nodes", "region only", "nodes only"]
    outcomes: dict[str, dict[str, Status]]


def outcomes(report: Report) -> dict[Pair, Status]:
    """The outcome of every control on every subject; of several tests the most urgent."""
    found: dict[Pair, list[Status]] = {}
    for result in report.results:
        found.setdefault((result.control, result.subject), []).append(result.status)
    return {pair: worst(statuses) for pair, statuses in found.items()}


def accept(results: Path, reason: str = "") -> Accepted:
    """Make the run in `results` the accepted one; writes `accepted.json` beside it.

    Raises Fault (exit code 1) for a run over a part, one that is at fault or has errors, and one with
    failures unless a reason says why they are accepted.
    """
    report = load_results(results)
    run = report.run
    records = history.read(results.parent / history.FOLDER, run.stack)
    record = next((entry for entry in records if entry.started == run.started), None)
    if record is None or record.narrowed:
        why = "judged a part only" if record else "has no record in history/"
        raise Fault(
            f"the run of {run.started:%Y-%m-%d %H:%M %Z} {why}",
            "a whole run is accepted",
            "verify all first",
            CONTROL_FAILED,
        )
    doubts = [*report.faults, *report.doubts()]
    if doubts or report.counts()[Status.ERROR]:
        said = doubts[0] if doubts else f"{report.counts()[Status.ERROR]} errors"
        raise Fault(
            f"the run is not to be believed: {said}",
            "what was not judged cannot be accepted",
            "repair it and verify again",
            CONTROL_FAILED,
        )
    if report.exit_code() != GOOD and not reason.strip():
        number = report.counts()[Status.FAIL] + report.counts()[Status.MANUAL]
        raise Fault(
            f"{number} results are not good",
            "a red run is accepted for a stated reason only",
            "repair, or give --reason TEXT",
            CONTROL_FAILED,
        )
    by_control: dict[str, dict[str, Status]] = {}
    for (control, subject), status in sorted(outcomes(report).items()):
        by_control.setdefault(control, {})[subject] = status
    kept = Accepted(
        stack=run.stack,
        started=run.started,
        accepted=datetime.now(UTC),
        reason=reason.strip(),
        commit=run.commit,
        catalogue=run.catalogue,
        scope=run.scope,
        outcomes=by_control,
    )
    (results.parent / FILE).write_text(kept.model_dump_json(by_alias=True, indent=1) + "\n")
    return kept


def read(folder: Path, stack: str) -> Accepted | None:
    """The accepted run of a stack, None without one. Raises Fault for a file that is none."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        kept = Accepted.model_validate_json(path.read_text())
    except (OSError, ValidationError) as error:
        said = error.strerror if isinstance(error, OSError) else error.errors()[0]["msg"]
        raise Fault(
            f"{path}: {said}", "it is written by `python -m verify accept`", "accept a run again"
        ) from error
    return kept if kept.stack == stack else None


def compare(report: Report, folder: Path, *, narrowed: bool) -> Report:
    """The report with `changes` against the accepted run in `folder`, each dated by the records there."""
    kept = read(folder, report.run.stack)
    if kept is None:
        return report
    found = tuple(_changes(report, kept, narrowed=narrowed))
    past = history.read(folder / history.FOLDER, report.run.stack)
    return report.model_copy(
        update={
            "run": report.run.model_copy(update={"accepted": kept.started}),
            "changes": history.dated(found, past, kept.started),
        }
    )


def _changes(report: Report, kept: Accepted, *, narrowed: bool) -> Iterator[Change]:
    """Every pair whose outcome differs. What this run left out by intent is no change."""
    before = {(c, s): status for c, subjects in kept.outcomes.items() for s, status in subjects.items()}
    now = outcomes(report)
    for control, subject in sorted(before.keys() | now.keys()):
        old, new = before.get((control, subject)), now.get((control, subject))
        if old == new or (new is None and (narrowed or _outside(control, report.run.scope))):
            continue
        if old is None and _outside(control, kept.scope):
            continue
        yield Change(control=control, subject=subject, before=old, after=new, since=report.run.started)


def _outside(control: str, scope: str) -> bool:
    area = control.split("-")[1]
    return area in AREAS.get({"region only": "node", "nodes only": "region"}.get(scope, ""), ())


def load_results(path: Path) -> Report:
    """results.json; raises Fault (exit code 2) when it is absent or none."""
    try:
        return Report.load(path)
    except OSError as error:
        raise Fault(f"{path}: {error.strerror}", "a run writes its results", "verify first") from error
    except ValidationError as error:
        raise Fault(
            f"{path}: {error.errors()[0]['msg']}",
            "results.json follows report/model.py",
            "verify again with this version",
        ) from error
