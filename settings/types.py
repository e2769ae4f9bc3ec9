"""The words settings are written in: names, ranges, days, moments. Each refuses what it cannot mean."""

from __future__ import annotations

import functools
import re
import zoneinfo
from datetime import date
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from settings.problems import Broken
from settings.ssh_keys import KEY_TYPES, public_key


def _quoted(value: Any) -> Any:
    if isinstance(value, int):
        raise Broken("an account number is text (leading zeros count)", "put it in quotes")
    return value


def _account(value: str) -> str:
    if not re.fullmatch(r"\d{12}", value):
        raise Broken("an AWS account number has 12 digits", 'write it as "111122223333"')
    return value


def _window(value: str) -> str:
    match = re.fullmatch(
        r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", value
    )
    if match is None:
        raise Broken(
            "a window is a day and two times of that day",
            'write it as "Sun 01:00-04:00" (Mon Tue Wed Thu Fri Sat Sun)',
        )
    if (match[2], match[3]) >= (match[4], match[5]):
        raise Broken("a window ends after it begins, on the same day", "swap the times or split the window")
    return value


_time_zones = functools.cache(zoneinfo.available_timezones)


def _zone_name(value: str) -> str:
    known = _time_zones()
    if not known:
        raise Broken("time zones come from the tz database, which this machine lacks", "apt install tzdata")
    if value not in known:
        raise Broken(
            "a time zone has a name in the IANA tz database", "use a name such as Asia/Kolkata or Etc/UTC"
        )
    return value


def _strict_network(value: Any) -> Any:
    # An integer or bytes would be taken for a packed address by `ipaddress`.
    if not isinstance(value, str | IPv4Network | IPv6Network):
        raise Broken("a range is text in CIDR notation", "write it as 10.20.0.0/16")
    if isinstance(value, str) and "/" not in value:
        raise Broken("a range names its prefix length", f"write {value}/32 if one address is meant")
    return value


def _clock(value: Any) -> Any:
    # YAML 1.1 reads an unquoted 08:30 as the number 510.
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", value):
        raise Broken("a time of day is text, hours and minutes", 'write it in quotes: "08:30"')
    return value


def _day(value: Any) -> Any:
    # Pulumi hands an unquoted date over as a moment in UTC, which is another day elsewhere.
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise Broken("a day is text, a date of ISO 8601", 'write it in quotes: "2027-06-30"')
    return value


Account = Annotated[str, BeforeValidator(_quoted), AfterValidator(_account)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,23}$")]
# Becomes part of host names (no underscore) and an Ansible group (no hyphen).
RoleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,15}$")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2,4}(-[a-z]+)+-\d$")]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Days = Annotated[int, Field(ge=1, le=3653, strict=True)]
Network4 = Annotated[IPv4Network, BeforeValidator(_strict_network)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_strict_network)]
Words = Annotated[tuple[str, ...], Field(min_length=1)]
Reason = Annotated[str, Field(min_length=3, max_length=200)]
Window = Annotated[str, AfterValidator(_window)]
ZoneName = Annotated[str, AfterValidator(_zone_name)]
Clock = Annotated[str, BeforeValidator(_clock)]
Day = Annotated[date, BeforeValidator(_day)]
# A recorded change or ticket: what an auditor looks up.
Ticket = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*-[0-9]+$")]
PublicKey = Annotated[
    str,
    AfterValidator(public_key),
    # For editors only: what is inside the base64 text is read by the validator.
    Field(json_schema_extra={"pattern": rf"^\s*({'|'.join(KEY_TYPES)}) [A-Za-z0-9+/]+={{0,2}}( \S+)?\s*$"}),
]


class Model(BaseModel):
    """Frozen; unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
