"""The way back in trouble: it gets stuck, it is cut off, it has no room, its PAM module is gone.

One node that has the guard and nothing else; changes are real ones, by the module that the roles use.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.roles.lockout import judge, run
from tests.roles.lockout.controllers import wait_until
from tests.roles.role_run import harden, run_roles

DENY = {"path": "/etc/ssh/sshd_config.d/60-lockout.conf", "content": "DenyUsers admin\n"}
RELOAD = ["systemctl", "reload", "ssh.service"]
SECONDS = 12


@pytest.fixture(scope="module")
def node(lone_node_module):
    harden(lone_node_module, "access_guard")
    run.prepare(lone_node_module)
    return lone_node_module


@pytest.fixture(scope="module")
def base(node):
    """What lets people in before anything is tried."""
    return run.look(node)


@pytest.fixture(autouse=True)
def as_it_was(node, base):
    """After each test a new login becomes root, nothing waits, and what lets people in is as it was."""
    yield
    seen = run.look(node)
    assert seen["in"], f"LOCKED OUT: {seen['said']}"
    wait_until(lambda: run.look(node)["pending"] is None, 150, "the end of the revert")
    assert judge.differences(base, run.look(node)) == []


def shell(command: str) -> list[str]:
    return ["sh", "-c", command]


def change(*files: dict[str, Any], activate: list[list[str]], **more: Any) -> dict[str, Any]:
    """A change that keeps us out, with what happens to the node in the middle of it."""
    return {
        "concern": "trouble",
        "files": [DENY, *files],
        "activate": [RELOAD, *activate],
        "revert_after": SECONDS,
        "proof_timeout": 3,
        **more,
    }


def history(node) -> list[dict[str, Any]]:
    """What the guard has written down of these changes."""
    rows = node.sudo("cat /var/lib/stockade/history.jsonl").stdout.splitlines()
    return [event for event in map(json.loads, rows) if event["concern"] == "trouble"]


def test_a_revert_that_gets_stuck_half_way_lets_us_in_and_is_finished_later(node):
    """A file that cannot be written: all others come back, and the watch tries again until it can."""
    motd = {"path": "/etc/motd", "content": "half-way\n"}
    shut = shell("mount --bind /etc/motd /etc/motd && mount -o remount,ro,bind /etc/motd")
    code, said = run.adhoc(node, "guarded_change", change(motd, activate=[shut]))
    seen, told = run.look(node), history(node)
    node.sudo("umount /etc/motd")
    assert code != 0, said
    assert seen["in"], "a file that nobody logs in by kept everybody out"
    assert seen["pending"], "a revert that was not whole is not over"
    assert {event["event"] for event in told} == {"not reverted"}
    assert "came back only in part: /etc/motd: Read-only file system" in told[-1]["why"]
    wait_until(lambda: run.look(node)["pending"] is None, 150, "the rest of the revert")
    assert history(node)[-1]["event"] == "reverted"


def test_power_that_is_lost_in_the_middle_of_a_revert_reverts_again(node):
    node.sudo(
        "printf '#!/bin/sh\\ntouch /run/reverting; sleep 60\\n' > /usr/sbin/update-grub;"
        " chmod 755 /usr/sbin/update-grub; mkdir -p /etc/default/grub.d"
    )
    grub = {"path": "/etc/default/grub.d/60-lockout.cfg", "content": "X=1\n"}
    with ThreadPoolExecutor(1) as pool:
        tried = pool.submit(run.adhoc, node, "guarded_change", change(grub, activate=[]))
        wait_until(lambda: node.sudo("test -e /run/reverting").returncode == 0, 150, "the revert")
        assert run.look(node)["pending"], "it was not in the middle"
        node.power_cut()
        node.start()
        assert tried.result()[0] != 0
    event = run.look(node)["event"]
    assert (event["event"], event["why"]) == ("reverted", "the node restarted")
    node.sudo("rm -rf /usr/sbin/update-grub /etc/default/grub.d")


def test_the_disk_of_the_guards_own_state_fills_up_in_the_middle(node):
    """Nothing can be written down any more; what was is enough."""
    node.sudo("mount -t tmpfs -o size=14m,mode=700 tmpfs /var/lib/stockade")
    fill = shell("cat /dev/zero > /var/lib/stockade/zero; test ! -s /nowhere")
    code, said = run.adhoc(node, "guarded_change", change(activate=[fill]))
    seen = run.look(node)
    room = node.sudo("df --output=avail /var/lib/stockade | tail -1").stdout.strip()
    node.sudo("umount /var/lib/stockade")
    assert code != 0
    assert seen["in"], said
    assert seen["pending"] is None
    assert int(room) < 4096, "it was not full"


def test_a_full_run_changes_nothing_and_says_so_in_one_line(node):
    node.sudo("mount -o remount,size=16m /run && cat /dev/zero > /run/zero")
    code, said = run.adhoc(node, "guarded_change", change(activate=[]))
    node.sudo("rm /run/zero; mount -o remount,size=64m /run")
    assert code != 0
    assert "No space left" in said
    assert "refused before anything was changed" in said or "so nothing was changed" in said
    assert "Traceback" not in said


def test_a_generation_whose_pam_module_is_gone_is_not_brought_back(node):
    """Packages are no part of a generation: its PAM files would keep everybody from becoming root."""
    where = node.sudo("dirname /usr/lib/*/security/pam_unix.so").stdout.strip()
    node.sudo(f"cp {where}/pam_permit.so {where}/pam_stk.so")
    pam = {"path": "/etc/pam.d/stk", "content": "auth required pam_stk.so\n"}
    away = {"path": "/etc/pam.d/stk", "state": "absent"}
    common = {"concern": "pam", "revert_after": 300, "proof_timeout": 120}  # the first two have to hold
    for files in (pam, away):
        code, said = run.adhoc(node, "guarded_change", {**common, "files": [files]})
        assert code == 0, said
    newest = json.loads(node.sudo("stockade-guard status").stdout)["generations"][-1]["generation"]
    node.sudo(f"rm {where}/pam_stk.so")
    code, said = run.adhoc(node, "guarded_change", {**common, "restore": newest})
    assert code != 0
    assert "/etc/pam.d/stk: pam_stk.so is not on this node" in said
    assert node.sudo("test -e /etc/pam.d/stk").returncode != 0


ENDED = {"name": "admin", "owner": "platform", "why": "controller", "expires": "2020-01-01"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOoEPTcjHq2fngg0Ld0P/7+J2hwofpWF6laQntzxParZ"


def test_lists_that_nobody_answers_for_change_no_account(node):
    """Also by the role alone, without preflight: a right that has ended, and two people with one key."""
    before = node.sudo("cat /etc/passwd /etc/group /etc/shadow | md5sum").stdout
    people = [{"name": "kim", "keys": [f"{KEY} kim"]}, {"name": "sam", "keys": [KEY]}]
    outcome = run_roles(node, "users", users_automation=[ENDED], users_people=people)
    said = " ".join(outcome.output.split())
    assert outcome.code != 0
    assert "users_automation: admin expired on 2020-01-01" in said
    assert "users_people: kim and sam share a key" in said
    assert node.sudo("cat /etc/passwd /etc/group /etc/shadow | md5sum").stdout == before
