"""JUnit XML for CI: one suite per subject, one test case per control on it, and the run's own faults."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import FinalResult, SystemOut

from report.findings import reasons, waiver_line
from report.model import Report, Result, Status
from report.plain import plain
from report.verdict import ordered

_DECLARED = b"<?xml version='1.0' encoding='utf-8'?>\n"
_LONGEST = 20_000  # characters of one text; results.json holds the whole


def printable(text: str) -> str:
    """The text without what XML forbids, and not longer than a reader of CI would scroll."""
    return plain(text, _LONGEST)


def write(report: Report, path: Path) -> None:
    """Write the report as JUnit XML.

    pass → passed; fail and manual → failure; error → error; waived and not applicable → skipped with the
    reason. Faults, doubts and subjects without a result are error cases: CI shows a node that never answered.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(_suites(report), path)


def _suites(report: Report) -> Iterator[TestSuite]:
    if suite := _run_suite(report):
        yield suite
    pairs: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in report.results:
        pairs[result.subject][result.control].append(result)
    titles = {control.id: control.title for control in report.controls}
    groups = {subject.id: f"{subject.kind}.{subject.group}" for subject in report.subjects}
    for subject in [*groups, *(name for name in pairs if name not in groups)]:
        yield _suite(report, subject, groups.get(subject, "unlisted"), pairs[subject], titles)


def _write(suites: Iterable[TestSuite], path: Path) -> None:
    """One suite after the other: a fleet's elements all at once need more memory than its results.

    The totals stand before the suites, so the suites wait in a file without a name.
    """
    whole, seconds = JUnitXml("stockade"), 0.0
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    with tempfile.TemporaryFile(dir=path.parent) as kept, path.open("wb") as file:
        for suite in suites:
            counts = {name: number + (getattr(suite, name) or 0) for name, number in counts.items()}
            seconds += suite.time or 0.0
            kept.write(_text(suite).removeprefix(_DECLARED) + b"\n")
        for name, number in counts.items():
            setattr(whole, name, number)
        whole.time = round(seconds, 4)
        head = _text(whole).removeprefix(_DECLARED).removesuffix(b"/>").rstrip()
        file.write(_DECLARED + head + b">\n")
        kept.seek(0)
        shutil.copyfileobj(kept, file)
        file.write(b"</testsuites>\n")


def _text(element: JUnitXml | TestSuite) -> bytes:
    return bytes(element.tostring())  # type: ignore[no-untyped-call]  # junitparser is typed in part


def _run_suite(report: Report) -> TestSuite | None:
    told = reasons(report)
    suite = TestSuite("run")
    for number, (kind, text) in enumerate(told, 1):
        case = TestCase(f"{kind} {number}: {printable(text)[:120]}", classname="run")
        case.result = [Error(printable(text), kind)]
        suite.add_testcase(case)
    return suite if told else None


def _suite(
    report: Report, subject: str, group: str, found: dict[str, list[Result]], titles: dict[str, str]
) -> TestSuite:
    suite = TestSuite(printable(subject))
    suite.hostname = printable(subject)
    suite.timestamp = report.run.started.isoformat()
    for name in ("stack", "region", "account", "commit", "scope"):
        suite.add_property(name, printable(str(getattr(report.run, name) or "")))
    # All at once: adding one by one counts the suite anew each time.
    suite.add_testcases([_case(c, titles.get(c, ""), subject, group, found[c]) for c in found])
    if not found:
        case = TestCase("no result", classname=printable(f"{group}.{subject}"))
        case.result = [Error("this subject has no result: it was expected and never judged", "missing")]
        suite.add_testcase(case)
    return suite


def _case(control: str, title: str, subject: str, group: str, results: list[Result]) -> TestCase:
    """Several tests may prove one control on one subject: the case shows the most urgent and names all."""
    results = ordered(results)
    case = TestCase(
        printable(f"{control} {title}".strip()),
        classname=printable(f"{group}.{subject}"),
        time=round(sum(result.seconds for result in results), 4),
    )
    case.extend(_outcome(results))  # type: ignore[no-untyped-call]
    shown = [f"{result.test}\n{result.message}\n{result.evidence}".rstrip() for result in results]
    case.append(SystemOut(printable("\n\n".join(shown))))  # type: ignore[no-untyped-call]
    return case


def _outcome(results: list[Result]) -> list[FinalResult]:
    status = results[0].status
    message = printable("; ".join(r.message for r in results if r.status is status))
    if status is Status.FAIL:
        return [Failure(message, "fail")]
    if status is Status.MANUAL:
        return [Failure(f"manual judgement is missing: {message}", "manual")]
    if status is Status.ERROR:
        return [Error(message, "error")]
    if status is Status.WAIVED:
        return [Skipped(printable(waiver_line(results[0])), "waived")]
    if status is Status.NOT_APPLICABLE:
        return [Skipped(f"not applicable: {message}", "not_applicable")]
    return []
