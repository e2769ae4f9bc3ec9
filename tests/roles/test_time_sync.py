"""Role time_sync: exactly the declared servers, whatever else is offered."""

from __future__ import annotations

import pytest

from tests.roles.role_run import harden, run_roles

SOURCES = "chronyc -c -N sources | cut -d, -f3"


@pytest.fixture(scope="module")
def node(lone_node_module):
    return lone_node_module


def test_a_check_of_a_node_without_the_time_service_changes_nothing(node):
    node.sudo("apt-get purge -y chrony", timeout=600)
    outcome = run_roles(node, "time_sync", check=True)
    assert outcome.code == 0, outcome.output
    assert node.sudo("ls /etc/chrony/chrony.conf").returncode != 0


def test_the_declared_servers_are_asked_and_a_second_run_changes_nothing(node):
    harden(node, "packages", "time_sync")
    assert node.sudo(SOURCES).stdout.split() == ["172.30.20.11"]
    assert harden(node, "time_sync").changed == ()


def test_the_clock_follows_the_server(node):
    waited = node.sudo("timeout 100 chronyc waitsync 90 0 0 1")
    assert waited.returncode == 0, waited.stdout


def test_a_service_that_was_ended_and_kept_from_the_next_boot_comes_back(node):
    """The module `unit_set`, which says in a check what a run then does."""
    node.sudo("systemctl disable --now chrony.service; systemctl kill --signal=KILL chrony.service")
    state = "systemctl is-enabled chrony.service; systemctl is-active chrony.service; true"
    assert node.sudo(state).stdout.split() == ["disabled", "inactive"]
    told = run_roles(node, "time_sync", check=True)
    assert (told.code, told.changed) == (0, ("Run the time service",)), told.output
    assert node.sudo(state).stdout.split() == ["disabled", "inactive"]
    assert harden(node, "time_sync").changed == ("Run the time service",)
    assert node.sudo(state).stdout.split() == ["enabled", "active"]


def test_a_masked_service_is_refused_in_one_line(node):
    node.sudo("systemctl mask --runtime chrony.service")
    outcome = run_roles(node, "time_sync")
    node.sudo("systemctl unmask --runtime chrony.service")
    assert outcome.code != 0
    assert "chrony.service is masked; what is masked never starts" in outcome.output


def test_servers_from_dhcp_or_a_drop_in_are_not_taken(node):
    node.sudo("mkdir -p /run/chrony-dhcp /etc/chrony/sources.d /etc/chrony/conf.d")
    node.sudo(
        "echo server 192.0.2.9 iburst | tee /run/chrony-dhcp/x.sources /etc/chrony/sources.d/x.sources"
        " /etc/chrony/conf.d/x.conf"
    )
    node.sudo("systemctl restart chrony")
    assert node.sudo(SOURCES).stdout.split() == ["172.30.20.11"]


def test_other_servers_replace_the_old_ones(node):
    servers = [{"address": "192.0.2.1"}, {"address": "192.0.2.2"}]
    harden(node, "time_sync", time_sync_servers=servers)
    assert node.sudo(SOURCES).stdout.split() == ["192.0.2.1", "192.0.2.2"]


def test_an_answer_that_proves_nothing_is_not_taken_where_proofs_are_offered(node):
    """The service centre's server answers, and cannot prove itself: it is not asked for the time at all."""
    authenticated = [{"address": "172.30.20.11", "name": "172.30.20.11", "nts": True}]
    harden(node, "time_sync", time_sync_servers=authenticated)
    asked = node.sudo("chronyc -c -N authdata | cut -d, -f1,2").stdout.split()
    assert asked == ["172.30.20.11,NTS"]
    assert node.sudo("chronyc waitsync 3 0 0 1").returncode != 0, "an answer without a proof was taken"
    assert "Normal" not in node.sudo("chronyc tracking | grep Leap").stdout


def test_a_server_that_chronyd_does_not_understand_is_refused_before_it_is_installed(node):
    before = node.sudo("cat /etc/chrony/chrony.conf").stdout
    outcome = run_roles(node, "time_sync", time_sync_servers=[{"address": "192.0.2.1 nonsense"}])
    assert outcome.code != 0
    assert "/etc/chrony/chrony.conf: `chronyd -p -f %s` refused the new text" in outcome.output
    assert node.sudo("cat /etc/chrony/chrony.conf").stdout == before
    assert node.sudo("systemctl is-active chrony").stdout.strip() == "active"
