"""One page of A4 for those who decide: verdict, numbers, what is open, what ends, where it is going."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from report import drift, page, view
from report.history import Entry
from report.model import ControlSummary, Report, Status
from report.verdict import OPEN, URGENCY, judge
from report.view import SEVERITIES

# What fits on the sheet; a test prints the worst case.
MOST_REASONS = 3
MOST_RISKS = 5
MOST_WAIVERS = 3
MOST_CHANGES = 4
MOST_LAYERS = 9
MOST_FRAMEWORKS = 13
ROOMY = 3  # as few risks, waivers and reasons together leave room for every layer and for whole names
MOST_ROOMY = 18  # layers, and frameworks, on such a sheet


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
    found, run = risks(shown), report.run
    # What is wrong with the run takes the place of risks that are no proof until it is repaired.
    most = MOST_RISKS - (2 if judge(report).reasons else 0)
    roomy = len(found) + len(shown.waived) + len(judge(report).reasons) + len(run.remarks) <= ROOMY
    layers, other_layers = _layers(shown, MOST_ROOMY if roomy else MOST_LAYERS)
    listed = sorted(shown.frameworks, key=lambda item: -item.missing)  # what is open is never left out
    fits = MOST_ROOMY if roomy else MOST_FRAMEWORKS
    frameworks = listed if len(listed) <= fits else listed[: fits - 4]  # a line says what is left out
    return (
        page.environment()
        .get_template("brief.html.j2")
        .render(
            report=report,
            run=run,
            roomy=roomy,
            other_layers=other_layers,
            verdict=judge(report),
            view=shown,
            layers=layers,
            frameworks=[item for item in shown.frameworks if item in frameworks],
            other_frameworks=listed[len(frameworks) :],
            risks=found[:most],
            risks_rest=len(found) - len(found[:most]),
            waivers=shown.waived[:MOST_WAIVERS],
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


def _layers(shown: view.View, most: int) -> tuple[list[view.Tally], view.Tally | None]:
    """The layers with most that is open, and the sum of all others: no result is left out of the table."""
    tallies = sorted(shown.layers, key=lambda tally: -tally.open)
    if len(tallies) <= most:
        return tallies, None
    rest = tallies[most - 1 :]
    other = view.Tally(f"{len(rest)} other layers")
    for status in Status:
        other.counts[status] = sum(tally.counts[status] for tally in rest)
    return tallies[: most - 1], other
