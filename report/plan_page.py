"""The page of a preview: verdict, changes, gates, diagram, and the controls the plan provides."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from markupsafe import Markup

from report import diagram, page
from report.model import Report, Run
from report.plan import Change, GateResult, Preview, Provision

STEPS = ("replace", "delete", "update", "create")
# What a reader must not overlook stands first.
_WRITTEN = 400  # changes written out; preview.json holds all of them


@dataclass(frozen=True)
class Group:
    """Changes of one component, most serious step first."""

    component: str
    changes: tuple[Change, ...]
    counts: tuple[tuple[str, int], ...]


def groups(preview: Preview) -> list[Group]:
    """The changes by component, the largest first; what stays the same is left out."""
    by_component: dict[str, list[Change]] = defaultdict(list)
    for change in preview.changes:
        if change.step != "same":
            by_component[change.component].append(change)
    made = []
    for component, changes in by_component.items():
        ordered = sorted(changes, key=lambda change: (STEPS.index(change.step), change.type, change.name))
        counts = tuple((step, sum(c.step == step for c in changes)) for step in STEPS)
        made.append(Group(component, tuple(ordered), tuple((step, n) for step, n in counts if n)))
    return sorted(made, key=lambda group: (-len(group.changes), group.component))


def areas(preview: Preview) -> dict[str, list[GateResult]]:
    """Gates by area, in the order of the guardrails."""
    found: dict[str, list[GateResult]] = defaultdict(list)
    for gate in preview.gates:
        found[gate.area].append(gate)
    return dict(found)


def layers(preview: Preview) -> dict[str, list[Provision]]:
    """The region's controls by layer."""
    found: dict[str, list[Provision]] = defaultdict(list)
    for control in preview.controls:
        found[control.layer].append(control)
    return dict(sorted(found.items()))


def picture(preview: Preview, *, standalone: bool = False) -> str:
    """The region as it would be, as SVG."""
    run = Run(
        stack=preview.stack,
        region=preview.region,
        account=preview.account,
        started=preview.made,
        seconds=preview.seconds,
        commit=None,
        scope="region only",
    )
    nothing_judged = Report(run=run, subjects=(), controls=(), results=(), region=preview.contract)
    return diagram.svg(preview.contract, nothing_judged, standalone=standalone)


def render(preview: Preview) -> str:
    """The whole preview as one HTML file that loads nothing."""
    style = page.text("colours.css", "diagram.css", "style.css", "plan.css")
    return (
        page.environment()
        .get_template("plan.html.j2")
        .render(
            preview=preview,
            groups=groups(preview),
            written=_WRITTEN,
            areas=areas(preview),
            layers=layers(preview),
            # Built by ElementTree, which escapes every text in it.
            diagram=Markup(picture(preview)),  # noqa: S704
            style=Markup(style),  # noqa: S704 - our own files
            policy=page.policy(style),
        )
    )
