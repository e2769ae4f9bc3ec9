"""Runs roles on a lone node the way `harden` does, and tells what changed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import forked
from twin.machines import Lone
from twin.play import ansible_environment

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class RoleRun:
    """What one run of ansible-playbook said; `changed` names the tasks that changed something."""

    code: int
    changed: tuple[str, ...]
    failed: tuple[str, ...]
    output: str


def run_roles(node: Lone, *roles: str, check: bool = False, **variables: Any) -> RoleRun:
    """Apply roles to the node; does not raise when a task fails, the caller judges."""
    play = node.inventory_file.parent / "roles.yml"
    play.write_text(json.dumps([{"hosts": "nodes", "gather_facts": False, "roles": list(roles)}]))
    command = ["playbook", "-i", str(node.inventory_file), str(play)]
    # With the differences shown: what `make drift` runs, and a way to break on a blank node of its own.
    command += ["--check", "--diff"] if check else []
    command += ["-e", json.dumps(variables)] if variables else []
    environment = {
        **ansible_environment(),
        "ANSIBLE_ROLES_PATH": str(ROOT / "roles"),
        "ANSIBLE_NOCOLOR": "1",
    }
    done = forked.python("ansible", *command, cwd=ROOT, env=environment, timeout=1200)
    output = done.stdout + done.stderr
    changed, failed, task = [], [], ""
    for line in output.splitlines():
        if named := re.match(r"(?:TASK|RUNNING HANDLER) \[(?:[^]:]* : )?(.*)\] \*", line):
            task = named[1]
        elif line.startswith("changed: "):
            changed.append(task)
        elif line.startswith("fatal: "):
            failed.append(task)
    assert re.search(r"^PLAY RECAP", output, re.MULTILINE), f"the play did not run: {output}"
    return RoleRun(done.returncode, tuple(changed), tuple(failed), output)


def harden(node: Lone, *roles: str, **variables: Any) -> RoleRun:
    """Apply roles and insist that every task succeeded."""
    outcome = run_roles(node, *roles, **variables)
    assert outcome.code == 0, outcome.output
    return outcome
