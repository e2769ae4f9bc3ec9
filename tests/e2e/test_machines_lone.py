"""The lone node that tests of roles use: fresh, reachable as in a region, on IPv4 and IPv6."""

from __future__ import annotations

import psutil
import pytest

from tests.conftest import require_nodes
from twin.machines import Lone, lone, nodes
from twin.machines.services import RELAY


def test_only_the_intended_places_reach_it(lone_node_module: Lone) -> None:
    node = lone_node_module
    assert node.probe("noc", "tcp", 22, timeout=30)
    assert node.probe("centre", "tcp", 22, timeout=30)
    assert node.probe("internet", "tcp", 443, timeout=30)
    assert not node.probe("internet", "tcp", 22)
    assert not node.probe("noc", "tcp", 8443)


def test_administrators_reach_it_on_ipv6_too(lone_node_module: Lone) -> None:
    node = lone_node_module
    assert node.probe("noc", "tcp", 22, target=node.address6, timeout=30)
    assert not node.probe("noc", "tcp", 8443, target=node.address6)
    assert not node.probe("internet", "tcp", 22, target=node.address6)


def test_packages_and_time_are_to_be_had(lone_node_module: Lone) -> None:
    node = lone_node_module
    proxy = "-o Acquire::http::Proxy=http://172.30.20.10:3142 -o APT::Update::Error-Mode=any"
    assert node.sudo(f"apt-get {proxy} -q update && apt-get {proxy} -q -y install tree", 120).returncode == 0
    assert node.ssh("tree --version").returncode == 0
    assert (
        "no selectable" not in node.sudo("chronyd -Q -t 5 'server 172.30.20.11 iburst maxsamples 1'").stderr
    )


def test_its_inventory_is_that_of_a_node_of_a_region(lone_node_module: Lone) -> None:
    hosts = lone_node_module.inventory["all"]["children"]["nodes"]["children"]["edge"]["hosts"]
    facts = hosts[lone_node_module.name]
    assert facts["ansible_host"] == lone_node_module.address
    assert facts["local_firewall_inbound"]
    assert "fd00:30:10::/64" in facts["local_firewall_admin_networks"]


def test_a_command_for_root_may_hold_quotes(lone_node_module: Lone) -> None:
    assert lone_node_module.sudo('echo "it\'s $(id -u)"').stdout.strip() == "it's 0"


def test_power_and_reboot(lone_node: Lone) -> None:
    before = lone_node.machines.boot_id(lone_node.name)
    lone_node.power_cut()
    assert not nodes.members(lone_node.machines.nodes[lone_node.name].namespace)
    lone_node.start()
    between = lone_node.machines.boot_id(lone_node.name)
    lone_node.reboot()
    after = lone_node.machines.boot_id(lone_node.name)
    assert len({before, between, after}) == 3


def test_a_machine_that_cannot_boot_nodes_skips_with_the_reason_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("twin.machines.obstacle", lambda: "booting nodes needs root")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no node can be booted here: booting nodes needs root"):
        require_nodes()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI must be able to boot nodes"):
        require_nodes()


def test_the_relay_that_served_packages_is_gone_with_its_node() -> None:
    """At its first request it becomes another program, and still has to be known as ours."""
    require_nodes()
    with lone("relay") as node:
        proxy = "http://172.30.20.10:3142/acng-report.html"
        said = node.sudo(f'python3 -c "import urllib.request as u; u.urlopen(\\"{proxy}\\")"').stderr
        assert not said or "HTTP Error" in said, said
        relay = node.machines.ledger.running("package relay")
        assert relay is not None
        assert str(RELAY) in relay.cmdline()
    # Its parent is this test, which has not asked how it ended.
    assert not relay.is_running() or relay.status() == psutil.STATUS_ZOMBIE
