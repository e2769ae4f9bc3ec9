"""What the run means, in one sentence, and the order in which findings are read."""

from __future__ import annotations

from dataclasses import dataclass

from report.model import Report, Result, Status

# Most urgent first. A known failure stands before an unknown, so that merging results never hides a failure.
URGENCY = (Status.FAIL, Status.ERROR, Status.MANUAL, Status.WAIVED, Status.PASS, Status.NOT_APPLICABLE)
OPEN = (Status.FAIL, Status.ERROR, Status.MANUAL)
WORDS = {
    Status.PASS: "pass",
    Status.FAIL: "fail",
    Status.ERROR: "error",
    Status.WAIVED: "waived",
    Status.NOT_APPLICABLE: "not applicable",
    Status.MANUAL: "manual",
}
# A shape for every status, so that nothing depends on colour.
SYMBOLS = {
    Status.PASS: "✓",
    Status.FAIL: "✕",
    Status.ERROR: "!",
    Status.WAIVED: "W",
    Status.NOT_APPLICABLE: "–",  # noqa: RUF001 - a dash as wide as the other symbols
    Status.MANUAL: "?",
}


@dataclass(frozen=True)
class Verdict:
    """The outcome of a run; `good` agrees with `Report.exit_code() == 0`."""

    good: bool
    headline: str
    scope_remark: str  # "" when region and nodes were both verified
    reasons: tuple[str, ...]  # faults of the run and doubts about the report


def worst(statuses: list[Status] | tuple[Status, ...]) -> Status:
    """The most urgent of several statuses (at least one)."""
    return min(statuses, key=URGENCY.index)


def judge(report: Report) -> Verdict:
    """The verdict over the whole report."""
    scope = {
        "region only": "Region only: no node was verified.",
        "nodes only": "Nodes only: the region was not verified.",
    }.get(report.run.scope, "")
    good = report.exit_code() == 0
    return Verdict(good, _held(report) if good else _red(report), scope, (*report.faults, *report.doubts()))


def ordered(results: list[Result] | tuple[Result, ...]) -> list[Result]:
    """Most urgent first; inside one status the order of the run."""
    return sorted(results, key=lambda result: URGENCY.index(result.status))


def count(number: int, noun: str) -> str:
    """`1 control`, `3 controls`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _held(report: Report) -> str:
    proven = {result.control for result in report.results if result.status is Status.PASS}
    waived = {result.control for result in report.results if result.status is Status.WAIVED}
    subjects = {result.subject for result in report.results}
    text = f"All controls hold: {count(len(proven), 'control')} proven on {count(len(subjects), 'subject')}"
    return text + (f", {len(waived):,} waived" if waived else "")


def _red(report: Report) -> str:
    parts = []
    for status, verb in (
        (Status.FAIL, "failed on"),
        (Status.ERROR, "could not be judged on"),
        (Status.MANUAL, "await{s} a judgement on"),
    ):
        found = [result for result in report.results if result.status is status]
        if found:
            controls, subjects = {r.control for r in found}, {r.subject for r in found}
            words = verb.format(s="s" if len(controls) == 1 else "")
            parts.append(f"{count(len(controls), 'control')} {words} {count(len(subjects), 'subject')}")
    reasons = len(report.faults) + len(report.doubts())
    if not report.results:
        parts = ["Nothing was verified"]
    if reasons:
        parts.append(f"the run itself is at fault for {count(reasons, 'reason')}")
    text = ", ".join(parts)
    return text[0].upper() + text[1:]
