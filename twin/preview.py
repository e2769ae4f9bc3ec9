"""`preview`: what `up` would do, judged by the guardrails, shown in seconds, without making anything."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table

import controls
import guardrails
import settings
from report import plan_page
from report.plan import Change, Found, GateResult, Preview, Provision
from settings import Settings
from twin import account, ledger, program
from twin.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
# "storage:Bucket and network:Vpc" names two component classes.
COMPONENT = re.compile(r"\b([a-z]+):([A-Z]\w+)")


def make(stack: str, progress: Progress, count: Callable[[str, str, str], None]) -> Preview:
    """Run the program as a preview and judge its plan. Raises Fault: wrong settings, a failing program."""
    started = time.monotonic()
    with progress.phase("Check settings"):
        wanted = settings.load(stack, ROOT)
    with progress.phase("Preview") as phase:
        running = account.find(ledger.build())
        emulated = running if running and running.stack == stack else None
        run = program.run(stack, emulated, "preview", count, root=ROOT, build=ledger.build())
        phase.note = ", ".join(f"{number} {step}" for step, number in sorted(run.counts().items()))
    with progress.phase("Gates") as phase:
        plan = cast(list[guardrails.Planned], list(run.planned))
        judged = guardrails.gates(plan, guardrails.bounds_of(wanted.model_dump(mode="json", by_alias=True)))
        phase.note = f"{len(judged)} gates, {sum(not gate.open for gate in judged)} closed"
    return Preview(
        **_stated(stack, wanted),
        made=datetime.now(UTC),
        seconds=round(time.monotonic() - started, 1),
        against="the region that is up" if emulated else "nothing: no region of this stack is up",
        changes=tuple(_changes(run.steps)),
        gates=tuple(_gate(gate) for gate in judged),
        controls=tuple(_provisions(plan)),
        contract=run.outputs.get("region", {}),
    )


def write(preview: Preview) -> Path:
    """Write preview.json, index.html and region.svg; returns the folder."""
    folder = ledger.build() / "preview" / preview.stack
    preview.save(folder / "preview.json")
    (folder / "index.html").write_text(plan_page.render(preview), encoding="utf-8")
    (folder / "region.svg").write_text(plan_page.picture(preview, standalone=True), encoding="utf-8")
    return folder


def show(preview: Preview, folder: Path) -> None:
    """Print what changes by component, closed gates line by line, and where the rest lies."""
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("component")
    for step in plan_page.STEPS:
        table.add_column(step, justify="right")
    for group in plan_page.groups(preview):
        counts = dict(group.counts)
        table.add_row(group.component, *(str(counts.get(step, "")) for step in plan_page.STEPS))
    if table.row_count:
        console.print(table)
    for change in preview.changes:
        if change.step not in ("same", "create"):
            differs = f" ({', '.join(change.inputs)})" if change.inputs else ""
            console.print(f"  {change.step:<8} {change.urn.split('::', 2)[2]}{differs}", markup=False)
    for gate in preview.closed:
        for found in gate.findings:
            print(f"closed: {found.rule}: {found.urn}: {found.problem}; {found.fix}", file=sys.stderr)
    absent = [control for control in preview.controls if control.planned == 0]
    provided = len(preview.controls) - len(absent)
    console.print(f"controls: {provided} of {len(preview.controls)} provided", end="")
    console.print(f"; without {', '.join(sorted({c.provided_by for c in absent}))}" if absent else "")
    console.print(f"{folder / 'index.html'}   {folder / 'preview.json'}")


def _stated(stack: str, wanted: Settings) -> dict[str, Any]:
    return {
        "stack": stack,
        "region": wanted.region,
        "account": wanted.account,
        "jurisdiction": wanted.residency.jurisdiction,
        "allowed_regions": wanted.residency.allowed_regions,
    }


def _changes(steps: Iterable[program.Step]) -> list[Change]:
    # Components and the provider are bookkeeping of the program, not resources that somebody pays for.
    ours = [step for step in steps if step.type.startswith("aws:")]
    return [_change(step) for step in sorted(ours, key=lambda step: step.urn)]


def _change(step: program.Step) -> Change:
    return Change(
        step=cast(Any, step.step),
        urn=step.urn,
        type=step.type,
        name=step.urn.rpartition("::")[2],
        component=_component(step.urn),
        inputs=step.changed,
    )


def _component(urn: str) -> str:
    """The innermost component of a URN's type chain: `stockade:storage:Bucket` → `storage:Bucket`."""
    above = [token for token in urn.split("::")[2].split("$") if token.startswith("stockade:")]
    return above[-1].removeprefix("stockade:") if above else "-"


def _gate(gate: guardrails.Gate) -> GateResult:
    findings = tuple(Found(rule=f.rule, urn=f.urn, problem=f.problem, fix=f.fix) for f in gate.findings)
    return GateResult(area=gate.area, name=gate.name, sentence=gate.sentence, findings=findings)


def _provisions(plan: list[guardrails.Planned]) -> list[Provision]:
    """The region's controls with the number of resources under the components that provide them."""
    chains = [r["urn"].split("::")[2].split("$") for r in plan if r["type"].startswith("aws:")]
    found = []
    for control in controls.load(ROOT).values():
        if control.id.split("-")[1] not in controls.AREAS["region"]:
            continue
        tokens = {f"stockade:{room}:{name}" for room, name in COMPONENT.findall(control.provided_by)}
        planned = sum(bool(tokens & set(chain)) for chain in chains) if tokens else None
        kept = control.model_dump(include={"title", "layer", "severity", "rows", "provided_by"})
        found.append(Provision(control=control.id, planned=planned, **kept))
    return found
