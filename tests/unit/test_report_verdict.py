"""The verdict is red unless everything was proven, and says what is wrong in one sentence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from report.model import Report, Result, Status
from report.verdict import judge
from tests.unit import report_sample as sample


def changed(report: Report, **changes: Any) -> Report:
    return report.model_copy(update=changes)


def with_status(status: Status, number: int = 1) -> Report:
    """A good run with the first results of as many controls turned into `status`."""
    good = sample.report(good=True)
    results = list(good.results)
    seen: set[str] = set()
    for index, result in enumerate(results):
        if len(seen) < number and result.control not in seen:
            seen.add(result.control)
            results[index] = result.model_copy(update={"status": status, "message": "changed by the test"})
    return changed(good, results=tuple(results))


def test_a_run_in_which_everything_passes_is_good_and_says_so() -> None:
    verdict = judge(sample.report(good=True))
    assert verdict.good
    assert verdict.headline == "All controls hold: 120 controls proven on 26 subjects"
    assert not verdict.scope_remark


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (Status.FAIL, 1, "3 controls failed on 1 subject"),
        (Status.ERROR, 3, "3 controls could not be judged on 1 subject"),
        (Status.MANUAL, 1, "3 controls await a judgement on 1 subject"),
    ],
)
def test_an_open_result_makes_the_verdict_red(status: Status, code: int, sentence: str) -> None:
    report = with_status(status, 3)
    assert judge(report).headline == sentence
    assert not judge(report).good
    assert report.exit_code() == code


def test_several_kinds_of_open_result_are_all_in_the_sentence() -> None:
    headline = judge(sample.report()).headline
    assert "failed on" in headline
    assert "could not be judged on" in headline
    assert "awaits a judgement on" in headline


def test_a_fault_makes_a_run_of_passes_red() -> None:
    report = sample.report(good=True, faults=("node edge-c-1 is expected and was never judged",))
    assert not judge(report).good
    assert judge(report).headline == "The run itself is at fault for 1 reason"
    assert report.exit_code() == 1


def test_an_empty_report_is_red() -> None:
    good = sample.report(good=True)
    report = changed(good, results=(), subjects=(), controls=())
    assert judge(report).headline.startswith("Nothing was verified")
    assert report.exit_code() == 1


def test_a_run_in_which_nothing_applies_proves_nothing() -> None:
    good = sample.report(good=True)
    results = tuple(r.model_copy(update={"status": Status.NOT_APPLICABLE}) for r in good.results)
    report = changed(good, results=results)
    assert report.doubts() == ("every result is not applicable: nothing was proven",)
    assert report.exit_code() == 1


def test_a_subject_without_a_result_is_named() -> None:
    good = sample.report(good=True)
    report = changed(good, results=tuple(r for r in good.results if r.subject != "edge-c-1"))
    assert report.doubts() == ("edge-c-1: no result",)
    assert report.exit_code() == 1


def test_a_control_without_a_result_is_named() -> None:
    good = sample.report(good=True)
    report = changed(good, results=tuple(r for r in good.results if r.control != "STK-SSH-001"))
    assert report.doubts() == ("STK-SSH-001: no result",)


def test_the_other_half_of_the_catalogue_is_not_missed_in_a_run_over_the_region_only() -> None:
    good = sample.report(good=True)
    subjects = tuple(s for s in good.subjects if s.kind == "resource")
    names = {subject.id for subject in subjects}
    run = good.run.model_copy(update={"scope": "region only"})
    results = tuple(r for r in good.results if r.subject in names)
    report = changed(good, run=run, subjects=subjects, results=results)
    assert report.exit_code() == 0
    assert judge(report).scope_remark == "Region only: no node was verified."
    fewer = changed(report, results=tuple(r for r in results if r.control != "STK-KMS-001"))
    assert fewer.doubts() == ("STK-KMS-001: no result",)


def test_a_result_about_something_unlisted_is_named() -> None:
    good = sample.report(good=True)
    stranger = good.results[0].model_copy(update={"subject": "edge-z-9", "control": "STK-XXX-999"})
    report = changed(good, results=(*good.results, stranger))
    assert report.doubts() == (
        "STK-XXX-999: has results but is not listed",
        "edge-z-9: has results but is not listed",
    )


@pytest.mark.parametrize("later", [Status.PASS, Status.FAIL])
def test_a_result_that_stands_twice_is_named_in_one_line(later: Status) -> None:
    good = sample.report(good=True)
    one = good.results[0]
    report = changed(good, results=(*good.results, one.model_copy(update={"status": later})))
    said = f"a result stands once: {one.control} on {one.subject} by {one.test}, 2 times"
    assert report.doubts() == (said,)
    assert report.exit_code() == 1
    assert len(changed(good, results=good.results * 2).doubts()) == 1


def test_two_tests_of_one_control_give_two_results() -> None:
    good = sample.report(good=True)
    other = good.results[0].model_copy(update={"test": "tests/nodes/test_other.py::test_other"})
    assert changed(good, results=(*good.results, other)).doubts() == ()


def _waived(report: Report) -> tuple[int, Result]:
    return next((i, r) for i, r in enumerate(report.results) if r.status is Status.WAIVED)


def test_a_waived_result_counts_apart_and_never_as_passed() -> None:
    base = sample.report()
    waiver = _waived(base)[1].waiver
    good = sample.report(good=True)
    first = good.results[0].model_copy(update={"status": Status.WAIVED, "waiver": waiver})
    report = changed(good, results=(first, *good.results[1:]))
    assert report.exit_code() == 0
    assert judge(report).headline.endswith(", 1 waived")
    assert report.counts()[Status.PASS] == good.counts()[Status.PASS] - 1


@pytest.mark.parametrize("days", [0, -1])
def test_a_waiver_that_was_over_at_the_start_is_red(days: int) -> None:
    report = sample.report()
    index, result = _waived(report)
    assert result.waiver is not None
    over = result.waiver.model_copy(update={"expires": sample.STARTED + timedelta(days=days)})
    results = list(report.results)
    results[index] = result.model_copy(update={"waiver": over})
    doubts = changed(report, results=tuple(results)).doubts()
    assert len(doubts) == 1
    assert "WVR-2026-004 ended" in doubts[0]


def test_waived_without_a_waiver_is_red() -> None:
    report = sample.report()
    index, result = _waived(report)
    results = list(report.results)
    results[index] = result.model_copy(update={"waiver": None})
    doubts = changed(report, results=tuple(results)).doubts()
    assert doubts == (f"{result.control} on {result.subject}: waived without a waiver",)


def test_a_status_that_nobody_knows_is_refused() -> None:
    text = sample.report().model_dump_json(by_alias=True).replace('"status":"fail"', '"status":"fine"', 1)
    with pytest.raises(ValidationError):
        Report.model_validate_json(text)


def test_a_time_without_a_zone_is_refused() -> None:
    text = sample.report().model_dump_json(by_alias=True).replace("09:26:53Z", "09:26:53")
    with pytest.raises(ValidationError):
        Report.model_validate_json(text)
