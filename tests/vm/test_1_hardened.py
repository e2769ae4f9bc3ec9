"""Hardened, rebooted and verified: what a container cannot show is in force on a kernel of its own.

The files of this folder are the life of one node, in their order (`make test-vm`): each step is the ground of
the next.
"""

from __future__ import annotations

import re

from tests.mutation.weaknesses.nodes import ids
from tests.vm.virtual import PASSWORD, Virtual
from tests.vm.weaknesses import MENU

WORDS = {"audit=1", "audit_backlog_limit=8192", "apparmor=1", "security=apparmor", "pti=on"}
DENIED = "udf squashfs dccp sctp rds tipc"  # those that Debian's cloud kernel brings
LEAVE = "udf squashfs dccp rds tipc"  # those of them that can be taken out again; sctp holds itself
CLOSED = {"nodev", "nosuid", "noexec"}
OPTIONS = {
    "/tmp": CLOSED, "/var/tmp": CLOSED, "/dev/shm": CLOSED, "/var/log": CLOSED, "/var/log/audit": CLOSED,
    "/var": {"nodev", "nosuid"}, "/opt": {"nodev", "nosuid"}, "/srv": {"nodev", "nosuid"}, "/home": CLOSED,
    "/boot": CLOSED, "/boot/efi": CLOSED,
}  # fmt: skip
ENTER, ESCAPE = "\r", "\x1b"


def options(node: Virtual) -> dict[str, set[str]]:
    """What is really mounted at the places above; the last mount of a place counts."""
    rows = [line.split() for line in node.root("cat /proc/mounts").splitlines()]
    return {row[1]: set(row[3].split(",")) for row in rows if row[1] in OPTIONS}


def loose(node: Virtual) -> dict[str, set[str]]:
    """The options that are missing."""
    found = options(node)
    return {place: lacking for place, want in OPTIONS.items() if (lacking := want - found.get(place, set()))}


def test_the_playbook_hardens_it(node: Virtual) -> None:
    assert loose(node), "nothing was left for the roles to do"
    code, said = node.play("playbooks/harden.yml")
    assert code == 0, said[-4000:]
    assert loose(node) == {}


def test_a_second_run_changes_nothing(node: Virtual) -> None:
    code, said = node.play("playbooks/harden.yml")
    assert code == 0, said[-4000:]
    assert re.search(r"\bchanged=0 ", said.rpartition("PLAY RECAP")[2]), said[-6000:]


def test_all_but_the_command_line_holds_before_the_reboot_that_is_asked_for(node: Virtual) -> None:
    assert "audit=1" in node.root("cat /run/stockade/reboot-reasons/boot")
    assert set(node.red()) == ids("KRN", 40)


def intruder(node: Virtual, since: int) -> None:
    """Somebody at the console who wants to edit an entry, with a wrong and with the right password."""
    node.await_words("GNU GRUB", since)
    node.press("e")
    node.await_words("Enter username:", since)
    asked = node.end()
    node.press("bootadmin" + ENTER)
    node.await_words("Enter password:", asked)
    node.press("guessed" + ENTER)
    menu = node.await_words("GNU GRUB", asked)
    assert "setparams" not in menu, "the editor opened"
    again = node.end()
    node.press("e")
    node.await_words("Enter username:", again)
    node.press("bootadmin" + ENTER)
    node.await_words("Enter password:", again)
    node.press(PASSWORD + ENTER)
    node.await_words("setparams", again)
    back = node.end()
    node.press(ESCAPE)
    node.await_words("GNU GRUB", back)
    node.press(ENTER)


def test_its_menu_is_edited_with_the_password_only_and_boots_without(node: Virtual) -> None:
    """The menu waits for somebody, this once; every other boot of these tests has nobody at the console."""
    menu = node.root(f"cat {MENU}")
    assert 'set superusers="bootadmin"' in menu and "password_pbkdf2 bootadmin grub.pbkdf2" in menu
    entries = re.findall(r"(?m)^\s*menuentry .*", menu)
    assert entries and [e for e in entries if "gnu-linux" in e and "--unrestricted" not in e] == []
    node.root(f"cp -p {MENU} /root/menu && sed -i 's/set timeout=0/set timeout=60/' {MENU}")
    node.reboot(intruder)
    node.root(f"mv /root/menu {MENU}")


def test_after_the_reboot_the_whole_suite_is_green(node: Virtual) -> None:
    assert node.root("systemctl list-units --failed --no-legend").strip() == ""
    assert node.red() == {}


def test_what_the_suite_cannot_judge_in_a_container_is_in_force(node: Virtual) -> None:
    """By the node's own word, beside the suite: command line, audit, confinement, mounts, journal."""
    assert WORDS - set(node.root("cat /proc/cmdline").split()) == set()
    audit = dict(line.split(" ", 1) for line in node.root("auditctl -s").splitlines() if " " in line)
    assert (audit["enabled"], audit["failure"], audit["lost"]) == ("2", "1", "0")
    assert audit["pid"] == node.root("systemctl show -p MainPID --value auditd").strip() != "0"
    rules = node.root("auditctl -l")
    assert node.attempt("auditctl -D").returncode != 0, "the rules are not locked"
    assert node.root("auditctl -l") == rules != "No rules\n"
    node.root("touch /etc/group && sleep 2")
    assert "name=/etc/group" in node.root("ausearch --input-logs -i -k identity -ts recent")
    assert re.search(r"(?m)^0 profiles are in complain mode", node.root("aa-status"))
    assert loose(node) == {}
    boots = node.root("journalctl --list-boots --no-pager --quiet").splitlines()
    assert len([line for line in boots if re.match(r"\s*-?\d+ [0-9a-f]{32}", line)]) >= 2
    assert node.attempt("test -e /run/stockade/reboot-reasons/boot").returncode != 0


def test_a_denied_module_cannot_be_loaded(node: Virtual) -> None:
    """By name, and as the kernel asks for it; without the role's file the same commands load it."""

    def loaded(modules: str) -> list[str]:
        return node.root(f"for m in {modules}; do modprobe -q $m && echo $m; done; true").split()

    assert loaded(DENIED) == []
    mount = "mkdir -p /run/m; mount -t squashfs /dev/vda1 /run/m 2>&1; grep -c ^squashfs /proc/modules; true"
    assert node.root(mount).splitlines()[-1] == "0"
    node.root("mv /etc/modprobe.d/stockade-deny.conf /root/")
    try:
        assert loaded(LEAVE) == LEAVE.split()
    finally:
        node.root(
            "mv /root/stockade-deny.conf /etc/modprobe.d/;"
            f" for m in dccp_ipv4 {LEAVE}; do modprobe -qr $m; rmmod $m 2>/dev/null; done; true"
        )
    assert set(DENIED.split()) & set(node.root("cut -d' ' -f1 /proc/modules").split()) == set()


def test_what_locks_itself_is_not_taken_back_by_root(node: Virtual) -> None:
    assert node.attempt("sysctl -w kernel.kexec_load_disabled=0").returncode != 0
    assert node.root("sysctl -n kernel.kexec_load_disabled").strip() == "1"
