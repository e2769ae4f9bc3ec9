"""What every rendering starts from: results with control and subject, and what is wrong with the run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID, uuid5

from report.model import ControlSummary, Report, Result, Status, Subject
from report.verdict import ordered

# Any fixed UUID will do; it keeps identities of one finding the same from run to run.
_NAMESPACE = UUID("7f0b3f6e-27a5-5d0c-9a0e-51c0cade0001")
RUN = "STK-RUN"  # stands for the run itself where a format knows only controls


@dataclass(frozen=True)
class Finding:
    """One result with the control and the subject it is about."""

    result: Result
    control: ControlSummary
    subject: Subject


def listed_controls(report: Report) -> list[ControlSummary]:
    """The report's controls, and a stand-in for each that only a result names: it must not vanish."""
    found = {control.id: control for control in report.controls}
    for result in report.results:
        if result.control not in found:
            found[result.control] = ControlSummary(
                id=result.control,
                title="This control is not in the catalogue of the run",
                why="A result about an unlisted control cannot be judged.",
                severity="critical",
                layer="unlisted",
                rows=(),
                references=(),
            )
    return sorted(found.values(), key=lambda control: control.id)


def listed_subjects(report: Report) -> list[Subject]:
    """The report's subjects, and a stand-in for each that only a result names."""
    found = {subject.id: subject for subject in report.subjects}
    for result in report.results:
        if result.subject not in found:
            found[result.subject] = Subject(id=result.subject, kind="resource", group="unlisted")
    return list(found.values())


def findings(report: Report, statuses: Collection[Status] = tuple(Status)) -> list[Finding]:
    """The results of these statuses, most urgent first; inside one status the order of the run."""
    controls = {control.id: control for control in listed_controls(report)}
    subjects = {subject.id: subject for subject in listed_subjects(report)}
    wanted = ordered([result for result in report.results if result.status in statuses])
    return [Finding(result, controls[result.control], subjects[result.subject]) for result in wanted]


def reasons(report: Report) -> list[tuple[str, str]]:
    """(fault or doubt, text): why the run as a whole is red, before any finding is read."""
    return [*(("fault", text) for text in report.faults), *(("doubt", text) for text in report.doubts())]


def identity(report: Report, *words: str) -> UUID:
    """The same UUID for the same thing in every run over this stack and account."""
    run = report.run
    return uuid5(_NAMESPACE, "\x1f".join((run.stack, run.account, run.region, *words)))


def waiver_line(result: Result) -> str:
    """One line on who accepted what until when."""
    if (waiver := result.waiver) is None:
        return f"waived without a waiver: {result.message}"
    risk = f"; risk: {waiver.risk}" if waiver.risk else ""
    return (
        f"waived by {waiver.id} until {waiver.expires:%Y-%m-%d %H:%M %Z}: {waiver.reason} "
        f"(owner {waiver.owner}, approver {waiver.approver}, {waiver.ticket}){risk}; {result.message}"
    )
