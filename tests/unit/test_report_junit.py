"""JUnit XML says the same as the report, also about what never answered."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase

from report import junit
from report.model import Report, Status
from tests.unit import report_sample as sample

SEEN_AS = {Failure: "failure", Error: "error", Skipped: "skipped"}


def cases(report: Report, folder: Path) -> dict[tuple[str, str], TestCase]:
    """What a CI reads: (suite, control id) → case."""
    junit.write(report, folder / "junit.xml")
    return {
        (suite.name, case.name.split()[0]): case
        for suite in JUnitXml.fromfile(str(folder / "junit.xml"))
        for case in suite
    }


def kind(case: TestCase) -> str:
    return SEEN_AS[type(case.result[0])] if case.result else "passed"


def test_every_pair_of_control_and_subject_is_one_case(tmp_path: Path) -> None:
    report = sample.report()
    assert set(cases(report, tmp_path)) == {(r.subject, r.control) for r in report.results}


def test_the_outcomes_are_those_of_the_report(tmp_path: Path) -> None:
    report = sample.report()
    seen = Counter(kind(case) for case in cases(report, tmp_path).values())
    counts = report.counts()
    assert seen["passed"] == counts[Status.PASS]
    assert seen["failure"] == counts[Status.FAIL] + counts[Status.MANUAL]
    assert seen["error"] == counts[Status.ERROR]
    assert seen["skipped"] == counts[Status.WAIVED] + counts[Status.NOT_APPLICABLE]


def test_the_totals_in_the_file_are_those_of_its_cases(tmp_path: Path) -> None:
    report = sample.report()
    junit.write(report, tmp_path / "junit.xml")
    head = next(line for line in (tmp_path / "junit.xml").read_text().splitlines() if "<testsuites" in line)
    xml = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert sum(suite.tests for suite in xml) == len(report.results)
    assert sum(suite.errors for suite in xml) == report.counts()[Status.ERROR]
    for name in ("tests", "errors", "failures", "skipped"):
        assert f'{name}="{sum(getattr(suite, name) for suite in xml)}"' in head, name


def test_a_skip_carries_its_reason_and_a_waiver_who_accepted_it(tmp_path: Path) -> None:
    report = sample.report()
    found = cases(report, tmp_path)
    for result in report.results:
        case = found[(result.subject, result.control)]
        if result.status is Status.NOT_APPLICABLE:
            assert case.result[0].message == f"not applicable: {result.message}"
        if result.status is Status.WAIVED:
            for word in ("WVR-2026-004", "2026-04-23", "security-office", "platform-engineering", "SEC-118"):
                assert word in case.result[0].message


def test_a_node_that_never_answered_and_the_faults_are_errors(tmp_path: Path) -> None:
    good = sample.report(good=True)
    silent = good.model_copy(
        update={
            "results": tuple(r for r in good.results if r.subject != "app-b-1"),
            "faults": ("the inventory names a node that the region does not",),
        }
    )
    found = cases(silent, tmp_path)
    assert kind(found[("app-b-1", "no")]) == "error"
    assert kind(found[("run", "fault")]) == "error"
    assert found[("run", "fault")].result[0].message == silent.faults[0]
    assert kind(found[("run", "doubt")]) == "error"


def test_an_empty_report_is_an_error_not_an_empty_file(tmp_path: Path) -> None:
    empty = sample.report(good=True).model_copy(update={"results": (), "subjects": (), "controls": ()})
    assert [kind(case) for case in cases(empty, tmp_path).values()] == ["error"]


def test_two_tests_of_one_control_on_one_subject_show_the_worse(tmp_path: Path) -> None:
    good = sample.report(good=True)
    first = next(r for r in good.results if r.status is Status.PASS)
    again = first.model_copy(
        update={"status": Status.FAIL, "message": "the second test failed", "test": "t::2"}
    )
    report = good.model_copy(update={"results": (*good.results, again)})
    case = cases(report, tmp_path)[(first.subject, first.control)]
    assert kind(case) == "failure"
    assert case.result[0].message == "the second test failed"
    assert first.test in case.system_out
    assert "t::2" in case.system_out


def test_garbage_from_a_node_leaves_a_file_that_parses(tmp_path: Path) -> None:
    good = sample.report(good=True)
    hostile = "\x00\x1b[2J</system-out>]]><script>\ud800\ufffe"
    bad = good.results[0].model_copy(update={"status": Status.FAIL, "message": hostile, "evidence": hostile})
    report = good.model_copy(update={"results": (bad, *good.results[1:])})
    case = cases(report, tmp_path)[(bad.subject, bad.control)]
    assert "<script>" in case.result[0].message
    assert "\x1b" not in case.system_out
