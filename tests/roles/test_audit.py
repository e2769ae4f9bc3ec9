"""Role audit: the journal survives, is bounded as declared, and rules are staged whole."""

from __future__ import annotations

import pytest

from tests.roles.role_run import harden, run_roles

LAST_WORD = "journalctl -u systemd-journald -b --grep 'System Journal' -n 1 -o cat"


@pytest.fixture(scope="module")
def node(lone_node_module):
    return lone_node_module


def test_a_check_of_a_blank_node_changes_nothing(node):
    outcome = run_roles(node, "audit", check=True)
    assert outcome.code == 0, outcome.output
    assert outcome.changed
    assert node.sudo("ls /etc/audit/rules.d /etc/systemd/journald.conf.d/99-stockade.conf").stdout == ""


def test_the_journal_is_bounded_at_once_and_a_second_run_changes_nothing(node):
    harden(node, "audit", audit_journal_max_mb=100)
    assert "/var/log/journal/" in node.sudo(LAST_WORD).stdout
    assert "max 100.0M" in node.sudo(LAST_WORD).stdout
    assert harden(node, "audit", audit_journal_max_mb=100).changed == ()


def test_another_bound_takes_effect(node):
    harden(node, "audit", audit_journal_max_mb=200)
    assert "max 200.0M" in node.sudo(LAST_WORD).stdout


def test_the_journal_of_the_boot_before_is_still_there(node):
    node.sudo("logger --tag stockade-test before-the-power-cut; journalctl --sync")
    node.power_cut()
    node.start()
    assert "before-the-power-cut" in node.sudo("journalctl -b -1 -t stockade-test -o cat").stdout


def test_the_lock_is_the_last_rule_of_all(node):
    """augenrules joins the files in this order; -e 2 anywhere else would shut out the rules after it."""
    rules = node.sudo("cat /etc/audit/rules.d/*.rules").stdout.splitlines()
    kept = [line for line in rules if line and not line.startswith("#")]
    assert kept[0] == "-D"
    assert kept[-1] == "-e 2"
    assert sum(line.startswith("-e") for line in kept) == 1


def test_too_short_a_retention_is_refused(node):
    outcome = run_roles(node, "audit", audit_retention_days=30)
    assert outcome.code != 0
    assert "audit_retention_days is 30; logs are kept for 180 days or longer" in outcome.output
