"""Roles boot, mounts, app_armor and integrity on one node: check, converge, unchanged, changed, rebooted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.roles.role_run import harden, run_roles

ROLES = ("boot", "mounts", "app_armor", "integrity")
MOUNTS = "findmnt -no OPTIONS --target /tmp; findmnt -no OPTIONS /dev/shm; findmnt -no OPTIONS /var/tmp"
DATABASE = "/var/lib/aide/aide.db"
MADE = f"for i in $(seq 90); do test -s {DATABASE} && exit; sleep 1; done; exit 1"


# What Debian's GRUB gives the role to work on, and a menu made from it.
STAND_IN = r"""
mkdir -p /etc/default /etc/grub.d /boot/grub
printf 'CLASS="--class gnu-linux --class gnu --class os"\n' > /etc/grub.d/10_linux
cat > /usr/sbin/update-grub <<"END"
#!/bin/sh
. /etc/default/grub.d/99-stockade.cfg
echo "linux /vmlinuz $GRUB_CMDLINE_LINUX" > /boot/grub/grub.cfg
END
chmod 755 /usr/sbin/update-grub
"""
HASH = "grub.pbkdf2.sha512.10000.AB.CD"
SCOPE = ["/etc", "/usr/sbin"]


@pytest.fixture(scope="module")
def node(lone_node_module):
    return lone_node_module


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """The controller's directory of records; `record` is this node's file."""
    return tmp_path_factory.mktemp("records")


def record(records: Path, node) -> Path:
    return records / f"{node.name}-{node.sudo('cat /etc/machine-id').stdout.strip()}"


def closed(node):
    lines = node.sudo(MOUNTS).stdout.splitlines()
    return [{"nodev", "nosuid", "noexec"} <= set(line.split(",")) for line in lines]


def test_a_check_of_a_blank_node_changes_nothing(node, records):
    harden(node, "packages")
    outcome = run_roles(node, *ROLES, check=True, integrity_record=str(records))
    assert outcome.code == 0, outcome.output
    assert outcome.changed
    assert closed(node) != [True, True, True]
    assert node.sudo("test -e /etc/aide/aide.conf").returncode != 0


def test_converged_it_is_in_force_and_a_second_run_changes_nothing(node, records):
    harden(node, *ROLES, integrity_record=str(records), integrity_paths=SCOPE)
    assert closed(node) == [True, True, True]
    assert "nosuid" in node.sudo("findmnt -no OPTIONS /home").stdout
    assert node.sudo(MADE, 100).returncode == 0
    assert harden(node, *ROLES, integrity_record=str(records), integrity_paths=SCOPE).changed == ()
    assert len(record(records, node).read_text().strip()) == 64


def test_what_was_loosened_by_hand_is_closed_again(node, records):
    node.sudo("mount -o remount,exec /tmp; mount -o remount,bind,exec /var/tmp; systemctl disable apparmor")
    harden(node, *ROLES, integrity_record=str(records), integrity_paths=SCOPE)
    assert closed(node) == [True, True, True]
    assert node.sudo("systemctl is-enabled apparmor").stdout.strip() == "enabled"


def test_an_upgrade_works_although_no_program_runs_from_temporary_directories(node):
    """debconf unpacks its scripts into apt's temporary directory: noexec must not break it."""
    done = node.sudo("DEBIAN_FRONTEND=noninteractive apt-get install -y --reinstall tzdata", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Permission denied" not in done.stdout + done.stderr


def test_a_changed_program_is_found_by_the_comparison(node):
    node.sudo("cp -a /usr/sbin/zic /root/ && echo '# forged' >> /usr/sbin/zic")
    node.sudo("systemctl start stockade-integrity-check", 60)
    assert node.sudo("systemctl is-failed stockade-integrity-check").stdout.strip() == "failed"
    assert "/usr/sbin/zic" in node.sudo("journalctl -u stockade-integrity-check").stdout
    node.sudo("cp -a /root/zic /usr/sbin/zic; systemctl reset-failed stockade-integrity-check")


def test_a_database_that_somebody_made_is_refused_until_a_new_one_is_asked_for(node, records):
    node.sudo(f"echo '# forged' >> {DATABASE}")
    known = record(records, node).read_text()
    outcome = run_roles(node, "integrity", integrity_record=str(records))
    assert outcome.code != 0
    assert "recorded was" in outcome.output and "integrity_renew=true" in outcome.output
    assert record(records, node).read_text() == known
    harden(node, "integrity", integrity_record=str(records), integrity_renew=True, integrity_paths=SCOPE)
    now = node.sudo(f"sha256sum {DATABASE}").stdout.split()[0]
    assert record(records, node).read_text().strip() == now != known.strip()


def test_a_boot_password_in_clear_is_refused(node):
    outcome = run_roles(node, "boot", boot_password_hash="secret")
    assert outcome.code != 0
    assert "no hash of GRUB's" in outcome.output


def test_the_command_line_is_stated_where_there_is_a_boot_loader(node):
    """The role's work on files, with a stand-in for update-grub; a virtual node shows that it boots."""
    assert node.sudo(STAND_IN).returncode == 0
    harden(node, "boot", boot_password_hash=HASH)
    assert "audit=1" in node.sudo("cat /boot/grub/grub.cfg").stdout
    assert node.sudo("stat -c %a /boot/grub/grub.cfg /etc/grub.d/01_stockade").stdout.split() == [
        "600",
        "700",
    ]
    assert "--unrestricted" in node.sudo("cat /etc/grub.d/10_linux").stdout
    assert "audit=1" in node.sudo("cat /run/stockade/reboot-reasons/boot").stdout
    assert harden(node, "boot", boot_password_hash=HASH).changed == ()
    harden(node, "boot")
    assert node.sudo("test -e /etc/grub.d/01_stockade").returncode != 0
    assert "--unrestricted" not in node.sudo("cat /etc/grub.d/10_linux").stdout


def test_a_reboot_keeps_it(node, records):
    node.reboot()
    assert closed(node) == [True, True, True]
    assert node.sudo("test -e /run/stockade/reboot-reasons/boot").returncode != 0
    assert node.sudo("systemctl is-active stockade-integrity-check.timer").stdout.strip() == "active"
    stated = {"integrity_record": str(records), "integrity_paths": SCOPE}
    assert harden(node, "mounts", "app_armor", "integrity", **stated).changed == ()
