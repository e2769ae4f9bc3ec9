"""The page an auditor reads: one file, no network, safe against what a hostile node says."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from report import diagram, matrix, packing, page, reach, view
from report.clauses import STATES
from report.findings import listed_subjects
from report.history import Entry
from report.model import Report
from report.verdict import OPEN, URGENCY, judge


@dataclass(frozen=True)
class Choices:
    """What a reader can filter by; a control carries the places of what it belongs to."""

    layers: list[str]
    profiles: list[str]
    groups: list[str]  # server roles and kinds of resource
    frameworks: list[str]
    group_of: dict[str, int]  # subject → place in `groups`
    groups_of: dict[str, list[int]]  # control → places in `groups`
    frameworks_of: dict[str, list[int]]  # control → places in `frameworks`


def render(report: Report, past: Sequence[Entry] = ()) -> str:
    """The whole report as one HTML file.

    Every text of the report is escaped by the template engine; the only script and style that run are the
    two whose hash stands in the page's security policy. Large reports carry their results compressed.
    """
    shown = view.arrange(report, past)
    offered = choices(report, shown)
    style = page.text("colours.css", "diagram.css", "style.css", "sections.css")
    script = page.text("heat.js", "script.js")
    fleet = packing.grid(report, shown.details)
    heat = len(fleet.nodes) > matrix.COLUMNS
    return (
        page.environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            run=report.run,
            verdict=judge(report),
            view=shown,
            choices=offered,
            matrices=matrix.matrices(report, shown.details),
            # Built by ElementTree, which escapes every text in it.
            diagram=Markup(diagram.svg(report.region, report)),  # noqa: S704
            reach=reach.reach(report.region),
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            policy=page.policy(style, script),
            fleet=fleet if heat else None,
            # Base64: nothing in it is markup, and cleaning megabytes of it would take its time.
            grid=Markup(packing.packed([fleet.nodes, fleet.roles, fleet.cells])) if heat else "",  # noqa: S704
            chunks=[Markup(c) for c in packing.chunks(report, shown.details, offered.group_of)]  # noqa: S704
            if shown.large or heat
            else [],
            packed_statuses=json.dumps(packing.statuses()),
            severities=view.SEVERITIES,
            statuses=URGENCY,
            states=STATES,
            open_statuses=OPEN,
        )
    )


def choices(report: Report, shown: view.View) -> Choices:
    """Everything that can be chosen, in the order in which it is offered."""
    subjects = listed_subjects(report)
    nodes_first = sorted(subjects, key=lambda subject: subject.kind != "node")
    groups = list(dict.fromkeys(subject.group for subject in nodes_first))
    group_of = {subject.id: groups.index(subject.group) for subject in subjects}
    groups_of: dict[str, set[int]] = defaultdict(set)
    for result in report.results:
        groups_of[result.control].add(group_of[result.subject])
    frameworks_of: dict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(shown.frameworks):
        for name in dict.fromkeys(name for clause in item.clauses for name, _ in clause.controls):
            frameworks_of[name].append(place)
    controls = [detail.control for detail in shown.details]
    return Choices(
        layers=sorted({control.layer for control in controls}),
        profiles=sorted({control.profile for control in controls}),
        groups=groups,
        frameworks=[item.name for item in shown.frameworks],
        group_of=group_of,
        groups_of={name: sorted(found) for name, found in groups_of.items()},
        frameworks_of=dict(frameworks_of),
    )
