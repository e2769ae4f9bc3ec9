"""Drift: verify again, compare with the accepted run, and ask the roles what they would change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from fault import CONTROL_FAILED, GOOD, UNREACHABLE, WRONG_USE, Fault
from report.__main__ import write_all
from report.model import Change, Report
from verify.accepted import FILE, load_results, read
from verify.inventories import read_inventory
from verify.witness import ROOT, Difference, ask

LINES = 12  # of one diff, on the terminal; the whole is in drift.json


@dataclass(frozen=True)
class Wanted:
    """What to look at: as for the verification, and the playbook that is the second witness."""

    results: Path
    region: Path | None
    inventory: Path | None
    aws_env: Path | None
    suites: tuple[str, ...]
    playbook: Path


def detect(wanted: Wanted) -> int:
    """Print what changed, on which node, since when; write drift.json and the report beside results.json.

    0 nothing differs, 1 drift or a run at fault, 3 something could not be reached. Raises Fault without an
    accepted run: drift is a difference, and there would be nothing to differ from.
    """
    if not (wanted.results.parent / FILE).exists():
        raise Fault("no run is accepted", "drift is told from one", "`python -m verify accept`", WRONG_USE)
    code = _verify(wanted)
    report = load_results(wanted.results)
    kept = read(wanted.results.parent, report.run.stack)
    if kept is None:
        raise Fault(f"no run of {report.run.stack} is accepted", "drift is told from one", "accept one")
    differences: list[Difference] = []
    if wanted.inventory is not None:
        log = wanted.results.parent / "drift.log"
        differences = ask(wanted.playbook, wanted.inventory, log, _hosts(wanted.inventory, report))
    _write(report, differences, wanted.results.with_name("drift.json"))
    _show(report, differences, asked=wanted.inventory is not None)
    print(f"report: {write_all(report, wanted.results.parent)[0]}")
    if kept.catalogue != report.run.catalogue:
        print("drift: the catalogue is another one since; accept a run again when its controls are known")
    if code == UNREACHABLE:
        return code
    at_fault = report.faults or report.doubts()
    return CONTROL_FAILED if report.changes or differences or at_fault else GOOD


def _verify(wanted: Wanted) -> int:
    """Run the suites in a pytest of their own; its exit code. Raises Fault when no results came of it."""
    suites = wanted.suites or ("tests/nodes", *(("tests/cloud",) if wanted.aws_env else ()))
    argv = [sys.executable, "-m", "pytest", *suites, "--results", str(wanted.results)]
    for name, path in (
        ("--region", wanted.region),
        ("--inventory", wanted.inventory),
        ("--aws-env", wanted.aws_env),
    ):
        argv += [name, str(path)] if path else []
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    wanted.results.unlink(missing_ok=True)
    done = subprocess.run(argv, cwd=ROOT, env=environment, check=False)
    if not wanted.results.exists():
        raise Fault(f"the verification ended with {done.returncode}", "it writes results", "see above")
    return done.returncode


def _hosts(inventory: Path, report: Report) -> set[str]:
    """The judged nodes, by the names that the inventory gives them."""
    nodes = {subject.id for subject in report.subjects if subject.kind == "node"}
    found = read_inventory(inventory)
    return {str(values["inventory_hostname"]) for name, values in found.items() if name in nodes}


def _write(report: Report, differences: list[Difference], path: Path) -> None:
    data = {
        "schema": "stockade/drift/1",
        "stack": report.run.stack,
        "started": report.run.started.isoformat(),
        "accepted": report.run.accepted.isoformat() if report.run.accepted else None,
        "changes": [change.model_dump(mode="json") for change in report.changes],
        "roles": [asdict(difference) for difference in differences],
    }
    path.write_text(json.dumps(data, indent=1) + "\n")


def _show(report: Report, differences: list[Difference], *, asked: bool) -> None:
    since = f"{report.run.accepted:%Y-%m-%d %H:%M %Z}" if report.run.accepted else "?"
    print(f"\ndrift: {len(report.changes)} outcomes differ from the accepted run of {since}")
    messages = {(r.control, r.subject): r.message.splitlines()[0] for r in report.results if r.message}
    for change in report.changes:
        print(f"  {_line(change)}  {messages.get((change.control, change.subject), '')[:160]}".rstrip())
    if not asked:
        print("drift: without --inventory no role was asked")
        return
    print(f"drift: the roles would change {len(differences)} things")
    for difference in differences:
        role = f"{difference.role}: " if difference.role else ""
        print(f"  {difference.node}  {role}{difference.task}")
        for line in difference.text.splitlines()[:LINES]:
            print(f"      {line[:160]}")


def _line(change: Change) -> str:
    before, after = change.before or "not judged", change.after or "not judged"
    return f"{change.subject}  {change.control}  {before} → {after}  since {change.since:%Y-%m-%d %H:%M %Z}"
