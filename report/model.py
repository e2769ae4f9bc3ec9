"""The one result model: what was checked, on which subject, with which outcome and which evidence.

Written by `verify`, read by every rendering in `report/`. Plain data: nothing here knows pytest, Ansible or AWS.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = "stockade/results/1"


class Status(StrEnum):
    """Outcome of one control on one subject."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    WAIVED = "waived"
    NOT_APPLICABLE = "not_applicable"
    MANUAL = "manual"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Run(_Model):
    """One verification run."""

    stack: str
    region: str
    account: str
    started: datetime
    seconds: float
    commit: str | None = Field(description="git commit of this repository, None outside a checkout")
    scope: Literal["region and nodes", "region only", "nodes only"]
    remarks: tuple[str, ...] = Field(
        default=(), description="what a reader must know first, e.g. that no nodes were booted"
    )


class Subject(_Model):
    """What a control is judged on: a node or a part of the region."""

    id: str = Field(description="node name, or <area>/<name> for the region, e.g. bucket/data")
    kind: Literal["node", "resource"]
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
    expires: datetime


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


class Report(_Model):
    """Everything one run found; `region` is the region contract, for the diagram."""

    schema_: Literal["stockade/results/1"] = Field(default=SCHEMA, alias="schema")
    run: Run
    subjects: tuple[Subject, ...]
    controls: tuple[ControlSummary, ...]
    results: tuple[Result, ...]
    faults: tuple[str, ...] = Field(
        default=(), description="reasons why the run as a whole is red: missing node, empty selection …"
    )
    region: dict[str, Any]

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def counts(self) -> dict[Status, int]:
        """Number of results per status; every status is present."""
        counts = dict.fromkeys(Status, 0)
        for result in self.results:
            counts[result.status] += 1
        return counts

    def exit_code(self) -> int:
        """0 all pass, waived or not applicable; 1 a control failed, is manual or the run is at fault; 3 a subject was out of reach."""
        counts = self.counts()
        if counts[Status.ERROR]:
            return 3
        if self.faults or not self.results or counts[Status.FAIL] or counts[Status.MANUAL]:
            return 1
        return 0

    def save(self, path: Path) -> None:
        """Write results.json."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(by_alias=True, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Report:
        """Read results.json; raises pydantic.ValidationError on anything that is not one."""
        return cls.model_validate_json(path.read_text())
