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


def test_a_unit_is_masked_wherever_it_comes_from_and_nothing_else_is(node):
    """A package's, one of this boot, an alias that leads nowhere, an old script's; a fifth does not exist."""
    script = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: rpcbind\n# Default-Start: 3\n### END INIT INFO\n"
    spoil = f"""
    rm -f /etc/systemd/system/cups.s* /etc/systemd/system/autofs.service
    cp /usr/lib/systemd/system/cron.service /usr/lib/systemd/system/cups.service
    cp /usr/lib/systemd/system/cron.service /run/systemd/system/autofs.service
    ln -s nowhere.service /etc/systemd/system/apport.service
    printf '{script}' > /etc/init.d/rpcbind && chmod 755 /etc/init.d/rpcbind && systemctl daemon-reload
    """
    assert node.sudo(spoil).returncode == 0
    try:
        assert harden(node, "services").changed
        units = ("cups.service", "autofs.service", "apport.service", "rpcbind.service")
        said = node.sudo(f"systemctl is-enabled {' '.join(units)}").stdout.split()
        assert said == ["masked"] * 4
        assert node.sudo("test -e /etc/systemd/system/bluetooth.service").returncode == 1
        assert harden(node, "services").changed == ()
    finally:
        node.sudo(
            "rm /usr/lib/systemd/system/cups.service /run/systemd/system/autofs.service /etc/init.d/rpcbind"
        )


def test_programs_loosened_by_hand_are_closed_again(node):
    node.sudo("chmod u+s /usr/bin/chsh; chmod 644 /etc/shadow; rm /etc/cron.allow")
    harden(node, "services")
    assert node.sudo("stat -c %a /usr/bin/chsh /etc/shadow").stdout.split() == ["755", "640"]
    assert node.sudo("cat /etc/cron.allow").stdout == "root\n"


def test_an_upgrade_of_the_package_does_not_bring_the_setuid_bit_back(node):
    done = node.sudo(
        "DEBIAN_FRONTEND=noninteractive apt-get install -y --reinstall passwd tzdata", timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Permission denied" not in done.stdout + done.stderr
    assert node.sudo("stat -c %a /usr/bin/chsh").stdout.strip() == "755"


def test_a_reboot_keeps_it(node):
    node.reboot()
    assert node.sudo("systemctl list-units --failed --no-legend").stdout.strip() == ""
    assert harden(node, "services").changed == ()
