"""One page of A4 for those who decide: verdict, numbers, what is open, what ends, where it is going."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from report import drift, page, view
from report.history import Entry
from report.model import ControlSummary, Report, Status, Waiver
from report.verdict import OPEN, URGENCY, judge
from report.view import SEVERITIES

# What fits on the sheet; a test prints the worst case.
MOST_REASONS = 3
MOST_RISKS = 5
MOST_WAIVERS = 3
MOST_CHANGES = 4
MOST_LAYERS = 9
MOST_FRAMEWORKS = 13


@dataclass(frozen=True)
class Risk:
    """One control that is open, with its most urgent status and the number of subjects."""

    control: ControlSummary
    status: Status
    subjects: int


def render(report: Report, past: Sequence[Entry] = ()) -> str:
    """summary.html: prints to exactly one page."""
    shown = view.arrange(report, past)
    style = page.text("colours.css", "brief.css")
    changes = drift.sorted_changes(report.changes)
    kinds = [(kind, sum(k == kind for k, _ in changes)) for kind in drift.KINDS]
    found = risks(shown)
    # What is wrong with the run takes the place of risks that are no proof until it is repaired.
    most = MOST_RISKS - (2 if judge(report).reasons else 0)
    return (
        page.environment()
        .get_template("brief.html.j2")
        .render(
            report=report,
            run=report.run,
            verdict=judge(report),
            view=shown,
            layers=sorted(shown.layers, key=lambda tally: -sum(tally.counts[s] for s in OPEN))[:MOST_LAYERS],
            frameworks=shown.frameworks[:MOST_FRAMEWORKS],
            risks=found[:most],
            risks_rest=len(found) - len(found[:most]),
            waivers=_waivers(shown)[:MOST_WAIVERS],
            waivers_rest=max(0, len(shown.waived) - MOST_WAIVERS),
            changes=changes[:MOST_CHANGES],
            changes_rest=max(0, len(changes) - MOST_CHANGES),
            kinds=[(kind, number) for kind, number in kinds if number],
            most_reasons=MOST_REASONS,
            statuses=URGENCY,
            style=Markup(style),  # noqa: S704 - our own file
            policy=page.policy(style),
        )
    )


def risks(shown: view.View) -> list[Risk]:
    """Controls with an open result: severity first, then urgency, then how many subjects."""
    subjects: dict[str, set[str]] = defaultdict(set)
    for result in shown.open_results:
        subjects[result.control].add(result.subject)
    found = [
        Risk(detail.control, detail.status, len(subjects[detail.control.id]))
        for detail in shown.details
        if detail.status in OPEN
    ]
    return sorted(
        found,
        key=lambda r: (SEVERITIES.index(r.control.severity), URGENCY.index(r.status), -r.subjects),
    )


def _waivers(shown: view.View) -> list[tuple[Waiver, int, int]]:
    """(waiver, days left, results it covers), the first to end first."""
    return [(item.waiver, item.days_left, len(item.entries)) for item in shown.waived]
