"""Controllers that die, nodes that lose power, and changes that close the very connection they came over.

One real node, hardened once; each test goes on from where the one before has left it. A sweep kills the
controller, or the node, before every single task of the guarded part, and between each change and its proof.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.roles.lockout import run
from tests.roles.role_run import ROOT, harden

ACCESS = ("users", "ssh_server", "local_firewall")
LIMITS: dict[str, Any] = {"access_guard_revert_after": 8, "access_guard_proof_timeout": 3}
TASKS = 6
"""Tasks of the guarded part that change something: guard, accounts, users' files, records, sshd, filter."""
PROOFS = 4
"""Changes that a new login proves: accounts, users' files, sshd, filter."""


@pytest.fixture(scope="module")
def node(lone_node_module):
    harden(lone_node_module, "packages", *ACCESS)
    run.prepare(lone_node_module)
    return lone_node_module


@pytest.fixture(autouse=True)
def reachable_afterwards(node):
    """Whatever a test tried: within the revert's time a new login is root, and nothing waits for a proof."""
    yield
    end = time.monotonic() + 40
    while (seen := run.look(node, 40))["in"] and seen["pending"] and time.monotonic() < end:
        time.sleep(0.5)
    assert seen["in"], f"LOCKED OUT: {seen['said']}"
    assert seen["pending"] is None


def variant(number: int) -> dict[str, Any]:
    """Good variables that differ from run to run, so that every task has something to change."""
    person = {"name": "jordan", "keys": [], "expires": f"2099-01-{number % 27 + 1:02}"}
    return {
        **LIMITS,
        "users_people": [person],
        "users_password_min_length": 14 + number % 5,
        "ssh_server_max_auth_tries": 2 + number % 3,
        "local_firewall_log_per_minute": 10 + number % 9,
    }


def shut(node) -> dict[str, Any]:
    """Firewall variables that leave administration to somebody else; the intent's ssh rules go as well."""
    here = node.inventory["all"]["children"]["nodes"]["children"]["edge"]["hosts"][node.name]
    inbound = [entry for entry in here["local_firewall_inbound"] if entry["port"] != 22]
    return {"local_firewall_admin_networks": ["192.0.2.0/24"], "local_firewall_inbound": inbound, **LIMITS}


@contextmanager
def controller(node, *roles: str, variables: dict[str, Any], **more: str) -> Iterator[subprocess.Popen[str]]:
    """ansible-playbook as a process group of its own, which is killed as a whole at the end."""
    book = node.inventory_file.parent / f"{'-'.join(roles)}.yml"
    book.write_text(json.dumps([{"hosts": "nodes", "gather_facts": False, "roles": list(roles)}]))
    command = [sys.executable, "-m", "ansible", "playbook", "-i", str(node.inventory_file), str(book)]
    process = subprocess.Popen(
        [*command, "-e", json.dumps(variables)],
        cwd=ROOT,
        env=run.environment(node, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(condition, seconds: float, what: str) -> None:
    """Poll until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.2)


def pending(node) -> dict[str, Any] | None:
    """The change that waits for its proof."""
    found: dict[str, Any] | None = json.loads(node.sudo("stockade-guard status").stdout)["pending"]
    return found


def ssh_that_stops(node, number: int, wait: bool) -> tuple[str, Path]:
    """An ssh for the controller that stops it at its n-th proof: (its path, the file that says so)."""
    home = node.inventory_file.parent
    script, count, stopped = home / "ssh-stops", home / "ssh-count", home / "ssh-stopped"
    stopped.unlink(missing_ok=True)
    count.write_text("")
    end = "sleep 120" if wait else "kill -9 0"
    script.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *"stockade-guard confirm"*) echo >> {count}\n'
        f'if [ "$(wc -l < {count})" -ge {number} ]; then touch {stopped}; {end}; fi;; esac\n'
        'exec ssh "$@"\n'
    )
    script.chmod(0o755)
    return str(script), stopped


@pytest.mark.parametrize("task", range(1, TASKS + 1))
def test_the_controller_dies_before_a_task(node, task):
    with controller(node, *ACCESS, variables=variant(task), STOCKADE_STOP_AT=str(task)) as process:
        process.wait(60)
    assert process.returncode == -signal.SIGKILL
    seen = run.look(node, 5)
    assert seen["in"], "between two tasks nothing is in the balance"
    assert seen["pending"] is None


@pytest.mark.parametrize("task", range(1, TASKS + 1))
def test_the_node_loses_power_before_a_task(node, task, tmp_path):
    stopped = tmp_path / "stopped"
    more = {"STOCKADE_STOP_AT": str(task), "STOCKADE_STOPPED": str(stopped)}
    with controller(node, *ACCESS, variables=variant(10 + task), **more):
        wait_until(stopped.exists, 60, "the task")
        node.power_cut()
    node.start()
    assert run.look(node, 5)["pending"] is None


@pytest.mark.parametrize("proof", range(1, PROOFS + 1))
def test_the_controller_dies_between_a_change_and_its_proof(node, proof):
    """The next run comes at once: it waits until the node has brought the unproven change back by itself."""
    program, stopped = ssh_that_stops(node, proof, wait=False)
    with controller(node, *ACCESS, variables=variant(20 + proof), ANSIBLE_SSH_EXECUTABLE=program) as process:
        process.wait(60)
    assert stopped.exists()
    waiting = pending(node)
    assert waiting is not None
    harden(node, *ACCESS, **variant(30 + proof))
    events = [json.loads(row) for row in node.sudo("cat /var/lib/stockade/history.jsonl").stdout.splitlines()]
    mine = [e["event"] for e in events if e["generation"] == waiting["generation"]]
    assert mine == ["reverted"], "what nobody has proven was kept"


@pytest.mark.parametrize("proof", range(1, PROOFS + 1))
def test_the_node_loses_power_between_a_change_and_its_proof(node, proof):
    program, stopped = ssh_that_stops(node, proof, wait=True)
    patient = {**variant(40 + proof), "access_guard_revert_after": 600, "access_guard_proof_timeout": 120}
    with controller(node, *ACCESS, variables=patient, ANSIBLE_SSH_EXECUTABLE=program):
        wait_until(stopped.exists, 60, "the proof")
        node.power_cut()
    node.start()
    event = run.look(node, 5)["event"]
    assert (event["event"], event["why"]) == ("reverted", "the node restarted")


def test_a_node_that_was_killed_so_often_converges(node):
    harden(node, *ACCESS)
    assert harden(node, *ACCESS).changed == ()
    assert "closed" not in node.sudo("faillock --user admin").stdout
