"""Role services: units, mounts and rights, each restored when it drifts."""

from __future__ import annotations

import pytest

from tests.roles.role_run import harden, run_roles


@pytest.fixture(scope="module")
def node(lone_node_module):
    return lone_node_module


def test_a_check_of_a_blank_node_changes_nothing(node):
    outcome = run_roles(node, "services", check=True)
    assert outcome.code == 0, outcome.output
    assert outcome.changed


def test_everything_is_in_force_at_once_and_a_second_run_changes_nothing(node):
    harden(node, "packages", "audit", "services")
    assert node.sudo("systemctl is-enabled ctrl-alt-del.target").stdout.strip() == "masked"
    assert node.sudo("stat -c %a /usr/bin/chsh /etc/crontab").stdout.split()[0] == "755"
    assert harden(node, "services").changed == ()


def test_programs_loosened_by_hand_are_closed_again(node):
    node.sudo("chmod u+s /usr/bin/chsh; chmod 644 /etc/shadow; rm /etc/cron.allow")
    harden(node, "services")
    assert node.sudo("stat -c %a /usr/bin/chsh /etc/shadow").stdout.split() == ["755", "640"]
    assert node.sudo("cat /etc/cron.allow").stdout == "root\n"


def test_an_upgrade_of_the_package_does_not_bring_the_setuid_bit_back(node):
    done = node.sudo(
        "DEBIAN_FRONTEND=noninteractive apt-get install -y --reinstall passwd tzdata", timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Permission denied" not in done.stdout + done.stderr
    assert node.sudo("stat -c %a /usr/bin/chsh").stdout.strip() == "755"


def test_a_reboot_keeps_it(node):
    node.reboot()
    assert node.sudo("systemctl list-units --failed --no-legend").stdout.strip() == ""
    assert harden(node, "services").changed == ()
