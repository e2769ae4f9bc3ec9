"""The second witness of drift: what the roles would change, by `ansible-playbook --check --diff`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fault import UNREACHABLE, Fault
from verify.evidence import redact

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, order=True)
class Difference:
    """One task on one node that is not as the roles want it; `text` is its diff, without secrets."""

    node: str
    role: str
    task: str
    state: str
    text: str


def ask(playbook: Path, inventory: Path, log: Path, hosts: Set[str] = frozenset()) -> list[Difference]:
    """What the playbook would change on which node, in the order of its tasks; changes nothing.

    `hosts`: as the inventory calls those that have to answer. Raises Fault when one of them was not asked,
    when a node is out of reach (exit code 3), and when the playbook does not come to its end: a witness that
    was interrupted has not said that nothing differs.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), str(playbook)]
    reader, writer = os.pipe()
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_CALLBACKS_ENABLED": "differences,matched_hosts",
        "STOCKADE_DIFFERENCES": str(writer),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with log.open("w") as output, os.fdopen(reader) as events:
        # The diffs come back on the pipe: the log is for what went wrong and holds no content of files.
        process = subprocess.Popen(
            [*command, "--check", "--diff"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=output,
            pass_fds=[writer],
        )
        os.close(writer)
        found, done = _listen(events)
        code = process.wait()
    _judge(found, done, code, log)
    if missed := sorted(hosts - done):
        names = ", ".join(missed)
        raise Fault(
            f"--check --diff: {names} not asked", "every node is asked", f"see `hosts:` of {playbook}", 1
        )
    return [difference for difference in found if difference.state == "changed"]


def _listen(events: IO[str]) -> tuple[list[Difference], set[str]]:
    found: list[Difference] = []
    done: set[str] = set()
    for line in events:
        event = json.loads(line)
        if event["state"] == "done":
            done.add(event["node"])
        else:
            found.append(Difference(**{**event, "text": redact(event["text"])}))
    return found, done


def _judge(found: list[Difference], done: set[str], code: int, log: Path) -> None:
    lost = sorted({d.node for d in found if d.state == "unreachable"})
    if lost:
        raise Fault(f"{', '.join(lost)} out of reach", "every node is asked", "see `ssh` to it", UNREACHABLE)
    failed = next((d for d in found if d.state == "failed"), None)
    if failed or code or not done:
        first = f"{failed.node}: {failed.task}: {failed.text[:200]}" if failed else f"ended with {code}"
        raise Fault(f"--check --diff: {first}", "every task answers in check mode", f"read {log}", 1)
