"""Ways to lock us out, one after the other on one real node: sshd, PAM, preflight, sudo, users, guard, rules.

A controller plays each half of them; after each case ssh's own command line logs in from outside and becomes
root. The cases are data (tests/roles/lockout).
"""

from __future__ import annotations

import json

import pytest

from tests.roles.lockout import FILTER, GUARD, PAM, PREFLIGHT, SSHD, SUDO_RULES, USERS, judge, run
from tests.roles.role_run import harden

HALVES = {"logins": (*SSHD, *PAM, *PREFLIGHT), "node": (*SUDO_RULES, *USERS, *GUARD, *FILTER)}
CASES = [case for half in HALVES.values() for case in half]
ACCESS = ("users", "ssh_server", "local_firewall")


@pytest.fixture(scope="module")
def node(lone_node_module):
    """A hardened node with the tests' programs on it."""
    harden(lone_node_module, "packages", *ACCESS)
    run.prepare(lone_node_module)
    return lone_node_module


@pytest.fixture(scope="module")
def base(node):
    """What lets people in before the first case."""
    return run.look(node)


@pytest.fixture(scope="module")
def rows(node, base):
    """How every case ended. The second half begins from the files that the first has left."""
    assert base["in"], base
    return {name: row for half, cases in HALVES.items() for name, row in run.play(node, cases, half).items()}


def test_every_change_of_the_first_run_was_proven(node, base):
    assert (base["event"]["event"], base["event"]["concern"]) == ("proven", "local_firewall")
    history = node.sudo("cat /var/lib/stockade/history.jsonl").stdout.splitlines()
    concerns = [(event["event"], event["concern"]) for event in map(json.loads, history)]
    assert [row for row in concerns if row[1] in ("accounts", *ACCESS)] == concerns
    assert {concern for _, concern in concerns} == {"accounts", *ACCESS}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_nobody_is_locked_out(case, rows, base):
    assert judge.faults(case, rows, base) == []


def test_the_node_converges_by_a_normal_run_afterwards(node, rows):
    assert len(rows) >= len(CASES)
    harden(node, "packages", *ACCESS)
    assert harden(node, *ACCESS).changed == ()
