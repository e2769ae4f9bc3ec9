"""Recorded, expiring acceptances of a failure: `controls/waivers/*.yaml`, one waiver a file."""

from __future__ import annotations

import fnmatch
import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from controls.model import Control
from fault import Fault

WARN_DAYS = (30, 7)
# RFC 3339, with the zone's name behind it where somebody wants it checked (RFC 9557, section 4).
_MOMENT = re.compile(r"(?P<moment>\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)?)(?:\[(?P<zone>[^\]]+)\])?")


class WaiverFile(BaseModel):
    """One waiver. Everything is mandatory: an acceptance that nobody owns or that never ends is not one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^WVR-\d{4}$")
    control: str = Field(pattern=r"^STK-[A-Z]{3}-\d{3}$", description="exactly one control, no pattern")
    subject: str = Field(
        min_length=1, description="subject id; * and ? match within the name, never all subjects"
    )
    owner: str = Field(min_length=3, description="who carries the risk")
    approver: str = Field(min_length=3, description="who accepted it; not the owner")
    reason: str = Field(min_length=20)
    ticket: str = Field(min_length=3)
    risk: str = Field(min_length=15, description="what may happen while it lasts, in a sentence")
    expires: AwareDatetime = Field(
        description="ISO 8601 date and time with its offset; the zone's name may follow in brackets"
    )

    @field_validator("expires", mode="before")
    @classmethod
    def _zone_is_written(cls, value: object) -> object:
        """YAML's own timestamps lose the zone that was written, so the value has to be quoted text."""
        found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError('write it quoted, with time and zone: "2027-01-31T00:00:00+05:30"')
        return found["moment"] if found["zone"] is None else _in_zone(found["moment"], found["zone"])

    @field_validator("subject")
    @classmethod
    def _not_everything(cls, value: str) -> str:
        if not value.replace("*", "").replace("?", "").replace("/", "").strip():
            raise ValueError("a waiver for every subject is a changed control, not a waiver")
        return value

    def covers(self, control: str, subject: str) -> bool:
        """Does this waiver speak of this control on this subject?"""
        return control == self.control and fnmatch.fnmatchcase(subject, self.subject)

    @property
    def is_pattern(self) -> bool:
        """Whether it may cover more than one subject."""
        return any(sign in self.subject for sign in "*?[")

    def expired(self, now: datetime) -> bool:
        """Over at this moment (a waiver ends at its `expires`, not after that day)."""
        return now >= self.expires

    def days_left(self, now: datetime) -> int:
        """Days of the calendar, in the waiver's own zone, until the day on which it ends."""
        return (self.expires.date() - now.astimezone(self.expires.tzinfo).date()).days

    def warning(self, now: datetime) -> str | None:
        """A sentence when it ends within 30 or 7 days; a day is one of its zone's clock, also of 23 hours."""
        if self.expired(now):
            return None
        for days in sorted(WARN_DAYS):
            if now >= self.expires - timedelta(days=days):
                what = f"waiver {self.id} ({self.control} on {self.subject})"
                return f"{what} ends within {days} days, {self.expires:%Y-%m-%d %H:%M %Z}"
        return None


def _in_zone(moment: str, zone: str) -> datetime:
    """The moment in a named zone; refused when that zone has another offset then, e.g. in its summer."""
    try:
        stated = datetime.fromisoformat(moment)
        there = stated.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{moment}[{zone}] is no moment of a known zone") from error
    if stated.tzinfo is None or stated.utcoffset() != there.utcoffset():
        raise ValueError(f"{moment} is {there.isoformat()} in {zone}: write that zone's own time")
    return there


def load_waivers(root: Path, catalogue: dict[str, Control]) -> list[WaiverFile]:
    """Read `<root>/controls/waivers/*.yaml`, sorted by id.

    Raises Fault (exit code 2) naming the file and the key for a missing or unknown key, a control that
    does not exist,
    a date without a zone, an approver who is the owner, or an id used twice.
    """
    found: dict[str, WaiverFile] = {}
    for path in sorted((root / "controls" / "waivers").glob("*.yaml")):
        where = str(path.relative_to(root))
        try:
            waiver = WaiverFile.model_validate(yaml.safe_load(path.read_text()))
        except ValidationError as error:
            first = error.errors()[0]
            raise _wrong(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        except yaml.YAMLError as error:
            raise _wrong(f"{where}: {error}") from error
        if waiver.control not in catalogue:
            raise _wrong(f"{where}: control: {waiver.control} is not in the catalogue")
        if waiver.owner.casefold() == waiver.approver.casefold():
            raise _wrong(f"{where}: approver: {waiver.approver} is the owner as well")
        if waiver.id in found:
            raise _wrong(f"{where}: id: {waiver.id} is used twice")
        found[waiver.id] = waiver
    return [found[key] for key in sorted(found)]


def _wrong(problem: str) -> Fault:
    return Fault(problem, "a waiver follows controls/waivers.py", "correct the file or remove it")
