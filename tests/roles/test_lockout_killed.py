"""Controllers that die, nodes that lose power, and changes that close the very connection they came over.

One real node, hardened once; each test goes on from where the one before has left it. A sweep kills the
controller, or the node, before every single task of the guarded part, and between each change and its proof.
"""

from __future__ import annotations

import json
import re
import signal
import time

import pytest
import yaml

from tests.roles.lockout import run
from tests.roles.lockout.controllers import (
    controller,
    log,
    newest,
    patient,
    ssh_that_stops,
    variant,
    wait_until,
)
from tests.roles.role_run import ROOT, harden

ACCESS = ("users", "ssh_server", "local_firewall")
TASKS = sum(
    len(yaml.safe_load((ROOT / "roles" / role / "tasks/main.yml").read_text()))
    for role in ("access_guard", *ACCESS)
)
"""Tasks of the guarded part."""
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
    end = time.monotonic() + 150
    while (seen := run.look(node))["in"] and seen["pending"] and time.monotonic() < end:
        time.sleep(0.5)
    assert seen["in"], f"LOCKED OUT: {seen['said']}"
    assert seen["pending"] is None


@pytest.mark.parametrize("task", range(1, TASKS + 1))
def test_the_controller_dies_before_a_task(node, task):
    with controller(node, *ACCESS, variables=patient(task), STOCKADE_STOP_AT=str(task)) as process:
        process.wait(300)
    assert process.returncode == -signal.SIGKILL, log(node).read_text()
    seen = run.look(node)
    assert seen["in"], "between two tasks nothing is in the balance"
    assert (seen["pending"], seen["event"]["event"]) == (None, "proven")


@pytest.mark.parametrize("task", range(1, TASKS + 1))
def test_the_node_loses_power_before_a_task(node, task, tmp_path):
    stopped = tmp_path / "stopped"
    more = {"STOCKADE_STOP_AT": str(task), "STOCKADE_STOPPED": str(stopped)}
    with controller(node, *ACCESS, variables=patient(10 + task), **more):
        wait_until(stopped.exists, 300, "the task")
        node.power_cut()
    node.start()
    assert run.look(node)["pending"] is None


@pytest.mark.parametrize("proof", range(1, PROOFS + 1))
def test_the_controller_dies_between_a_change_and_its_proof(node, proof):
    """The next run comes at once: it waits until the node has brought the unproven change back by itself."""
    program, stopped = ssh_that_stops(node, proof, wait=False)
    with controller(node, *ACCESS, variables=variant(20 + proof), ANSIBLE_SSH_EXECUTABLE=program) as process:
        process.wait(300)
    assert stopped.exists(), log(node).read_text()
    change = newest(node)
    harden(node, *ACCESS, **patient(30 + proof))
    events = [json.loads(row) for row in node.sudo("cat /var/lib/stockade/history.jsonl").stdout.splitlines()]
    mine = [e["event"] for e in events if e["generation"] == change]
    assert mine == ["reverted"], "what nobody has proven was kept"


@pytest.mark.parametrize("proof", range(1, PROOFS + 1))
def test_the_node_loses_power_between_a_change_and_its_proof(node, proof):
    program, stopped = ssh_that_stops(node, proof, wait=True)
    with controller(node, *ACCESS, variables=patient(40 + proof), ANSIBLE_SSH_EXECUTABLE=program):
        wait_until(stopped.exists, 300, "the proof")
        node.power_cut()
    node.start()
    event = run.look(node)["event"]
    assert (event["event"], event["why"]) == ("reverted", "the node restarted")


def test_a_node_that_was_killed_so_often_converges(node):
    """And the sweeps above have stopped before every task and every proof that there is."""
    outcome = harden(node, *ACCESS)
    tasks = re.findall(r"^TASK \[(.*)\]", outcome.output, re.MULTILINE)
    assert len([task for task in tasks if "Validating arguments" not in task]) == TASKS
    assert harden(node, *ACCESS).changed == ()
