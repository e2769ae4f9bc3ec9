"""Runs a playbook over the twin's nodes and shows what each node is doing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fault import CONTROL_FAILED, UNREACHABLE, Fault
from twin.progress import Progress

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class NodeOutcome:
    """Ansible's own count of tasks on one node; what `PLAY RECAP` prints."""

    ok: int
    changed: int
    failed: int
    unreachable: int


def ansible_environment() -> dict[str, str]:
    """The environment for ansible-playbook: this repository's configuration, this interpreter's programs."""
    environment = dict(os.environ)
    environment["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    environment["ANSIBLE_CALLBACKS_ENABLED"] = "progress,matched_hosts"
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    return environment


def run(
    playbook: str, inventory: Path, log: Path, progress: Progress, extra: dict[str, object] | None = None
) -> dict[str, NodeOutcome]:
    """Run `playbooks/<playbook>.yml`; its full output goes to `log`.

    Returns the outcome per node. Raises Fault: code 3 when a node was out of reach, 1 when a task failed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    outcomes: dict[str, NodeOutcome] = {}
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "playbooks", "-i", str(inventory), f"playbooks/{playbook}.yml"]
    if extra:
        command += ["-e", json.dumps(extra)]
    with log.open("w") as output, os.fdopen(reader) as events:
        environment = {**ansible_environment(), "STOCKADE_PROGRESS": str(writer)}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, pass_fds=[writer]
        )
        os.close(writer)
        follower = threading.Thread(target=_follow, args=(events, progress, outcomes))
        follower.start()
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            follower.join()
    _judge(playbook, code, outcomes, log)
    return outcomes


def _follow(events: IO[str], progress: Progress, outcomes: dict[str, NodeOutcome]) -> None:
    for line in events:
        event = json.loads(line)
        node = event.pop("node")
        if "state" in event:
            progress.node(node, event["state"])
        else:
            outcomes[node] = NodeOutcome(**event)
            progress.node(node, f"{event['ok']} ok, {event['changed']} changed")


def _judge(playbook: str, code: int, outcomes: dict[str, NodeOutcome], log: Path) -> None:
    lost = sorted(name for name, outcome in outcomes.items() if outcome.unreachable)
    failed = sorted(name for name, outcome in outcomes.items() if outcome.failed)
    if lost:
        problem = f"{playbook}: {', '.join(lost)} out of reach"
        raise Fault(problem, "every node must be reached", f"read {log}", UNREACHABLE)
    if failed or code or not outcomes:
        which = ", ".join(failed) or f"no node finished (ansible-playbook ended with {code})"
        rule = "every task must succeed on every node"
        raise Fault(f"{playbook}: {which}", rule, f"read {log}", CONTROL_FAILED)
