"""Changes that would lock us out, on one real node: each is refused or reverted, and the node is back.

The order matters: the first test hardens the node that the others try to break.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.roles.role_run import ROOT, harden, run_roles
from twin.play import ansible_environment

SHORT: dict[str, Any] = {"access_guard_revert_after": 12, "access_guard_proof_timeout": 5}
ACCESS = ("users", "ssh_server", "local_firewall")


@pytest.fixture(scope="module")
def node(lone_node_module):
    return lone_node_module


@pytest.fixture(autouse=True)
def reachable_afterwards(node):
    """Whatever a test tried: at its end a new login with sudo works and nothing waits for a proof."""
    yield
    status = node.sudo("stockade-guard status")
    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["pending"] is None


def last_event(node):
    """What the guard wrote down last."""
    return json.loads(node.sudo("tail -n 1 /var/lib/stockade/history.jsonl").stdout)


def generation(node):
    """Number of the newest generation."""
    return json.loads(node.sudo("stockade-guard status").stdout)["generations"][-1]["generation"]


def start_role(node, role, **variables):
    """ansible-playbook as a process group of its own, so that it can be killed as a whole."""
    play = node.inventory_file.parent / "killed.yml"
    play.write_text(json.dumps([{"hosts": "nodes", "gather_facts": False, "roles": [role]}]))
    command = [sys.executable, "-m", "ansible", "playbook", "-i", str(node.inventory_file), str(play)]
    return subprocess.Popen(
        [*command, "-e", json.dumps(variables)],
        cwd=ROOT,
        env={**ansible_environment(), "ANSIBLE_ROLES_PATH": str(ROOT / "roles")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def change(node, **arguments):
    """One guarded change that fails, straight through the module; what Ansible said."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ansible", "adhoc", "-i", str(node.inventory_file), "nodes"),
            *("-m", "guarded_change", "-a", json.dumps({"concern": "test", "revert_after": 12, **arguments})),
        ],
        cwd=ROOT,
        env=ansible_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


def wait_until(condition, seconds, what):
    """Poll until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.3)


def shuts_new_logins(node):
    """Firewall variables that leave administration to somebody else; the intent's ssh rules go as well."""
    inbound = node.inventory["all"]["children"]["nodes"]["children"]["edge"]["hosts"][node.name]
    return {
        "local_firewall_admin_networks": ["192.0.2.0/24"],
        "local_firewall_inbound": [e for e in inbound["local_firewall_inbound"] if e["port"] != 22],
    }


def test_the_access_roles_converge_and_every_change_was_proven(node):
    harden(node, "packages", *ACCESS)
    events = [
        json.loads(line) for line in node.sudo("cat /var/lib/stockade/history.jsonl").stdout.splitlines()
    ]
    concerns = ("accounts", *ACCESS)
    assert [(e["event"], e["concern"]) for e in events] == [("proven", concern) for concern in concerns]
    assert harden(node, *ACCESS).changed == ()


def test_groups_without_us_are_reverted(node):
    """sshd takes the setting; the running session goes on; nobody would ever get in again."""
    outcome = run_roles(node, "ssh_server", ssh_server_allow_groups=["nobody-is-in-here"], **SHORT)
    assert outcome.code != 0
    assert "a new login with sudo failed" in outcome.output
    assert "the node is back at generation" in outcome.output
    assert last_event(node)["event"] == "reverted"
    assert "allowgroups ssh-users" in node.sudo("sshd -T").stdout


def test_a_port_that_nobody_can_reach_is_reverted(node):
    outcome = run_roles(node, "ssh_server", ssh_server_listen_port=2222, **SHORT)
    assert outcome.code != 0
    assert last_event(node)["event"] == "reverted"
    assert node.sudo("ss -Hltn 'sport = :2222'").stdout == ""


def test_macs_that_sshd_does_not_know_are_refused_before_anything_changes(node):
    before, number = node.sudo("cat /etc/ssh/sshd_config.d/00-stockade.conf").stdout, generation(node)
    outcome = run_roles(node, "ssh_server", ssh_server_macs=["h", "m", "a", "c"], **SHORT)
    assert outcome.code != 0
    assert "refused before anything was changed" in outcome.output
    assert "Bad SSH2 mac spec" in outcome.output
    assert node.sudo("cat /etc/ssh/sshd_config.d/00-stockade.conf").stdout == before
    assert generation(node) == number, "a refused change leaves no generation"


BROKEN_SUDO = {
    "path": "/etc/sudoers.d/50-stockade",
    "content": "admin ALL=(ALL) NOPASSWD ALL\n",
    "mode": "0440",
}


def test_sudo_rules_that_do_not_parse_are_refused_before_anything_changes(node):
    before, number = node.sudo("cat /etc/sudoers.d/50-stockade").stdout, generation(node)
    outcome = change(
        node, files=[BROKEN_SUDO], validate=[["visudo", "-cf", "{staged}/etc/sudoers.d/50-stockade"]]
    )
    assert "refused before anything was changed" in outcome
    assert node.sudo("cat /etc/sudoers.d/50-stockade").stdout == before
    assert generation(node) == number


def test_files_that_are_wrong_only_together_are_reverted_at_once(node):
    """No validator for the staged file; the check of the applied ones finds it, over the open session."""
    before = node.sudo("cat /etc/sudoers.d/50-stockade").stdout
    outcome = change(node, files=[BROKEN_SUDO], check_applied=[["visudo", "-c"]])
    assert "at once" in outcome
    assert node.sudo("cat /etc/sudoers.d/50-stockade").stdout == before
    assert last_event(node)["event"] == "reverted"


def test_sudo_rules_without_us_are_reverted(node):
    """They parse, and nobody becomes root by them: the login alone is no proof."""
    entry = {"name": "nobody", "owner": "x", "why": "x", "expires": "2099-01-01"}
    outcome = run_roles(node, "users", users_automation=[entry], **SHORT)
    assert outcome.code != 0
    assert node.sudo("true").returncode == 0
    wait_until(lambda: last_event(node)["event"] == "reverted", 20, "the revert")


def test_a_firewall_without_our_network_is_reverted(node):
    outcome = run_roles(node, "local_firewall", **shuts_new_logins(node), **SHORT)
    assert outcome.code != 0
    assert "a new login with sudo failed" in outcome.output
    wait_until(lambda: node.ssh("true").returncode == 0, 25, "a new login")
    assert last_event(node)["event"] == "reverted"
    assert node.sudo("stockade-firewall verify").stdout.strip() == "in force"


def test_the_node_comes_back_when_the_controller_is_killed(node):
    """No one is left to prove or to revert: the node's own timer does it."""
    before = generation(node)
    run = start_role(
        node, "local_firewall", **shuts_new_logins(node), **SHORT | {"access_guard_proof_timeout": 7}
    )
    try:
        wait_until(lambda: not node.probe("noc", "tcp", 22), 60, "ssh to close")
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    killed = time.monotonic()
    wait_until(lambda: node.probe("noc", "tcp", 22), SHORT["access_guard_revert_after"] + 15, "the way back")
    assert time.monotonic() - killed < SHORT["access_guard_revert_after"] + 15
    event = last_event(node)
    assert (event["event"], event["why"]) == ("reverted", "no proof came")
    assert event["generation"] > before
    assert node.sudo("stockade-firewall verify").stdout.strip() == "in force"


def test_the_node_comes_back_when_its_power_is_cut_before_the_proof(node):
    """The timer is gone with the power; what waits for a proof is reverted before services start."""
    variables = shuts_new_logins(node) | {"access_guard_revert_after": 600, "access_guard_proof_timeout": 120}
    run = start_role(node, "local_firewall", **variables)
    try:
        wait_until(lambda: not node.probe("noc", "tcp", 22), 60, "ssh to close")
        node.power_cut()
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    node.start()
    event = last_event(node)
    assert (event["event"], event["why"]) == ("reverted", "the node restarted")
    assert node.sudo("stockade-firewall verify").stdout.strip() == "in force"
    assert harden(node, *ACCESS).changed == ()
