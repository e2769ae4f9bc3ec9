"""The main job, phase by phase: settings, account, region, nodes, hardening, verification, report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import settings
from fault import GOOD, UNREACHABLE, WRONG_USE, Fault
from report.model import Report
from twin import account, ledger, machines, play, program
from twin import preview as previews
from twin.machines import fleet, sketch
from twin.progress import Progress
from verify.fleet import choose, read_fleet

ROOT = Path(__file__).resolve().parent.parent
FRESH_BATCHES = [1, "100%"]
"""Nothing is in service on nodes that were booted a moment ago: one canary, then the rest at once."""


def contract_path(stack: str) -> Path:
    """Where the region contract of a stack lies."""
    return ledger.build() / "region" / stack / "region.json"


def up(stack: str, progress: Progress, nodes: str | None = None) -> str | None:
    """Provision the emulated region and boot its nodes, or those that `nodes` means (words as in `verify`).

    Returns None, or the reason why this machine boots no nodes; the region stands either way.
    """
    with progress.phase("Check settings") as phase:
        wanted = settings.load(stack, ROOT)
        chosen = choose(read_fleet(sketch.region(wanted, stack), None), nodes)
        phase.note = f"{stack}: {wanted.region}, account {wanted.account}"
    obstacle = machines.obstacle()
    with progress.phase("Emulated AWS account") as phase:
        emulated = account.start(stack, wanted.account, str(wanted.region), ledger.build())
        phase.note = emulated.endpoint
    with progress.phase("Provision region") as phase:
        run = program.run(stack, emulated, "up", _count(progress), root=ROOT, build=ledger.build())
        region = run.outputs["region"]
        contract_path(stack).write_text(json.dumps(region, indent=1, sort_keys=True) + "\n")
        phase.note = _steps(run)
    if obstacle is None:
        with progress.phase("Boot nodes") as phase:
            part = [node for node in region["nodes"] if node["name"] in chosen]
            machines.up({**region, "nodes": part}, progress, emulated.endpoint)
            phase.note = _share(len(part), len(region["nodes"]))
    return obstacle


def preview(stack: str, progress: Progress) -> int:
    """Show what `up` would do and what the gates say of it; 1 when one is closed, else 0."""
    found = previews.make(stack, progress, _count(progress))
    previews.show(found, previews.write(found))
    return found.exit_code()


def harden(progress: Progress, *, fresh: bool = False) -> dict[str, play.NodeOutcome]:
    """Harden every node of the twin (preflight first); `fresh` says that none is in service yet."""
    inventory = ledger.build() / "twin" / "inventory.yml"
    if not inventory.exists():
        raise Fault("no nodes are up", "hardening needs nodes", "`make up STACK=…` first")
    logs = ledger.build() / "log"
    extra: dict[str, object] = {"harden_batches": FRESH_BATCHES} if fresh else {}
    with progress.phase("Harden") as phase:
        outcomes = play.run("harden", inventory, logs / "harden.log", progress, extra)
        phase.note = f"{sum(o.changed for o in outcomes.values())} changes on {len(outcomes)} nodes"
    return outcomes


def verify(progress: Progress, remark: str | None = None) -> int:
    """Verify region and nodes, write and render the report, print its summary; the report's exit code."""
    running = account.find(ledger.build())
    if running is None:
        raise Fault("no region is up", "verification needs one", "`make up STACK=…` first")
    report = ledger.build() / "report"
    with progress.phase("Verify") as phase:
        code = _run_suites(running.stack, report / "results.json", remark)
        found = Report.load(report / "results.json")
        phase.note = f"{len(found.results)} results on {len(found.subjects)} subjects"
    with progress.phase("Report") as phase:
        _python(
            "report",
            str(report / "results.json"),
            "--out",
            str(report),
            log=ledger.build() / "log/report.log",
        )
        phase.note = str(report / "index.html")
    return max(code, found.exit_code())


def _run_suites(stack: str, results: Path, remark: str | None) -> int:
    """Run both suites in a pytest of their own; raises Fault when no results came of it."""
    results.unlink(missing_ok=True)
    suites = ["tests/cloud"] if remark else ["tests/nodes", "tests/cloud"]
    suites.append("tests/procedures")
    home = ledger.build() / "twin"
    options = [
        "--region",
        str(contract_path(stack)),
        "--aws-env",
        str(home / "aws.env"),
        "--results",
        str(results),
    ]
    # All nodes share this machine, with whatever else it does.
    options += ["--patience", "4", "--node-seconds", "1200"]
    options += ["--remark", remark] if remark else ["--inventory", str(home / "inventory.yml"), *_part(stack)]
    log = ledger.build() / "log" / "verify.log"
    code = _python("pytest", *suites, *options, log=log, check=False)
    if not results.exists():
        raise Fault(
            f"verification ended with {code} and no results",
            "every run writes its results",
            f"read {log}",
            code,
        )
    return code


def _part(stack: str) -> list[str]:
    """Narrows a verification to the nodes that `up` was asked for, when they are not all of the region's."""
    region = json.loads(contract_path(stack).read_text())
    up = fleet.asked_for(ledger.build() / "twin")
    return [] if set(up) == {node["name"] for node in region["nodes"]} else ["--nodes", ",".join(up)]


def _share(part: int, whole: int) -> str:
    return f"{whole} nodes" if part == whole else f"{part} of {whole} nodes"


def _python(module: str, *arguments: str, log: Path, check: bool = True) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", module, *arguments]
    with log.open("w") as output:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if check and done.returncode not in (GOOD, 1, UNREACHABLE):
        raise Fault(
            f"python -m {module} ended with {done.returncode}", "it must end well", f"read {log}", WRONG_USE
        )
    return done.returncode


def _count(progress: Progress) -> Callable[[str, str, str], None]:
    """A listener that shows how many resources are done, by kind of step."""
    done: Counter[str] = Counter()

    def listen(_urn: str, step: str, _type: str) -> None:
        done[step] += 1
        progress.note(", ".join(f"{number} {name}" for name, number in sorted(done.items())))

    return listen


def _steps(run: program.Run) -> str:
    return ", ".join(f"{number} {step}" for step, number in sorted(run.counts().items())) or "nothing to do"
