"""The way back, and the three ways of role audit with its rules: for the next boot, at once, and refused.

Locked rules change at a reboot only, and a menu that was rolled back shows at one: both take the same one.
"""

from __future__ import annotations

import json

from tests.mutation.weaknesses.nodes import ids
from tests.vm.test_1_hardened import WORDS
from tests.vm.virtual import Virtual
from tests.vm.weaknesses import MENU

ONLY_AUDIT = ("playbooks/harden.yml", "--tags", "audit")
WATCH = json.dumps(
    {"audit_immutable": False, "audit_watched_paths": [{"path": "/etc/fstab", "key": "stk-fstab"}]}
)


def status(node: Virtual) -> dict[str, str]:
    """The kernel's word about its audit."""
    return dict(line.split(" ", 1) for line in node.root("auditctl -s").splitlines() if " " in line)


def test_rules_that_are_locked_wait_for_the_reboot_that_is_asked_for(node: Virtual) -> None:
    code, said = node.play(*ONLY_AUDIT, "-e", WATCH)
    assert code == 0, said[-4000:]
    assert "stk-fstab" in node.root("cat /etc/audit/audit.rules")
    assert "stk-fstab" not in node.root("auditctl -l")
    assert status(node)["enabled"] == "2"
    assert "stockade-audit-rules" in node.root("cat /run/reboot-required.pkgs")


def test_a_rollback_brings_the_boot_menu_of_before_back(node: Virtual) -> None:
    code, said = node.play("playbooks/rollback.yml", "-e", "generation=1")
    assert code == 0, said[-4000:]
    menu = node.root(f"cat {MENU}")
    entries = [line.split() for line in menu.splitlines() if line.split()[:1] == ["linux"]]
    assert entries and [entry for entry in entries if WORDS & set(entry)] == []
    assert "superusers" not in menu
    assert node.attempt("ls /etc/default/grub.d/99-stockade.cfg /etc/grub.d/01_stockade").stdout == ""
    assert "--unrestricted" not in node.root("cat /etc/grub.d/10_linux")


def test_it_boots_from_that_menu_with_the_rules_that_waited(node: Virtual) -> None:
    node.reboot()
    assert WORDS & set(node.root("cat /proc/cmdline").split()) == set()
    assert "stk-fstab" in node.root("auditctl -l")
    assert status(node)["enabled"] == "1"
    assert set(node.red("-k", "test_boot or test_audit")) == ids("KRN", 40, 41) | ids("AUD", 9, 11)


def test_rules_that_cannot_be_loaded_fail_the_role(node: Virtual) -> None:
    node.root("mount --bind /bin/false /usr/sbin/auditctl")
    try:
        code, said = node.play(*ONLY_AUDIT)
    finally:
        node.root("umount /usr/sbin/auditctl")
    assert code != 0 and "Load the audit rules" in said, said[-4000:]
    assert "stk-fstab" in node.root("auditctl -l")


def test_the_next_run_loads_them_at_once_although_no_file_changes(node: Virtual) -> None:
    """The batch ends red all the same: what was rolled back is not hardened by one role."""
    code, said = node.play(*ONLY_AUDIT)
    assert code != 0 and "A new login finds the batch hardened" in said, said[-4000:]
    assert "stk-fstab" not in node.root("auditctl -l")
    assert status(node)["enabled"] == "2"
    assert set(node.red("-k", "test_audit")) == set()


def test_a_whole_run_hardens_what_was_rolled_back(node: Virtual) -> None:
    code, said = node.play("playbooks/harden.yml")
    assert code == 0, said[-4000:]
    assert set(node.red()) == ids("KRN", 40), "all but the command line, which waits for the reboot"
