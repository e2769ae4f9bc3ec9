"""The one result model: what was checked, on which subject, with which outcome and which evidence.

Written by `verify`, read by every rendering in `report/`. Plain data: it knows no pytest, Ansible or AWS.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controls.model import AREAS


class Status(StrEnum):
    """Outcome of one control on one subject."""

    PASS = "pass"  # noqa: S105 - a status, no password
    FAIL = "fail"
    ERROR = "error"
    WAIVED = "waived"
    NOT_APPLICABLE = "not_applicable"
    MANUAL = "manual"


_JUDGED = (Status.PASS, Status.FAIL, Status.ERROR, Status.WAIVED, Status.MANUAL)

_NAMED = 3  # duplicates that one line names


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Run(_Model):
    """One verification run."""

    stack: str
    region: str
    account: str
    started: AwareDatetime
    seconds: float
    commit: str | None = Field(description="git commit of this repository, None outside a checkout")
    scope: Literal["region and nodes", "region only", "nodes only"]
    remarks: tuple[str, ...] = Field(
        default=(), description="what a reader must know first, e.g. that no nodes were booted"
    )
    catalogue: str | None = Field(default=None, description="SHA-256 over the control catalogue in use")
    accepted: AwareDatetime | None = Field(
        default=None, description="start of the accepted run that `changes` compares with"
    )


class Subject(_Model):
    """What a control is judged on: a node or a part of the region."""

    id: str = Field(description="node name, or <area>/<name> for the region, e.g. bucket/data")
    kind: Literal["node", "resource", "procedure"]
    group: str = Field(description="server role of a node; resource type of a resource")
    facts: dict[str, Any] = Field(
        default_factory=dict, description="address, zone, subnet, os, instance id …"
    )


class Waiver(_Model):
    """A recorded, expiring acceptance of a failure."""

    id: str
    owner: str
    approver: str
    reason: str
    ticket: str
    risk: str = Field(default="", description="what may happen while it lasts")
    expires: AwareDatetime


class Result(_Model):
    """Outcome of one control on one subject. `test` is the pytest node id that judged it."""

    control: str
    subject: str
    status: Status
    message: str
    seconds: float
    evidence: str = Field(
        default="", description="what was read: command and answer, or API and answer; secrets removed"
    )
    test: str
    waiver: Waiver | None = None


class ControlSummary(_Model):
    """What the report needs to know of a control of the catalogue."""

    id: str
    title: str
    why: str
    severity: Literal["low", "medium", "high", "critical"]
    layer: str
    rows: tuple[str, ...]
    references: tuple[str, ...]
    profile: str = "cis-l1"
    provided_by: str = ""
    verified_by: tuple[str, ...] = ()
    evidence: str = ""
    rollback: str = ""


class ClauseSummary(_Model):
    """One clause of a framework: the controls that answer it, or the reason why none does."""

    id: str
    section: str
    title: str
    controls: tuple[str, ...] = ()
    reason: str = ""


class FrameworkSummary(_Model):
    """One framework with its clauses."""

    id: str
    title: str
    version: str
    clauses: tuple[ClauseSummary, ...]


class Change(_Model):
    """One outcome that is not what the accepted run had; None: no such pair then, or none now."""

    control: str
    subject: str
    before: Status | None
    after: Status | None
    since: AwareDatetime = Field(description="start of the first run that showed it")


class Report(_Model):
    """Everything one run found; `region` is the region contract, for the diagram."""

    schema_: Literal["stockade/results/1"] = Field(default="stockade/results/1", alias="schema")
    run: Run
    subjects: tuple[Subject, ...]
    controls: tuple[ControlSummary, ...]
    results: tuple[Result, ...]
    faults: tuple[str, ...] = Field(
        default=(), description="reasons why the run as a whole is red: missing node, empty selection …"
    )
    region: dict[str, Any]
    frameworks: tuple[FrameworkSummary, ...] = ()
    changes: tuple[Change, ...] = Field(default=(), description="drift against the accepted run")

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def counts(self) -> dict[Status, int]:
        """Number of results per status; every status is present."""
        counts = dict.fromkeys(Status, 0)
        for result in self.results:
            counts[result.status] += 1
        return counts

    def doubts(self) -> tuple[str, ...]:
        """Reasons not to believe a green outcome, found in the report itself; empty when it is consistent.

        They are what lets a report lie: nothing proven at all, a subject or a control without a result,
        a result about something unlisted or given twice, a waiver that is missing or was over when the run
        started.
        """
        found = (self._vacuous(), self._gaps(), self._strangers(), self._doubles(), self._void_waivers())
        return tuple(doubt for kind in found for doubt in kind)

    def exit_code(self) -> int:
        """0 all pass, waived or not applicable; 3 a subject was out of reach;
        1 a control failed or is manual, or the run is at fault or in doubt."""
        counts = self.counts()
        if counts[Status.ERROR]:
            return 3
        if self.faults or counts[Status.FAIL] or counts[Status.MANUAL] or self.doubts():
            return 1
        return 0

    def _vacuous(self) -> list[str]:
        if not self.results:
            return ["the report holds no result: nothing was verified"]
        if not any(result.status in _JUDGED for result in self.results):
            return ["every result is not applicable: nothing was proven"]
        return []

    def _gaps(self) -> list[str]:
        judged = {result.subject for result in self.results}
        proven = {result.control for result in self.results}
        silent = [f"{subject.id}: no result" for subject in self.subjects if subject.id not in judged]
        return silent + [
            f"{control.id}: no result" for control in self.controls if self._missing(control, proven)
        ]

    def _missing(self, control: ControlSummary, proven: set[str]) -> bool:
        """A control of the other half of the catalogue is not missed in a run over one half."""
        area = control.id.split("-")[1] if control.id.count("-") == 2 else ""
        outside = {"region only": "node", "nodes only": "region"}.get(self.run.scope, "")
        return control.id not in proven and area not in AREAS.get(outside, ())

    def _strangers(self) -> list[str]:
        subjects = Counter(subject.id for subject in self.subjects)
        controls = Counter(control.id for control in self.controls)
        twice = [f"{name}: listed {n} times" for name, n in (subjects + controls).items() if n > 1]
        unknown = {r.subject for r in self.results if r.subject not in subjects}
        unknown |= {r.control for r in self.results if r.control not in controls}
        return twice + [f"{name}: has results but is not listed" for name in sorted(unknown)]

    def _doubles(self) -> list[str]:
        """One test gives one result for a control on a subject; a second one hides which of them was seen."""
        times = Counter((r.control, r.subject, r.test) for r in self.results)
        twice = [f"{c} on {s} by {test}, {n} times" for (c, s, test), n in times.items() if n > 1]
        more = f" and {len(twice) - _NAMED} more" if len(twice) > _NAMED else ""
        return [f"a result stands once: {'; '.join(twice[:_NAMED])}{more}"] if twice else []

    def _void_waivers(self) -> list[str]:
        found = []
        for result in self.results:
            if result.status is not Status.WAIVED:
                continue
            where = f"{result.control} on {result.subject}"
            if result.waiver is None:
                found.append(f"{where}: waived without a waiver")
            elif result.waiver.expires <= self.run.started:
                found.append(
                    f"{where}: waiver {result.waiver.id} ended {result.waiver.expires:%Y-%m-%d %H:%M %Z}"
                )
        return found

    def save(self, path: Path) -> None:
        """Write results.json."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(by_alias=True, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Report:
        """Read results.json; raises pydantic.ValidationError on anything that is not one."""
        return cls.model_validate_json(path.read_text())
