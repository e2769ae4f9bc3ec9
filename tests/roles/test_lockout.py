"""Ways to lock us out, one after the other on one real node: sshd, PAM, and what preflight sees.

One controller plays them all; after each case ssh's own command line logs in from outside and becomes root.
The cases are data (tests/roles/lockout), the rest of them is tried in test_lockout_node.py.
"""

from __future__ import annotations

import json

import pytest

from tests.roles.lockout import PAM, PREFLIGHT, SSHD, judge, run
from tests.roles.role_run import harden

CASES = (*SSHD, *PAM, *PREFLIGHT)
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
    """How every case ended."""
    assert base["in"], base
    return run.play(node, CASES)


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
