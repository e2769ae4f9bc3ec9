"""Role kernel: values in force, restored when they drift, kept by a reboot."""

from __future__ import annotations

import pytest

from tests.roles.role_run import harden, run_roles

REDIRECTS = "cat /proc/sys/net/ipv4/conf/*/accept_redirects | sort -u"


@pytest.fixture(scope="module")
def node(lone_node_module):
    return lone_node_module


def test_a_check_of_a_blank_node_changes_nothing(node):
    outcome = run_roles(node, "kernel", check=True)
    assert outcome.code == 0, outcome.output
    assert outcome.changed, "a check that reports nothing has not looked"
    assert node.sudo("ls /etc/sysctl.d/99-zz-stockade.conf").returncode != 0
    assert "1" in node.sudo(REDIRECTS).stdout


def test_values_are_in_force_on_every_interface_and_a_second_run_changes_nothing(node):
    harden(node, "kernel")
    assert node.sudo(REDIRECTS).stdout.split() == ["0"]
    assert harden(node, "kernel").changed == ()


def test_a_value_that_drifted_is_restored_although_the_file_is_unchanged(node):
    node.sudo("sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.tcp_syncookies=0")
    assert len(harden(node, "kernel").changed) == 1
    values = node.sudo("sysctl -n net.ipv4.conf.all.rp_filter net.ipv4.tcp_syncookies").stdout.split()
    assert values == ["1", "1"]


def test_forwarding_follows_its_switch_and_takes_nothing_else_along(node):
    """The kernel resets redirects when forwarding changes: they have to be closed again in the same run."""
    harden(node, "kernel", kernel_forwarding=True)
    assert node.sudo("sysctl -n net.ipv4.ip_forward").stdout.strip() == "1"
    harden(node, "kernel")
    assert node.sudo("sysctl -n net.ipv4.ip_forward").stdout.strip() == "0"
    assert node.sudo(REDIRECTS).stdout.split() == ["0"]


def test_a_filesystem_of_fstab_stays_loadable(node):
    denied = "modprobe --showconfig | grep -c '^install udf '"
    assert node.sudo(denied).stdout.strip() == "1"
    node.sudo("echo '/dev/sr0 /media udf noauto 0 0' >> /etc/fstab")
    harden(node, "kernel")
    assert node.sudo(denied).stdout.strip() == "0"


def test_a_reboot_keeps_the_values(node):
    node.reboot()
    assert node.sudo(REDIRECTS).stdout.split() == ["0"]
    assert node.sudo("systemctl is-failed systemd-sysctl").stdout.strip() != "failed"
    assert node.sudo("systemctl show --property DefaultLimitCORE --value").stdout.strip() == "0"
    assert harden(node, "kernel").changed == ()


def test_a_value_that_the_kernel_refuses_is_one_clear_line(node):
    outcome = run_roles(node, "kernel", kernel_extra={"net.ipv4.tcp_syncookies": "many"})
    assert outcome.code != 0
    assert "net.ipv4.tcp_syncookies = many: the kernel refused it" in outcome.output
