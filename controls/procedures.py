"""Procedures between people: what their records must say, and whether a record is fresh, whole and unaltered.

A record is one YAML file in the folder that the stack file's `stockade:procedures` names, beside the document
that proves it. What was done when is people's word; that the document is the one they recorded is a hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from controls.frameworks import parse
from controls.model import Control
from fault import Fault


def _day(value: object) -> date:
    if not isinstance(value, str):
        raise ValueError('a day is quoted text: "2026-11-22"')
    return date.fromisoformat(value)


def _inside(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"{value}: a document lies beside its record, never outside the folder")
    return value


Day = Annotated[date, BeforeValidator(_day)]


class Document(BaseModel):
    """The file that proves it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, AfterValidator(_inside)] = Field(description="path inside the folder")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the file as it was filed")


class Finding(BaseModel):
    """One finding of an assessment: until when it is to be closed, and whether it was."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(
        min_length=1, max_length=60, description="the assessor's number; a later record may repeat it"
    )
    due: Day
    closed: Day | None = Field(default=None, description="the day on which it was closed, absent while open")


class Record(BaseModel):
    """One performance of a procedure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    control: str = Field(pattern=r"^STK-PRC-\d{3}$")
    performed: Day = Field(description="the day, in quotes")
    by: str = Field(
        pattern=r"^[a-z][a-z0-9 /-]{2,60}$", description="a role in lower case, never a person's name"
    )
    document: Document
    expires: Day | None = Field(
        default=None, description="the day on which what was filed runs out by itself, e.g. a certificate"
    )
    findings: tuple[Finding, ...] | None = Field(
        default=None, description="of an assessment: every finding, with its day; [] says that there was none"
    )
    remark: str = ""

    def due(self, control: Control) -> date:
        """The last day on which it still counts."""
        return self.performed + timedelta(days=control.cadence_days or 0)


# What a record has to say beside its date and document: an attestation ends on its own day, whenever it was
# filed, and an assessment is not done while one of its findings is overdue.
ASKED = {
    "STK-PRC-001": ("expires", "the day on which the first of its attestations runs out"),
    "STK-PRC-003": ("findings", "every finding with the day by which it is to be closed, or [] for none"),
}


@dataclass(frozen=True)
class Standing:
    """How a procedure stands: the record that counts, and the complaint, if there is one."""

    record: Record | None
    complaint: str = ""


def load_records(folder: Path) -> list[Record]:
    """Every record of a folder (`*.yaml`), oldest first; raises Fault for anything else with that ending."""
    if not folder.is_dir():
        rule = "stockade:procedures names the folder of records"
        raise Fault(f"{folder} is no folder", rule, "correct the stack file or file the records")
    found = [parse(path, folder, Record) for path in sorted(folder.glob("*.yaml"))]
    return sorted(found, key=lambda record: (record.control, record.performed))


def standing(control: Control, records: list[Record], folder: Path, day: date) -> Standing:
    """How one procedure stands on a day. The newest record counts; an older, fresher-looking one does not."""
    mine = [record for record in records if record.control == control.id]
    if not mine:
        return Standing(
            None, f"no record: {control.owner} performs it every {control.cadence_days} days and files one"
        )
    newest = mine[-1]
    return Standing(newest, _complaint(control, newest, folder, day) or _overdue(mine, day))


def _overdue(records: list[Record], day: date) -> str:
    """Findings past their day. A new assessment closes none of an older one: its record repeats them."""
    last = {finding.id: finding for record in records for finding in record.findings or ()}
    late = [f for f in last.values() if day > f.due and (f.closed is None or f.closed > day)]
    said = ", ".join(f"{f.id} (due {f.due})" for f in sorted(late, key=lambda f: (f.due, f.id)))
    return f"{len(late)} finding(s) open past the day by which to close them: {said}" if late else ""


def _complaint(control: Control, record: Record, folder: Path, day: date) -> str:
    return _untimely(control, record, day) or _altered(record, folder)


def _untimely(control: Control, record: Record, day: date) -> str:
    if record.performed > day:
        return f"performed {record.performed}, which is still to come on {day}"
    if day > record.due(control):
        return f"due since {record.due(control)}: last performed {record.performed} by {record.by}"
    asked, what = ASKED.get(control.id, ("", ""))
    if asked and getattr(record, asked) is None:
        return f"its record has no `{asked}`: {what}"
    if record.expires is not None and day > record.expires:
        return f"what was filed on {record.performed} ran out on {record.expires}"
    return ""


def _altered(record: Record, folder: Path) -> str:
    path = folder / record.document.file
    if not path.resolve().is_relative_to(folder.resolve()):
        return f"{record.document.file} leads out of the folder"
    if not path.is_file():
        return f"its document {record.document.file} is missing"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != record.document.sha256:
        return f"its document {record.document.file} is not the one that was filed: SHA-256 is {found}"
    return ""
