"""The access roles through a node's life: blank, converged, drifted, changed, rolled back.

The order matters: each test goes on from where the one before has left the node.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

import settings
from controls import load
from tests.roles.hostile_packets import answered, connected, flood, forged, forged6
from tests.roles.role_run import ROOT, harden, run_roles
from twin.machines import sketch
from twin.machines.scratch import SETTINGS
from twin.play import ansible_environment

ACCESS = ("users", "ssh_server", "local_firewall")
SUITES = [f"tests/nodes/test_{name}.py" for name in (*ACCESS, "administration")]
JUDGED = {control for control in load(ROOT) if control.startswith(("STK-SSH-", "STK-USR-", "STK-FWL-"))}
# Another role's work: services keeps the message of the day empty.
ELSEWHERE = {"STK-USR-032"}
PASSWORD = "Correct-Horse-7-Battery"  # of an account that lives for one test
OTHER = "Staple-Wagon-4-Lantern"


@pytest.fixture(scope="module")
def node(lone_node_module):
    return lone_node_module


def as_person(node, name, command, text=""):
    """Run a command as a named person over a new connection of their own."""
    options = ["-F", str(node.ssh_config), "-o", "ControlPath=none", "-o", "BatchMode=yes", "-l", name]
    return subprocess.run(
        ["ssh", *options, node.name, command],
        input=text,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def person(node, **more):
    """Somebody for the list of people, with the key that the node's own login uses."""
    key = (node.inventory_file.parent / "ssh_key.pub").read_text().strip()
    return {"name": "jordan", "keys": [key], "admin": True, "expires": "2099-12-31", **more}


def judge(node):
    """Run the three suites against the node: {control: status}."""
    home = node.inventory_file.parent
    contract, results = home / "region.json", home / "results.json"
    contract.write_text(json.dumps(sketch.region(settings.parse(SETTINGS), "lone"), default=str))
    subprocess.run(
        [*(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITES, f"--region={contract}"),
         *(f"--inventory={node.inventory_file}", f"--results={results}")],
        cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    return {row["control"]: row["status"] for row in json.loads(results.read_text())["results"]}


def play(node, name, *arguments):
    """Run a playbook of the house against the node."""
    return subprocess.run(
        [*(sys.executable, "-m", "ansible", "playbook", "-i", str(node.inventory_file)),
         *(f"playbooks/{name}.yml", *arguments)],
        cwd=ROOT, env={**ansible_environment(), "ANSIBLE_CALLBACKS_ENABLED": "matched_hosts"},
        capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip


def test_a_check_of_a_blank_node_runs_through_and_changes_nothing(node):
    look = "sshd -T | sort; nft list ruleset; ls -lR /etc /usr/local/sbin /var/lib | sort | md5sum"
    before = node.sudo(look).stdout
    outcome = run_roles(node, *ACCESS, check=True)
    assert outcome.code == 0, outcome.output
    assert len(outcome.changed) == 1 + 3 + 2 + 1, (
        "the guard; accounts, files and records; keys and sshd; filter"
    )
    assert node.sudo(look).stdout == before


def test_the_suites_find_a_blank_node_failing_and_never_break_on_it(node):
    found = judge(node)
    assert set(found) == JUDGED
    assert {control for control, status in found.items() if status not in ("pass", "fail")} == set()
    # Debian's own defaults already fulfil some; what only Stockade brings must be red.
    assert {control for control in found if control.startswith("STK-FWL") and found[control] == "pass"} <= {
        "STK-FWL-014"
    }
    failing = {control for control, status in found.items() if status == "fail"}
    assert {"STK-SSH-001", "STK-SSH-004", "STK-SSH-018", "STK-USR-007", "STK-USR-011"} <= failing
    assert len(failing) > 30


def test_the_suites_find_a_converged_node_passing(node):
    """Also one whose image gives sshd options on its command line, and passwords back in a drop-in."""
    options = "SSHD_OPTS='-o PermitRootLogin=yes -o AuthenticationMethods=any'"
    cloud_init = "echo 'PasswordAuthentication yes' > /etc/ssh/sshd_config.d/50-cloud-init.conf"
    node.sudo(f'echo "{options}" > /etc/default/ssh; {cloud_init}; systemctl restart ssh')
    assert "passwordauthentication yes" in node.sudo("sshd -T").stdout
    harden(node, "packages", *ACCESS)
    found = judge(node)
    assert {control for control, status in found.items() if status != "pass"} <= ELSEWHERE
    assert set(found) == JUDGED


def test_a_rule_added_by_hand_is_found_and_taken_away_and_threats_stay(node):
    node.sudo("nft add rule inet stockade input tcp dport 8080 accept")
    node.sudo("nft add element inet stockade threats4 '{ 192.0.2.7 timeout 2d }'")
    assert node.sudo("stockade-firewall verify").returncode == 1
    assert harden(node, "local_firewall").changed == ("The packet filter follows the intent",)
    assert node.sudo("stockade-firewall verify").returncode == 0
    assert "8080" not in node.sudo("nft list chain inet stockade input").stdout
    assert "192.0.2.7 timeout 2d expires 1d23h" in node.sudo("nft list set inet stockade threats4").stdout


def test_a_source_in_the_threat_set_is_shut_out_and_administrators_are_not(node):
    harden(node, "local_firewall", local_firewall_inbound=[
        {"protocol": "tcp", "port": 443, "networks4": ["0.0.0.0/0"], "why": "test",
         "limit": {"connections": 50, "rate": 30}},
    ])  # fmt: skip
    assert node.probe("internet", "tcp", 443, timeout=30)
    node.sudo(f"nft add element inet stockade threats4 '{{ {node.outside}, 172.30.10.0/24 }}'")
    assert not node.probe("internet", "tcp", 443)
    assert node.ssh("true").returncode == 0, "a threat entry keeps an administrator out"


def test_a_source_that_opens_too_many_connections_is_throttled(node):
    node.sudo("nft flush set inet stockade threats4")
    harden(node, "local_firewall", local_firewall_inbound=[
        {"protocol": "tcp", "port": 443, "networks4": ["0.0.0.0/0"], "why": "test",
         "limit": {"connections": 50, "rate": 2}},
    ])  # fmt: skip
    assert node.probe("internet", "tcp", 443, timeout=30), "the first connection must come through"
    # As many at a time as it takes, whatever the machine does between them.
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: node.probe("internet", "tcp", 443, timeout=0.4), range(32)))
    assert False in answers, "nobody was throttled"


def test_packets_of_a_source_above_the_limit_are_dropped_and_another_source_gets_through(node):
    """Also those of a connection that was let in: the limits of new connections are out of reach here."""
    harden(node, "local_firewall", local_firewall_packets_per_second=2, local_firewall_inbound=[
        {"protocol": "tcp", "port": 443, "networks4": ["0.0.0.0/0"], "why": "test",
         "limit": {"connections": 60000, "rate": 60000}},
    ])  # fmt: skip
    # The node's own workload ends a connection with its answer; this one goes on.
    node.sudo(
        "systemctl stop twin-workload;"
        " systemd-run --collect --unit=door python3 -m http.server 443 --protocol HTTP/1.1;"
        " for i in $(seq 600); do ss -Hltn sport = :443 | grep -q . && break; sleep 0.1; done"
    )
    wires, door = node.machines.wires, (node.public_address, 443)
    gateway = node.machines.region["sites"]["noc"]["gateway"]
    with (
        connected(wires.internet, node.outside, *door) as flooding,
        connected(wires.site("noc"), gateway, *door) as other,
    ):
        assert answered(flooding, 30) and answered(other, 30), "two sources that keep to the limit"
        with flood(wires.internet, node.outside, *door):
            assert not answered(flooding, 0.5), "a flood above the limit gets through"
            assert answered(other, 30), "another source is dropped with the one that floods"
        assert answered(flooding, 60), "a source that has ended its flood is let in again"
    node.sudo("systemctl stop door; systemctl start twin-workload")


@contextmanager
def ear(node):
    """A server on the node, which nothing allows yet; gives the addresses it has heard once it hears any."""
    listen = (
        'import socket; s = socket.socket(socket.AF_INET6, 2); s.bind(("", 5300));'
        " [print(s.recvfrom(9)[1][0], flush=True) for _ in range(9)]"
    )
    node.sudo(
        f"systemd-run --collect --unit=ear -p StandardOutput=append:/run/heard python3 -c '{listen}';"
        " for i in $(seq 50); do ss -Hlun sport = :5300 | grep -q . && break; sleep 0.1; done"
    )
    wait = "for i in $(seq 50); do test -s /run/heard && break; sleep 0.1; done; sleep 0.2"

    def heard():
        return node.sudo(f"{wait}; cat /run/heard; : > /run/heard").stdout.split()

    yield heard
    node.sudo("systemctl stop ear")


def test_nobody_comes_by_the_wire_as_the_node_itself(node):
    """The kernel's own refusal is switched off first, as container engines do; for IPv6 it has no switch."""
    lax = "route_localnet={0} {1}accept_local={0} {1}rp_filter={2}"
    every = "net.ipv4.conf.all."
    node.sudo(f"sysctl -w {every}{lax.format(1, every, 0)}; sysctl -w net.ipv4.conf.ens5.rp_filter=0")
    link = node.sudo("ip -6 -o addr show dev ens5 scope link").stdout.split()[3].partition("/")[0]
    with ear(node) as heard:
        forged6(node, "fe80::98", link, 5300)
        forged(node, "192.0.2.98", 5300)
        harden(node, "local_firewall", local_firewall_inbound=[
            {"protocol": "udp", "port": 5300, "networks4": ["0.0.0.0/0"], "networks6": ["::/0"],
             "why": "test"},
        ])  # fmt: skip
        for source in ("127.0.0.1", node.outside):
            forged(node, source, 5300)
        assert heard() == [f"::ffff:{node.outside}"]
        for source in ("::1", "fe80::99"):
            forged6(node, source, link, 5300)
        assert heard() == ["fe80::99"]
    node.sudo(f"sysctl -w {every}{lax.format(0, every, 2)}")


def test_changed_values_arrive_and_stale_ones_go(node):
    outcome = harden(node, *ACCESS, ssh_server_max_auth_tries=3, users_people=[person(node, playbooks=True)])
    assert outcome.changed == (
        "Accounts, groups and keys follow the list",
        # Who runs playbooks is named in the sudo rules: sudo asks everybody else for a terminal.
        "Password rules, sudo rules and banners follow the policy",
        "The ssh server follows the approved settings",
        "The packet filter follows the intent",
    )
    assert "maxauthtries 3" in node.sudo("sshd -T").stdout
    assert "limit rate over 30/second" in node.sudo("nft list table inet stockade").stdout
    assert set(as_person(node, "jordan", "id -nG").stdout.split()) == {
        "jordan",
        "stockade-admin",
        "ssh-users",
    }


def test_weak_and_earlier_passwords_are_refused(node):
    assert node.sudo("echo jordan:Short-1 | chpasswd").returncode != 0
    assert node.sudo("echo jordan:onlylowercaseletters | chpasswd").returncode != 0
    assert node.sudo(f"echo jordan:{PASSWORD} | chpasswd").returncode == 0
    assert node.sudo(f"echo jordan:{OTHER} | chpasswd").returncode == 0
    assert node.sudo(f"echo jordan:{PASSWORD} | chpasswd").returncode != 0, "an earlier password came back"


def test_wrong_passwords_lock_the_password_and_never_the_key(node):
    sudo = "sudo -S -k -p '' id -un"
    assert as_person(node, "jordan", sudo, f"{OTHER}\n").stdout.strip() == "root"
    for _ in range(2):
        as_person(node, "jordan", sudo, "wrong\nwrong\nwrong\n")
    assert as_person(node, "jordan", sudo, f"{OTHER}\n").returncode != 0, "the password still opens"
    assert as_person(node, "jordan", "id -un").stdout.strip() == "jordan", "the key was locked out"
    assert node.ssh("sudo -n id -un").stdout.strip() == "root", "automation was locked out"
    reopen = "faillock --dir /var/log/faillock --user jordan --reset"
    as_person(node, "jordan", f"{reopen}; rm -f /var/log/faillock/jordan")
    assert as_person(node, "jordan", sudo, f"{OTHER}\n").returncode != 0, "who was locked out opens it again"
    node.sudo(reopen)
    assert as_person(node, "jordan", sudo, f"{OTHER}\n").stdout.strip() == "root"


def test_whoever_leaves_the_list_is_closed(node):
    harden(node, "users", users_people=[])
    assert as_person(node, "jordan", "true").returncode == 255
    entry = node.sudo("getent passwd jordan; getent shadow jordan").stdout
    assert "/usr/sbin/nologin" in entry
    assert ":!$y$" in entry
    assert harden(node, "users", users_people=[]).changed == ()


def test_a_rollback_needs_a_generation_that_exists(node):
    assert "add -e generation=N" in play(node, "rollback", "-e", '{"harden_batches": 1}').stdout
    outcome = play(node, "rollback", "-e", "generation=999")
    assert outcome.returncode != 0
    assert "generation 999 does not exist on this node; it has: 1," in outcome.stdout + outcome.stderr


def test_a_rollback_brings_the_first_generation_back_and_hardening_comes_again(node):
    outcome = play(node, "rollback", "-e", "generation=1")
    assert outcome.returncode == 0, outcome.stdout
    assert node.sudo("nft list tables").stdout.strip() == ""
    assert "aes128-ctr" in node.sudo("sshd -T").stdout
    assert node.sudo("ls /etc/sudoers.d/50-stockade").returncode != 0
    assert "\\n" in node.sudo("cat /etc/issue").stdout, "the image's own banner is back"
    assert node.sudo("tail -n 1 /var/lib/stockade/history.jsonl").stdout.count('"concern": "rollback"') == 1
    harden(node, *ACCESS)
    assert node.sudo("stockade-firewall verify").returncode == 0


def test_a_typo_in_the_limit_is_red(node):
    outcome = play(node, "harden", "--limit", "localhost,")
    assert outcome.returncode != 0
