"""The sheet for those who decide leaves nothing out; waivers end on it and on the page on the same day."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest

from report import brief, html
from report.model import Report, Status
from tests.unit import report_proof as proof
from tests.unit import report_sample as sample

INDIA, HAWAII = timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-10))


def rows(text: str, section: str) -> list[list[str]]:
    """The cells of a table of the sheet as text."""
    table = re.search(rf'<h2 id="{section}">.*?<tbody>(.*?)</tbody>', text, re.S)
    assert table
    lines = re.findall(r"<tr>(.*?)</tr>", table[1], re.S)
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in re.split(r"</t[hd]>", line)] for line in lines]


@pytest.mark.parametrize("good", [True, False])
def test_the_layers_of_the_sheet_add_up_to_the_whole(good: bool) -> None:
    report = sample.report(good=good, node_controls=45, region_controls=16)
    many = tuple(c.model_copy(update={"layer": f"layer {i}"}) for i, c in enumerate(report.controls))
    report = report.model_copy(update={"controls": many})
    found = rows(brief.render(report), "layers")
    counts = report.counts()
    open_ones = sum(counts[status] for status in (Status.FAIL, Status.ERROR, Status.MANUAL))
    told = [sum(int(row[i].replace(",", "")) for row in found) for i in (2, 3, 4)]
    assert told == [open_ones, counts[Status.WAIVED], counts[Status.PASS]]
    assert found[-1][0] == f"{61 - len(found) + 1} other layers"


def test_a_sheet_with_room_shows_whole_names() -> None:
    """By the class that the style knows; a crowded sheet cuts them."""
    roomy, crowded = (
        brief.render(sample.report(good=True, node_controls=9, region_controls=8)),
        brief.render(proof.report()),
    )
    assert '<main class="roomy">' in roomy
    assert "<main>" in crowded


def test_no_framework_with_an_open_clause_is_left_out() -> None:
    report = proof.report()
    held, broken = report.frameworks[7], report.frameworks[0]
    many = tuple(held.model_copy(update={"id": f"f{i}", "title": f"Held {i}"}) for i in range(20))
    text = brief.render(report.model_copy(update={"frameworks": (*many, broken)}))
    assert any(row[0].startswith(broken.title[:20]) for row in rows(text, "frameworks"))
    assert "and 12 more frameworks with 0 open clauses" in text


def waived(expires: datetime) -> Report:
    """A good run with one waived result."""
    report = sample.report(good=True, node_controls=9, region_controls=8)
    waiver = sample.waiver().model_copy(update={"expires": expires})
    first = report.results[0].model_copy(update={"status": Status.WAIVED, "waiver": waiver})
    return report.model_copy(update={"results": (first, *report.results[1:])})


@pytest.mark.parametrize(
    ("left", "zone", "days", "warned"),
    [
        (timedelta(days=31), None, "31 days", None),
        (timedelta(days=30), None, "30 days", 30),
        (timedelta(days=7, seconds=1), None, "7 days", 30),
        (timedelta(days=7), None, "7 days", 7),
        # 09:26 UTC is 14:56 in India: 10 hours later it is the next day there, and still the same in UTC.
        (timedelta(hours=10), INDIA, "1 day", 7),
        (timedelta(hours=10), None, "0 days", 7),
        # 09:26 UTC is still the day before in Hawaii, and an hour later the day begins there.
        (timedelta(hours=1), HAWAII, "1 day", 7),
        (timedelta(0), None, "over", 0),
        (timedelta(days=-1), None, "over", 0),
    ],
)
def test_a_waiver_warns_at_30_and_7_days_and_counts_days_in_its_own_zone(
    left: timedelta, zone: timezone | None, days: str, warned: int | None
) -> None:
    expires = sample.STARTED + left
    report = waived(expires.astimezone(zone) if zone else expires)
    page = html.render(report)
    shown = re.search(r'<span class="days([^"]*)">([^<]+)</span>', page)
    assert shown
    assert shown[1].strip() == ("" if warned is None else f"within-{warned}")
    assert shown[2] == (days if warned == 0 else f"{days} left")
    assert ("ends within 7 days" in page) == (warned == 7)
    assert ("ends within 30 days" in page) == (warned == 30)
    assert (report.exit_code() != 0) == (warned == 0)
    assert rows(brief.render(report), "waivers")[0][4] == days
