"""Findings of Security Hub from run to run: updated, ended and reopened, never doubled, never left behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from report import asff
from report.findings import RUN
from report.history import Entry, entry_of
from report.model import Report, Result, Status, Waiver
from report.told import moment
from tests.unit import report_sample as sample

PAIR = ("STK-SSH-001", "edge-a-1")
SMALL: dict[str, Any] = {"node_controls": 2, "region_controls": 1, "resource_count": 1, "good": True}


class Hub:
    """Security Hub, and the runs that report to it one after the other."""

    def __init__(self) -> None:
        self.client = boto3.client("securityhub", region_name="ap-south-1")
        self.client.enable_security_hub()
        self.records: list[Entry] = []

    def take(self, report: Report, *, narrowed: bool = False) -> dict[str, tuple[str, str]]:
        """One run an hour; finding's control, subject and waiver → its record state and compliance."""
        at = sample.STARTED + timedelta(hours=len(self.records))
        report = report.model_copy(update={"run": report.run.model_copy(update={"started": at})})
        self.records.append(entry_of(report, narrowed=narrowed))
        for request in asff.batches(report, self.records):
            answer = self.client.batch_import_findings(**request)
            assert answer["FailedCount"] == 0
        return {
            "/".join(f["Id"].split("/")[3:]): (f["RecordState"], f["Compliance"]["Status"])
            for f in self.all()
        }

    def all(self) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("get_findings").paginate()
        return [finding for page in pages for finding in page["Findings"]]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        yield Hub()


def run_with(status: Status, waiver: Waiver | None = None, **changes: Any) -> Report:
    """A good run but for one pair."""
    report = sample.report(**SMALL, **changes)
    one = {"status": status, "waiver": waiver}
    results = [r.model_copy(update=one if (r.control, r.subject) == PAIR else {}) for r in report.results]
    held = {"status": Status.PASS}
    results = [r if (r.control, r.subject) == PAIR else r.model_copy(update=held) for r in results]
    assert any((r.control, r.subject) == PAIR for r in results)
    return report.model_copy(update={"results": tuple(results)})


NAME = "/".join(PAIR)


def test_a_failure_is_one_finding_that_is_updated_archived_and_reopened(hub: Hub) -> None:
    assert hub.take(run_with(Status.PASS)) == {}
    assert hub.take(run_with(Status.FAIL)) == {NAME: ("ACTIVE", "FAILED")}
    assert hub.take(run_with(Status.ERROR)) == {NAME: ("ACTIVE", "WARNING")}
    assert hub.take(run_with(Status.PASS)) == {NAME: ("ARCHIVED", "PASSED")}
    assert hub.take(run_with(Status.FAIL)) == {NAME: ("ACTIVE", "FAILED")}
    (kept,) = hub.all()
    assert kept["CreatedAt"] == moment(sample.STARTED + timedelta(hours=1))
    assert kept["UpdatedAt"] == moment(sample.STARTED + timedelta(hours=4))


def test_a_waiver_that_ended_leaves_nothing_suppressed(hub: Hub) -> None:
    """Security Hub keeps SUPPRESSED for ever: what is waived must not be the finding that is open later."""
    hub.take(run_with(Status.FAIL))
    waiver = sample.waiver()
    waived = f"{NAME}/{waiver.id}"
    assert hub.take(run_with(Status.WAIVED, waiver)) == {
        NAME: ("ARCHIVED", "FAILED"),
        waived: ("ACTIVE", "FAILED"),
    }
    assert hub.take(run_with(Status.FAIL)) == {NAME: ("ACTIVE", "FAILED"), waived: ("ARCHIVED", "FAILED")}
    states = {f["RecordState"]: f["Workflow"]["Status"] for f in hub.all()}
    assert states["ACTIVE"] == "NEW"
    renewed = waiver.model_copy(update={"id": "WVR-0009"})
    shown = hub.take(run_with(Status.WAIVED, renewed))
    assert [name for name, (state, _) in shown.items() if state == "ACTIVE"] == [f"{NAME}/WVR-0009"]


def test_a_run_at_fault_is_one_finding_and_ends_with_the_fault(hub: Hub) -> None:
    both = ("edge-z-1 is missing", "nothing was selected")
    assert hub.take(run_with(Status.PASS, faults=both)) == {RUN: ("ACTIVE", "FAILED")}
    assert hub.take(run_with(Status.PASS, faults=both[:1])) == {RUN: ("ACTIVE", "FAILED")}
    (kept,) = hub.all()
    assert "for 1 reason" in kept["Title"] and "edge-z-1 is missing" in kept["Description"]
    assert hub.take(run_with(Status.PASS)) == {RUN: ("ARCHIVED", "PASSED")}


def _without(report: Report, subject: str) -> Report:
    def kept(result: Result) -> bool:
        return result.subject != subject

    subjects = tuple(s for s in report.subjects if s.id != subject)
    return report.model_copy(update={"subjects": subjects, "results": tuple(filter(kept, report.results))})


def test_what_is_no_longer_there_is_archived_by_a_whole_run_only(hub: Hub) -> None:
    hub.take(run_with(Status.FAIL))
    gone = _without(run_with(Status.PASS), PAIR[1])
    assert hub.take(gone, narrowed=True) == {NAME: ("ACTIVE", "FAILED")}, "it was not looked at"
    other = gone.model_copy(update={"run": gone.run.model_copy(update={"scope": "region only"})})
    assert hub.take(other) == {NAME: ("ACTIVE", "FAILED")}, "no node was looked at"
    assert hub.take(gone) == {NAME: ("ARCHIVED", "NOT_AVAILABLE")}


def test_names_that_are_shown_alike_stay_two_findings() -> None:
    names = ("a\x00b", "a\x01b", "n" * 600, "n" * 601)
    report = run_with(Status.PASS)
    failed = next(r for r in report.results if (r.control, r.subject) == PAIR)
    more = [failed.model_copy(update={"subject": n, "status": Status.FAIL}) for n in names]
    made = asff.batches(report.model_copy(update={"results": (*report.results, *more)}))
    found = [f["Id"] for request in made for f in request["Findings"]]
    assert len(found) == len(set(found)) == len(names) + 1  # and the run's own: the names are not listed
    assert max(map(len, found)) <= 512
