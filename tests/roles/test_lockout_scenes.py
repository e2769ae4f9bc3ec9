"""Changes that close the very connection they came over, and what needs a controller or a boot of its own.

One real node, hardened once; each test goes on from where the one before has left it.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml

from tests.roles.lockout import run
from tests.roles.lockout.controllers import (
    LIMITS,
    controller,
    in_time,
    log,
    patient,
    pending,
    settled,
    shut,
    ssh_that_stops,
    wait_until,
)
from tests.roles.lockout.model import SITE, SKEWED
from tests.roles.role_run import harden, run_roles

ACCESS = ("users", "ssh_server", "local_firewall")
RULES = "/etc/stockade/firewall.nft"


@pytest.fixture(scope="module")
def node(lone_node_module):
    harden(lone_node_module, "packages", *ACCESS)
    run.prepare(lone_node_module)
    lone_node_module.sudo("nft add table ip docker; nft add chain ip docker DOCKER")
    return lone_node_module


@pytest.fixture(autouse=True)
def reachable_afterwards(node):
    """Within the revert's time a new login is root, nothing waits, and the table of containers is there."""
    yield
    end = time.monotonic() + 150
    while (seen := run.look(node))["in"] and seen["pending"] and time.monotonic() < end:
        time.sleep(0.5)
    assert seen["in"], f"LOCKED OUT: {seen['said']}"
    assert seen["pending"] is None
    assert seen["firewall"] == "in force"
    tables = node.sudo("nft list tables").stdout
    assert "table ip docker" in tables, "somebody else's table was touched"


def outcome(node, *roles: str, **variables: Any) -> tuple[int, str]:
    """One run of roles: its return code and what it said."""
    done = run_roles(node, *roles, **variables)
    return done.code, done.output


def closes(node, old: str, new: str) -> dict[str, Any]:
    """A change of the packet filter's text, loaded; nothing in it says that we stay out."""
    rules = run.texts(node, [RULES])[RULES]
    assert old in rules
    return {
        "concern": "closing",
        "files": [{"path": RULES, "content": rules.replace(old, new, 1), "mode": "0600"}],
        "validate": [["nft", "-c", "-f", "{staged}" + RULES]],
        "activate": [["/usr/local/sbin/stockade-firewall", "load"]],
        "revert_after": LIMITS["access_guard_revert_after"],
        "proof_timeout": LIMITS["access_guard_proof_timeout"],
    }


def test_a_firewall_without_our_network_is_reverted_by_the_node_itself(node):
    code, said = in_time(node, lambda: outcome(node, "local_firewall", **shut(node)))
    assert code != 0
    assert "a new login with sudo failed" in said
    event = settled(node)
    assert (event["event"], event["concern"]) == ("reverted", "local_firewall")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("iif lo accept", "iif lo accept\n\t\ttcp dport 22 drop"),
        ("oif lo accept", "oif lo accept\n\t\ttcp sport 22 drop"),
        ("iif lo accept", "iif lo accept\n\t\ttcp dport 22 limit rate over 1/day burst 1 packets drop"),
    ],
    ids=["deny-before-allow", "answers-denied", "throttled-ourselves"],
)
def test_rules_in_the_wrong_order_are_reverted_by_the_node_itself(node, old, new):
    code, said = in_time(node, lambda: run.adhoc(node, "guarded_change", closes(node, old, new)))
    assert code != 0, said
    assert "a new login with sudo failed" in said
    event = settled(node)
    assert (event["event"], event["concern"]) == ("reverted", "closing")


@pytest.mark.parametrize("stated", [False, True], ids=["new-file", "same-file"])
def test_a_kernel_parameter_that_cuts_the_node_off_is_reverted_by_the_node_itself(node, stated):
    """Packets that live for one hop; also when the file said so all along and only the kernel did not."""
    hop: dict[str, Any] = {"kernel_extra": {"net.ipv4.ip_default_ttl": 1}, "kernel_sysctl": {}}
    if stated:
        harden(node, "kernel", kernel_extra={"net.ipv4.ip_default_ttl": 64}, kernel_sysctl={})
        node.sudo("sed -i 's/ip_default_ttl = 64/ip_default_ttl = 1/' /etc/sysctl.d/99-zz-stockade.conf")
    code, said = in_time(node, lambda: outcome(node, "kernel", **hop, **LIMITS))
    assert code != 0, said
    event = settled(node)
    assert (event["event"], event["concern"]) == ("reverted", "sysctl_set")
    assert node.sudo("sysctl -n net.ipv4.ip_default_ttl").stdout.strip() == "64"
    stays = "1" if stated else ""
    kept = node.sudo("sed -n 's/^net.ipv4.ip_default_ttl = //p' /etc/sysctl.d/99-zz-stockade.conf")
    assert kept.stdout.strip() == stays
    node.sudo("rm -f /etc/sysctl.d/99-zz-stockade.conf")


def test_the_watch_stands_in_for_a_timer_that_was_lost_and_a_clock_that_fell_back(node):
    """Nobody is left to prove or to revert; Python, the timer and a day are lost as well."""
    change = closes(node, "iif lo accept", "iif lo accept\n\t\ttcp dport 22 drop")
    skew = f"echo '{SKEWED.format(seconds=-86400)}' > {SITE}"
    lost = "systemctl stop 'stockade-revert-*.timer'; rm -f /run/systemd/transient/stockade-revert-*"
    change["activate"].insert(0, ["sh", "-c", f"{skew}; {lost}; mv /usr/bin/python3 /usr/bin/python3.aside"])
    change["activate"][1] = ["/usr/bin/python3.aside", *change["activate"][1]]
    restore = "systemd-run -q --collect --on-active=20 mv /usr/bin/python3.aside /usr/bin/python3"
    change["activate"].insert(0, restore.split())
    run.adhoc(node, "guarded_change", change)
    wait_until(lambda: node.probe("noc", "tcp", 22), 150, "the way back")
    node.sudo(f"rm -f {SITE}")
    wait_until(lambda: node.sudo("python3 -V").returncode == 0, 150, "the test's own way back")
    event = settled(node)
    assert event["event"] == "reverted"
    assert "its timer was lost" in event["why"]
    harden(
        node, "local_firewall"
    )  # without Python the rules came back by nft alone; the loader notes its own


def test_the_boot_reverts_though_the_node_was_only_rebooted(node):
    program, stopped = ssh_that_stops(node, 1, wait=True)
    with controller(node, "ssh_server", variables=patient(60), ANSIBLE_SSH_EXECUTABLE=program):
        wait_until(stopped.exists, 300, "the proof")
        node.reboot()
    event = run.look(node)["event"]
    assert (event["event"], event["why"]) == ("reverted", "the node restarted")
    node.sudo("nft add table ip docker; nft add chain ip docker DOCKER")


def test_a_way_back_that_somebody_switched_off_is_switched_on_again_first(node):
    node.sudo("systemctl disable stockade-revert.service; systemctl stop stockade-watch.path")
    node.sudo("ln -s /dev/null /run/systemd/system/stockade-watch.path; systemctl daemon-reload")
    harden(node, "ssh_server", **patient(61))
    assert node.sudo("systemctl is-enabled stockade-revert.service").stdout.strip() == "enabled"
    assert node.sudo("systemctl is-active stockade-watch.path").stdout.strip() == "active"
    node.sudo("rm -f /run/systemd/system/stockade-watch.path; systemctl daemon-reload")


def test_two_controllers_at_once_take_turns(node):
    with controller(node, *ACCESS, variables=patient(62)) as first:
        code, said = outcome(node, *ACCESS, **patient(63))
        first.wait(300)
    assert code == 0, said
    assert first.returncode == 0, log(node).read_text()
    assert pending(node) is None


def test_a_controller_that_has_only_ipv6(node):
    here = yaml.safe_load(node.inventory_file.read_text())
    host = here["all"]["children"]["nodes"]["children"]["edge"]["hosts"][node.name]
    six = [network for network in host["local_firewall_admin_networks"] if ":" in network]
    inbound = [entry for entry in host["local_firewall_inbound"] if entry["port"] != 22]
    common = f"{host['ansible_ssh_common_args']} -o HostKeyAlias={node.name}"
    host |= {"ansible_host": node.address6, "ansible_ssh_common_args": common}
    host |= {"local_firewall_admin_networks": six, "local_firewall_inbound": inbound}
    inventory = node.inventory_file.parent / "six.yml"
    inventory.write_text(yaml.safe_dump(here))
    code, said = run.playbook(node, "preflight", inventory)
    assert code == 0, said
    code, said = run.roles_over(node, inventory, *ACCESS, **patient(64))
    assert code == 0, said
    assert not node.probe("noc", "tcp", 22), "ssh is closed to IPv4, as asked"
    assert node.probe("noc", "tcp", 22, target=node.address6, timeout=30)
    code, said = run.roles_over(node, inventory, *ACCESS, **patient(65), local_firewall_admin_networks=[
        *six, "172.30.10.0/24"])  # fmt: skip
    assert code == 0, said


def test_plain_ssh_and_sudo_gone_the_timer_brings_it_back(node):
    """Without mitogen no root channel stays open: nobody but the node can revert."""
    change = {
        "concern": "sudo gone",
        "files": [{"path": "/etc/sudoers.d/60-lockout", "content": "admin ALL=(ALL) !ALL\n", "mode": "0440"}],
        "revert_after": LIMITS["access_guard_revert_after"],
        "proof_timeout": LIMITS["access_guard_proof_timeout"],
    }
    code, said = in_time(node, lambda: run.adhoc(node, "guarded_change", change, ANSIBLE_STRATEGY="linear"))
    assert code != 0, said
    assert "goes back" in said
    event = settled(node)
    assert (event["event"], event["concern"]) == ("reverted", "sudo gone")


def test_an_image_whose_sshd_is_started_by_a_socket(node):
    node.sudo("systemctl disable ssh.service; systemctl enable ssh.socket")
    node.sudo("systemctl stop ssh.service; systemctl start ssh.socket")
    harden(node, *ACCESS, **patient(66))
    node.reboot()
    node.sudo("nft add table ip docker; nft add chain ip docker DOCKER")
    harden(node, *ACCESS, **patient(67))


def test_the_node_converges(node):
    harden(node, *ACCESS)
    assert harden(node, *ACCESS).changed == ()
    history = node.sudo("cat /var/lib/stockade/history.jsonl").stdout.splitlines()
    assert {json.loads(row)["event"] for row in history} == {"proven", "reverted"}
