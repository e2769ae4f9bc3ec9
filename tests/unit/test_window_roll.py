"""Windows in UTC from hours in a zone: midnight, clock changes, odd zones, missed rolls, clocks, size."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from iam.window_policy import zone_data
from iam.window_roll import (
    DAYS,
    MOST_CHARACTERS,
    closed,
    fits,
    most_windows,
    open_during,
    roll,
    size,
    windows,
)

EVERY = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
WEEK = EVERY[:5]
TEMPLATE: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "AtMost", "Effect": "Allow", "Action": ["ec2:*"], "Resource": ["*"]},
        {"Sid": "Never", "Effect": "Deny", "Action": ["iam:*"], "Resource": ["*"]},
    ],
}


def hours(opens: str, closes: str, zone: str, days: list[str] | None = None) -> dict[str, Any]:
    return {"days": days or EVERY, "from": opens, "to": closes, "timezone": zone}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def written(found: list[tuple[datetime, datetime]]) -> list[str]:
    return [f"{opens:%d %H:%M}-{closes:%d %H:%M}" for opens, closes in found]


@pytest.mark.parametrize(
    ("case", "stated", "start", "days", "expected"),
    [
        (
            "a working day in Mumbai",
            hours("08:00", "20:00", "Asia/Kolkata"),
            "2026-11-24T00:00",
            1,
            ["24 02:30-24 14:30"],
        ),
        (
            "up to midnight",
            hours("16:00", "24:00", "Europe/Berlin"),
            "2026-11-24T00:00",
            1,
            ["24 15:00-24 23:00"],
        ),
        (
            "a whole day joins the next without a gap",
            hours("00:00", "24:00", "Etc/UTC"),
            "2026-11-24T12:00",
            1,
            ["24 00:00-25 00:00", "25 00:00-26 00:00"],
        ),
        # Berlin's clocks go from 02:00 to 03:00 on 29 March 2026, and from 03:00 back to 02:00 on 25 October.
        (
            "the day of 23 hours",
            hours("00:00", "24:00", "Europe/Berlin"),
            "2026-03-29T00:00",
            1,
            ["28 23:00-29 22:00", "29 22:00-30 22:00"],
        ),
        (
            "the day of 25 hours",
            hours("00:00", "24:00", "Europe/Berlin"),
            "2026-10-25T00:00",
            1,
            ["24 22:00-25 23:00", "25 23:00-26 23:00"],
        ),
        (
            "opens in the hour that is skipped: the later reading",
            hours("02:30", "06:00", "Europe/Berlin", ["Sun"]),
            "2026-03-29T00:00",
            1,
            ["29 01:30-29 04:00"],
        ),
        (
            "closes in the hour that is skipped: the earlier reading",
            hours("00:00", "02:30", "Europe/Berlin", ["Sun"]),
            "2026-03-28T23:30",
            1,
            ["28 23:00-29 00:30"],
        ),
        (
            "opens in the hour that comes twice: the second",
            hours("02:30", "06:00", "Europe/Berlin", ["Sun"]),
            "2026-10-25T00:00",
            1,
            ["25 01:30-25 05:00"],
        ),
        (
            "closes in the hour that comes twice: the first",
            hours("00:00", "02:30", "Europe/Berlin", ["Sun"]),
            "2026-10-24T23:30",
            1,
            ["24 22:00-25 00:30"],
        ),
        (
            "lies in the hour that comes twice: there is none",
            hours("02:10", "02:50", "Europe/Berlin", ["Sun"]),
            "2026-10-24T23:30",
            1,
            [],
        ),
        (
            "before and after a change the same local hours",
            hours("08:00", "20:00", "Europe/Berlin"),
            "2026-10-24T00:00",
            2,
            ["24 06:00-24 18:00", "25 07:00-25 19:00"],
        ),
        (
            "three quarters of an hour off",
            hours("09:00", "17:00", "Asia/Kathmandu"),
            "2026-11-24T00:00",
            1,
            ["24 03:15-24 11:15"],
        ),
        (
            "half an hour of summer time",
            hours("09:00", "17:00", "Australia/Lord_Howe"),
            "2026-11-24T00:00",
            1,
            ["23 22:00-24 06:00", "24 22:00-25 06:00"],
        ),
        (
            "clocks that change at midnight",
            hours("00:00", "06:00", "America/Havana", ["Sun"]),
            "2026-03-08T00:00",
            1,
            ["08 05:00-08 10:00"],
        ),
        (
            "the zone's day is not UTC's",
            hours("00:00", "08:00", "Pacific/Auckland", ["Tue"]),
            "2026-11-23T00:00",
            1,
            ["23 11:00-23 19:00"],
        ),
        (
            "the weekend is left out",
            hours("08:00", "20:00", "Etc/UTC", WEEK),
            "2026-11-20T21:00",
            4,
            ["23 08:00-23 20:00", "24 08:00-24 20:00"],
        ),
        (
            "one that is open now",
            hours("08:00", "20:00", "Etc/UTC"),
            "2026-11-24T19:59",
            1,
            ["24 08:00-24 20:00", "25 08:00-25 20:00"],
        ),
        (
            "one that closes this moment is over",
            hours("08:00", "20:00", "Etc/UTC"),
            "2026-11-24T20:00",
            1,
            ["25 08:00-25 20:00"],
        ),
    ],
)
def test_windows_in_utc(
    case: str, stated: dict[str, Any], start: str, days: int, expected: list[str]
) -> None:
    assert written(windows(stated, at(start), days)) == expected, case
    # The zone's rules that come along say the same as the machine's.
    along = {**stated, "tzif": zone_data(stated["timezone"])}
    assert written(windows(along, at(start), days)) == expected, case


def test_a_year_of_hourly_rolls_never_has_more_windows_than_the_limit_was_proven_for() -> None:
    for zone in ("Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"):
        for stated in (hours("00:00", "24:00", zone), hours("23:00", "24:00", zone)):
            start = at("2026-01-01T00:30")
            for hour in range(0, 365 * 24, 5):
                found = windows(stated, start + timedelta(hours=hour))
                assert len(found) <= most_windows()


def test_a_clock_that_runs_wrong_closes_early_or_keeps_what_is_stated() -> None:
    stated, now = hours("08:00", "20:00", "Etc/UTC"), at("2026-11-24T12:00")
    true = set(windows(stated, now))
    for wrong in (timedelta(minutes=-7), timedelta(minutes=7), timedelta(days=-30), timedelta(days=30)):
        for opens, closes in windows(stated, now + wrong):
            # Whatever the function's clock says, a window is one that the hours state.
            assert opens.hour == 8 and closes - opens == timedelta(hours=12)
    assert not set(windows(stated, now - timedelta(days=30))) & true, "a slow clock opens nothing today"


class Iam:
    """As much of IAM as the roller calls; keeps versions as IAM does."""

    def __init__(self, *arns: str) -> None:
        self.versions = {arn: {"v1": closed(TEMPLATE)} for arn in arns}
        self.default = dict.fromkeys(arns, "v1")
        self.written = 0

    def list_policy_versions(self, PolicyArn: str) -> dict[str, Any]:
        held = self.versions[PolicyArn]
        return {
            "Versions": [{"VersionId": v, "IsDefaultVersion": v == self.default[PolicyArn]} for v in held]
        }

    def get_policy_version(self, PolicyArn: str, VersionId: str) -> dict[str, Any]:
        return {"PolicyVersion": {"Document": copy.deepcopy(self.versions[PolicyArn][VersionId])}}

    def delete_policy_version(self, PolicyArn: str, VersionId: str) -> None:
        assert VersionId != self.default[PolicyArn], "IAM keeps the default version"
        del self.versions[PolicyArn][VersionId]

    def create_policy_version(self, PolicyArn: str, PolicyDocument: str, SetAsDefault: bool) -> None:
        assert SetAsDefault and len(self.versions[PolicyArn]) < 5, "IAM keeps five versions"
        self.written += 1
        name = f"v{self.written + 1}"
        self.versions[PolicyArn][name] = json.loads(PolicyDocument)
        self.default[PolicyArn] = name

    def now(self, arn: str) -> dict[str, Any]:
        return self.versions[arn][self.default[arn]]


def order(arn: str, **more: Any) -> dict[str, Any]:
    return {"arn": arn, "hours": hours("08:00", "20:00", "Etc/UTC"), "document": TEMPLATE, **more}


def test_rolling_writes_a_version_only_when_windows_changed_and_never_holds_more_than_five() -> None:
    iam, start = Iam("a"), at("2026-11-24T00:00")
    for hour in range(24 * 9):
        roll(iam, [order("a")], start + timedelta(hours=hour))
    assert iam.written < 24 * 9 / 8, "unchanged windows are not written again"
    assert len(iam.versions["a"]) <= 5
    assert size(iam.now("a")) < MOST_CHARACTERS


def test_a_missed_roll_leaves_no_window_open() -> None:
    iam, rolled = Iam("a"), at("2026-11-24T12:00")
    ends = roll(iam, [order("a")], rolled)
    last = datetime.fromisoformat(ends["a"].replace("Z", "+00:00"))
    assert last <= rolled + timedelta(days=DAYS, hours=12)
    held = [
        s["Condition"]["DateLessThan"]["aws:CurrentTime"]
        for s in iam.now("a")["Statement"]
        if s["Effect"] == "Allow"
    ]
    assert max(held) == ends["a"], "nothing opens after the last window"
    assert all(
        "DateGreaterThanEquals" in s["Condition"] for s in iam.now("a")["Statement"] if s["Effect"] == "Allow"
    )


def test_one_policy_that_fails_keeps_no_other_from_rolling_and_the_roll_fails() -> None:
    iam = Iam("good")
    with pytest.raises(RuntimeError, match="not rolled: gone: KeyError"):
        roll(iam, [order("gone"), order("good")], at("2026-11-24T12:00"))
    assert iam.now("good")["Statement"][0]["Effect"] == "Allow"
    with pytest.raises(RuntimeError, match="ZoneInfoNotFoundError"):
        roll(iam, [order("good", hours=hours("08:00", "20:00", "Mars/Olympus"))], at("2026-11-24T12:00"))


def test_an_end_cuts_the_windows() -> None:
    iam = Iam("a")
    assert (
        roll(iam, [order("a", until="2026-11-25T10:00:00+00:00")], at("2026-11-24T12:00"))["a"]
        == "2026-11-25T10:00:00Z"
    )
    assert roll(iam, [order("a", until="2026-11-25T10:00:00+00:00")], at("2026-11-26T12:00"))["a"] == "closed"
    assert [s["Effect"] for s in iam.now("a")["Statement"]] == ["Deny"]


def test_a_closed_boundary_allows_nothing_and_a_denial_stands_in_every_one() -> None:
    assert open_during(TEMPLATE, []) == closed(TEMPLATE)
    made = open_during(TEMPLATE, windows(hours("08:00", "20:00", "Etc/UTC"), at("2026-11-24T00:00")))
    assert [s["Sid"] for s in made["Statement"] if s["Effect"] == "Deny"] == ["Never"]
    assert len({s["Sid"] for s in made["Statement"]}) == len(made["Statement"])


def test_a_template_too_long_for_its_windows_is_found_before_it_is_written() -> None:
    long = {
        **TEMPLATE,
        "Statement": [{**TEMPLATE["Statement"][0], "Action": [f"ec2:Action{n:04}" for n in range(90)]}],
    }
    assert fits(TEMPLATE) and not fits(long)
    iam = Iam("a")
    with pytest.raises(RuntimeError, match="characters, IAM takes 6144"):
        roll(iam, [order("a", document=long)], at("2026-11-24T12:00"))
    assert iam.written == 0
