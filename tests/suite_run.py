"""The playbooks and the suite of nodes as users run them, over nodes that a test booted."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from report.model import Report, Status
from tests import forked
from twin.play import ansible_environment

ROOT = Path(__file__).resolve().parents[1]
PATIENT = ("--patience", "4", "--node-seconds", "1200")  # tests share the machine with each other's nodes
HARDEN = "playbooks/harden.yml"


@dataclass(frozen=True)
class Played:
    """One run of a playbook: Ansible's exit code, what it printed, and per node what it counted."""

    code: int
    output: str

    @property
    def changed(self) -> dict[str, int]:
        """How many tasks changed something, by node; empty when no play ran."""
        recap = self.output.rpartition("PLAY RECAP")[2]
        return {node: int(count) for node, count in re.findall(r"(?m)^(\S+) .*\bchanged=(\d+)", recap)}


def play(inventory: Path, playbook: str = HARDEN, *arguments: str, timeout: float = 1200) -> Played:
    """Run a playbook; does not raise when a task fails, the caller judges."""
    environment = {**ansible_environment(), "ANSIBLE_NOCOLOR": "1"}
    words = ["playbook", "-i", str(inventory), playbook, *arguments]
    done = forked.python("ansible", *words, cwd=ROOT, env=environment, timeout=timeout)
    return Played(done.returncode, done.stdout + done.stderr)


def harden(inventory: Path, *arguments: str, timeout: float = 1200) -> Played:
    """Run the hardening playbook and insist that every task succeeded on every node."""
    done = play(inventory, HARDEN, *arguments, timeout=timeout)
    assert done.code == 0 and done.changed, done.output[-3000:]
    return done


def environment(*without: str) -> dict[str, str]:
    """This environment for a run of its own: nothing of ours about an account or about pytest."""
    hidden = ("AWS_", "PYTEST_", *without)
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


def suite(
    inventory: Path,
    home: Path,
    *arguments: str,
    contract: Mapping[str, Any] | None = None,
    today: bool = True,
    timeout: float = 1200,
) -> tuple[int, Report]:
    """Run tests/nodes over the nodes of an inventory; its exit code and what it found.

    `contract` is written to `home` and judged by; without one, `arguments` say which nodes there have to be.
    `today`: the suite goes by the day that the tests are pinned to, otherwise by the clock.
    """
    results = home / "results.json"
    results.unlink(missing_ok=True)
    words = ["-p", "no:cacheprovider", str(ROOT / "tests/nodes")]
    if contract is not None:
        (home / "region.json").write_text(json.dumps(contract))
        words += ["--region", str(home / "region.json")]
    words += ["--results", str(results), "--inventory", str(inventory), *PATIENT, *arguments]
    variables = environment() if today else environment("STOCKADE_TODAY")
    done = forked.python("pytest", *words, cwd=ROOT, env=variables, timeout=timeout)
    assert results.exists(), done.stdout + done.stderr
    return done.returncode, Report.load(results)


def judged(
    inventory: Path, home: Path, contract: Mapping[str, Any], *arguments: str, timeout: float = 1200
) -> Report:
    """What the suite found; no fault of the run itself is accepted, and its exit code is the report's."""
    code, report = suite(inventory, home, *arguments, contract=contract, timeout=timeout)
    assert not report.faults, report.faults
    assert code == report.exit_code()
    return report


def red(report: Report) -> dict[tuple[str, str], str]:
    """Why what is red is so, by node and control; a control that could not be judged is red as well."""
    bad = (Status.FAIL, Status.ERROR)
    return {(r.subject, r.control): r.message for r in report.results if r.status in bad}
