"""Frameworks for an auditor: clause → controls → what this run says about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from report.model import ClauseSummary, FrameworkSummary, Status
from report.verdict import worst

# Most urgent first. `unproven`: a control of the clause has no result in this run; `reasoned`: no control,
# but a reason why; `uncovered`: neither.
State = Literal["open", "uncovered", "unproven", "waived", "proven", "not applicable", "reasoned"]
STATES: tuple[State, ...] = (
    "open", "uncovered", "unproven", "waived", "proven", "not applicable", "reasoned",
)  # fmt: skip
_OF_STATUS: dict[Status, State] = {
    Status.FAIL: "open",
    Status.ERROR: "open",
    Status.MANUAL: "open",
    Status.WAIVED: "waived",
    Status.PASS: "proven",
    Status.NOT_APPLICABLE: "not applicable",
}


@dataclass(frozen=True)
class Clause:
    """One clause, its controls with their worst status (None: no result), and what follows for the clause."""

    clause: ClauseSummary
    controls: tuple[tuple[str, Status | None], ...]
    state: State


@dataclass(frozen=True)
class Framework:
    """One framework with the number of its clauses in each state."""

    framework: FrameworkSummary
    clauses: tuple[Clause, ...]
    counts: dict[State, int]

    @property
    def name(self) -> str:
        return f"{self.framework.title} {self.framework.version}".strip()

    @property
    def missing(self) -> int:
        """Clauses that are open, have no control and no reason, or were not judged."""
        return sum(self.counts[state] for state in ("open", "uncovered", "unproven"))

    @property
    def bars(self) -> list[tuple[State, float, float]]:
        """(state, start, width) in percent, most urgent first."""
        at, found = 0.0, []
        for state in STATES:
            width = 100 * self.counts[state] / max(1, len(self.clauses))
            if width:
                found.append((state, round(at, 3), round(width, 3)))
            at += width
        return found


def frameworks(
    listed: Sequence[FrameworkSummary], status_of: Callable[[str], Status | None]
) -> list[Framework]:
    """Every framework judged by the worst status of each clause's controls."""
    found = []
    for framework in listed:
        clauses = tuple(_clause(clause, status_of) for clause in framework.clauses)
        counts = {state: sum(clause.state == state for clause in clauses) for state in STATES}
        found.append(Framework(framework, clauses, counts))
    return found


def _clause(clause: ClauseSummary, status_of: Callable[[str], Status | None]) -> Clause:
    controls = tuple((name, status_of(name)) for name in clause.controls)
    return Clause(clause, controls, _state(clause, [status for _, status in controls]))


def _state(clause: ClauseSummary, statuses: list[Status | None]) -> State:
    """A clause is proven only when each of its controls has a result and the worst of them is a pass."""
    if not statuses:
        return "reasoned" if clause.reason.strip() else "uncovered"
    judged = [status for status in statuses if status is not None]
    state = _OF_STATUS[worst(judged)] if judged else "unproven"
    if state != "open" and len(judged) < len(statuses):
        return "unproven"
    return state
