"""The record of the scans: what each said, over which files, when; and whether that still holds."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fault import Fault

RECORD = Path("build/scans/scans.json")


class Outcome(BaseModel):
    """What one scan said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scan: str
    tool: str
    status: Literal["clean", "found", "unknown"] = Field(description="unknown: it could not be carried out")
    findings: tuple[str, ...] = ()
    seconds: float = 0.0


class Record(BaseModel):
    """`build/scans/scans.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal["stockade/scans/1"] = Field(default="stockade/scans/1", alias="schema")
    made: AwareDatetime
    files: str = Field(description="SHA-256 over every tracked file")
    outcomes: tuple[Outcome, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Scanned:
    """What a record proves today: `complaint` what is wrong; `absent` the same, where nothing was found and
    something was not looked at: no record, one of other files, a scan that could not be carried out.
    """

    complaint: str = ""
    absent: str = ""
    shown: str = ""


def tracked(root: Path) -> list[Path]:
    """Every tracked file that is there, sorted. Raises Fault outside a git checkout."""
    answer = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True, check=False, timeout=60
    )
    if answer.returncode:
        raise Fault(f"{root} is no git checkout", "scans cover the tracked files", "run them in a checkout")
    return sorted(path for name in answer.stdout.split("\0") if name and (path := root / name).is_file())


def fingerprint(root: Path) -> str:
    """SHA-256 over the names and contents of every tracked file as they are now."""
    digest = hashlib.sha256()
    for path in tracked(root):
        body = hashlib.sha256(path.read_bytes()).digest()
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + body)
    return digest.hexdigest()


def judge(root: Path, days: int, today: date) -> Scanned:
    """Whether the record proves that the files that are here were scanned and found clean."""
    path = root / RECORD
    try:
        record = Record.model_validate_json(path.read_text())
    except OSError:
        return _none(f"{RECORD} is missing: `make scans` writes it")
    except ValidationError as error:
        return Scanned(f"{RECORD} is no record: {error.errors()[0]['msg']}")
    shown = "; ".join(f"{o.scan} ({o.tool}): {o.status}" for o in record.outcomes)
    if record.files != fingerprint(root):
        return _none(f"{RECORD} speaks of other files than those that are here", shown)
    age = (today - record.made.date()).days
    if not 0 <= age <= days:
        return Scanned(f"the scans are {age} days old, {days} are allowed", shown=shown)
    wrong = {
        f"{o.scan}: {o.status}, {'; '.join(o.findings[:3])}": o.status
        for o in record.outcomes
        if o.status != "clean"
    }
    text = "; ".join(wrong)
    # A scan that could not be carried out proves as little as a record that is not there.
    return Scanned(text, absent="" if "found" in wrong.values() else text, shown=shown)


def _none(text: str, shown: str = "") -> Scanned:
    return Scanned(text, absent=text, shown=shown)
