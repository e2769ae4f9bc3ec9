"""Rolls the dated windows of a team's hours forward. Runs as the whole code of a Lambda function, so it
imports nothing of this repository: the standard library, and boto3, which the runtime brings.

IAM has no recurring daily window. A team with hours therefore has a permission boundary whose every Allow
stands once per coming window, with the two moments between which it holds, in UTC. What is not allowed there
is refused: a request outside every window, and every request once the last window is over. So a roll that
does not happen closes access by itself, and so does a boundary that was never rolled (`closed`).

A local time that a clock change skips or repeats is read in the narrower way: a window opens at the later and
closes at the earlier of the two moments it could mean.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

# How far ahead windows are written. Four days: a roll that fails on Friday evening is noticed on Monday,
# before access ends on Tuesday; and never more than five windows, which IAM's size limit holds (fits).
DAYS = 4
# IAM and STS quotas: a managed policy has at most 6,144 characters (white space not counted), five versions.
MOST_CHARACTERS = 6144
MOST_VERSIONS = 5
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

Document = dict[str, Any]
Window = tuple[datetime, datetime]


def windows(hours: Mapping[str, Any], start: datetime, days: int = DAYS) -> list[Window]:
    """The windows that are still open or open later than `start`, and open before `days` days are over.

    `hours`: `{"days": ["Mon", …], "from": "08:00", "to": "20:00", "timezone": "Europe/Berlin"}`; "24:00" is
    the midnight that ends the day. `start` carries a time zone. Answers pairs in UTC, in order, half open:
    the second moment is outside.
    """
    zone = _zone(hours)
    end = start + timedelta(days=days)
    found = []
    for day in _days(start.astimezone(zone).date(), end.astimezone(zone).date()):
        if WEEKDAYS[day.weekday()] not in hours["days"]:
            continue
        opens = max(_moments(day, hours["from"], zone))
        closes = min(_moments(day, hours["to"], zone))
        if opens < closes and closes > start and opens < end:
            found.append((opens, closes))
    return found


def _zone(hours: Mapping[str, Any]) -> ZoneInfo:
    """The zone by the rules that came along, or by those of the machine."""
    if "tzif" not in hours:
        return ZoneInfo(hours["timezone"])
    return ZoneInfo.from_file(io.BytesIO(base64.b64decode(hours["tzif"])), key=hours["timezone"])


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))


def _moments(day: date, clock: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Both readings of a local time in UTC; they differ where a clock change skips or repeats it."""
    hour, minute = (int(part) for part in clock.split(":"))
    if hour == 24:
        day, hour = day + timedelta(days=1), 0
    local = datetime.combine(day, time(hour, minute), zone)
    return local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def open_during(template: Document, found: Sequence[Window]) -> Document:
    """The boundary in which each Allow of the template holds during these windows only. Every Deny stays."""
    if not found:
        return closed(template)
    statements = []
    for statement in template["Statement"]:
        if statement["Effect"] != "Allow":
            statements.append(statement)
            continue
        for opens, closes in found:
            when = {
                "DateGreaterThanEquals": {"aws:CurrentTime": _iso(opens)},
                "DateLessThan": {"aws:CurrentTime": _iso(closes)},
            }
            sid = f"{statement['Sid']}{opens:%Y%m%dT%H%M}"
            condition = {**statement.get("Condition", {}), **when}
            statements.append({**statement, "Sid": sid, "Condition": condition})
    return {**template, "Statement": statements}


def closed(template: Document) -> Document:
    """The boundary before the first roll, and while no window comes: it allows nothing."""
    nothing = {"Sid": "NoWindow", "Effect": "Deny", "Action": ["*"], "Resource": ["*"]}
    return {"Version": template["Version"], "Statement": [nothing]}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def size(document: Document) -> int:
    """Characters of a policy as IAM counts them: without white space."""
    return len("".join(render(document).split()))


def render(document: Document) -> str:
    """JSON that is the same text for the same policy."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def most_windows(days: int = DAYS) -> int:
    """The most windows `days` days can touch: the day on which they begin is not over."""
    return days + 1


def fits(template: Document, days: int = DAYS) -> bool:
    """Whether the boundary stays within IAM's limit however the windows fall."""
    noon = datetime(2000, 1, 1, 12, tzinfo=UTC)
    many = [
        (noon + timedelta(days=day), noon + timedelta(days=day, hours=1)) for day in range(most_windows(days))
    ]
    return size(open_during(template, many)) <= MOST_CHARACTERS


def roll(iam: Any, policies: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, str]:
    """Write each policy's coming windows as its default version; answers ARN → end of the last window.

    `policies`: `{"arn", "hours", "until"?, "document"}` each; `until` is the moment after which nothing
    opens, in ISO 8601. One that fails does not keep the others from rolling; then all failures are raised
    together, so that the function's own error metric counts the roll as failed.
    """
    ends, failures = {}, []
    for policy in policies:
        try:
            ends[policy["arn"]] = _roll_one(iam, policy, now)
        except Exception as error:  # whatever it was: the others still roll, and the roll still fails
            failures.append(f"{policy.get('arn')}: {type(error).__name__}: {error}")
    if failures:
        raise RuntimeError("not rolled: " + "; ".join(failures))
    return ends


def _roll_one(iam: Any, policy: Mapping[str, Any], now: datetime) -> str:
    found = _until(windows(policy["hours"], now), policy.get("until"))
    wanted = open_during(policy["document"], found)
    if size(wanted) > MOST_CHARACTERS:
        raise ValueError(f"{size(wanted)} characters, IAM takes {MOST_CHARACTERS}")
    versions = iam.list_policy_versions(PolicyArn=policy["arn"])["Versions"]
    now_default = next(version for version in versions if version["IsDefaultVersion"])
    found_version = iam.get_policy_version(PolicyArn=policy["arn"], VersionId=now_default["VersionId"])
    if _data(found_version["PolicyVersion"]["Document"]) != wanted:
        spare = sorted(
            (v for v in versions if not v["IsDefaultVersion"]), key=lambda v: int(v["VersionId"][1:])
        )
        if len(versions) >= MOST_VERSIONS:
            iam.delete_policy_version(PolicyArn=policy["arn"], VersionId=spare[0]["VersionId"])
        iam.create_policy_version(PolicyArn=policy["arn"], PolicyDocument=render(wanted), SetAsDefault=True)
    return _iso(found[-1][1]) if found else "closed"


def _until(found: Sequence[Window], until: str | None) -> list[Window]:
    if until is None:
        return list(found)
    last = datetime.fromisoformat(until)
    return [(opens, min(closes, last)) for opens, closes in found if opens < last]


def _data(document: Any) -> Any:
    return json.loads(document) if isinstance(document, str) else document


def handler(event: Mapping[str, Any], _context: Any) -> dict[str, str]:
    """What the schedule calls, with the policies to roll as its input."""
    import boto3  # noqa: PLC0415 - the pure functions above need no AWS library

    return roll(boto3.client("iam"), event["policies"], datetime.now(UTC))
