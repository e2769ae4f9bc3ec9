"""Role packages: one transaction, no trip when nothing is missing, authenticated and over the proxy."""

from __future__ import annotations

from tests.roles.role_run import harden, run_roles

CUT = "table inet cut { chain output { type filter hook output priority 0; tcp dport 3142 drop; } }"
LIST = "dpkg-query --show --showformat '${db:Status-Status} ${Package}\\n' | sort"


def test_a_check_of_a_blank_node_reports_and_changes_nothing(lone_node_module):
    node = lone_node_module
    before = node.sudo(f"{LIST}; find /etc/apt -type f | sort").stdout
    outcome = run_roles(node, "packages", check=True)
    assert outcome.code == 0, outcome.output
    assert "Install what the roles need and remove what no node should carry" in outcome.changed
    assert node.sudo(f"{LIST}; find /etc/apt -type f | sort").stdout == before


def test_wanted_packages_come_and_unwanted_ones_go_with_their_configuration(lone_node_module):
    """inetutils-telnet is wanted first, so that there is something to remove."""
    node = lone_node_module
    harden(node, "packages", packages_wanted_also=["inetutils-telnet"])
    assert "installed inetutils-telnet" in node.sudo(LIST).stdout
    harden(node, "packages")
    here = node.sudo(LIST).stdout.splitlines()
    assert {"installed libpam-pwquality", "installed auditd"} <= set(here)
    assert [line for line in here if line.endswith(" inetutils-telnet")] == []


def test_a_second_run_changes_nothing_and_needs_no_network(lone_node_module):
    node = lone_node_module
    node.sudo(f"echo '{CUT}' | nft -f -")
    try:
        assert harden(node, "packages").changed == ()
    finally:
        node.sudo("nft delete table inet cut")


def test_what_a_power_cut_left_half_way_is_finished_first(lone_node_module):
    """As dpkg leaves it: a package half written, one without its scripts, a journal not yet written back."""
    node = lone_node_module
    left = {"libauparse0": "install reinstreq unpacked", "auditd": "install ok unpacked"}
    spoil = [f"-e '/^Package: {name}$/,/^$/s/^Status: .*/Status: {status}/'" for name, status in left.items()]
    node.sudo("dpkg --status logrotate > /var/lib/dpkg/updates/0001")
    node.sudo(f"sed -i {' '.join(spoil)} /var/lib/dpkg/status")
    assert "dpkg was interrupted" in node.sudo("apt-get --yes install tzdata").stderr
    harden(node, "packages")
    assert node.sudo("dpkg --audit").stdout == ""
    assert "installed auditd" in node.sudo(LIST).stdout.splitlines()


def test_another_proxy_takes_effect(lone_node_module):
    node = lone_node_module
    harden(node, "packages", packages_proxy="192.0.2.1:3142")
    assert '"http://192.0.2.1:3142"' in node.sudo("apt-config dump Acquire::http::Proxy").stdout
    harden(node, "packages")
    assert "192.0.2.1" not in node.sudo("apt-config dump Acquire::http::Proxy").stdout


def test_a_package_that_does_not_exist_is_one_clear_line(lone_node_module):
    outcome = run_roles(lone_node_module, "packages", packages_wanted_also=["stockade-no-such-package"])
    assert outcome.code != 0
    assert "Unable to locate package stockade-no-such-package" in outcome.output
