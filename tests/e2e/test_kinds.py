"""Every kind of server and every level, from a blank node to a rolled back one, on Debian 12 and 13.

The nodes of one fleet go through the sequence together: a check that changes nothing, converge, nothing to
change, the suite, another value, the suite, a reboot, the suite, a rollback. `--every-kind`
(`make test-kinds`) takes every pair of kind and level on both releases through it, otherwise six do.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from report.model import Status
from settings.model import Kind, Profile
from tests.conftest import require_nodes
from tests.e2e.kinds_region import QUICK, contract, release_of, rest
from tests.suite_run import harden, judged, play, red
from twin.machines import collector, fleet
from twin.machines.scratch import passing

AT_ONCE = ("-e", json.dumps({"harden_batches": ["100%"]}))
OTHERWISE = {"ssh_server_max_auth_tries": 3, "local_firewall_log_per_minute": 7, "mounts_tmp_size": "40%"}
CHANGED = (*AT_ONCE, "-e", json.dumps(OTHERWISE))
TRIES = "sshd -T | grep -i maxauthtries"
# What is ours, and what packages bring; host keys are made by the first boot itself, in its first seconds.
OWN = "/etc /usr/local /var/lib/dpkg /var/lib/stockade /var/lib/aide"
OWN_FILES = f"find {OWN} -type f -not -name 'ssh_host_*' -exec sha256sum {{}} + 2>&1 | sort | sha256sum"
FIRST_CHECKSUMS = (
    "until test -s /var/lib/aide/aide.db; do sleep 0.5; done;"
    " aide --config=/etc/aide/aide.conf --check --limit=^/etc"
)
ENGINE = "nft 'add table ip engine; add chain ip engine forward { type filter hook forward priority 10; }'"
ACCESS, WHOSE = "users,ssh_server,local_firewall", "ssh_server,local_firewall,mounts"


@dataclass(frozen=True)
class Fleet:
    """Nodes of one release; `profiles` is the level of each kind."""

    release: str
    machines: fleet.Machines
    profiles: dict[str, str]
    home: Path

    def everywhere(self, command: str, timeout: float = 120) -> dict[str, str]:
        """What a command that root runs says on each node, by kind."""
        quoted = command.replace("'", "'\\''")
        said = {}
        for node in self.machines.region["nodes"]:
            done = self.machines.ssh(node["name"], f"sudo sh -c '{quoted}'", timeout)
            assert done.returncode == 0, f"{node['name']}: {done.stdout}{done.stderr}"
            said[str(node["kind"])] = done.stdout.strip()
        return said

    def faults(self) -> dict[tuple[str, str], str]:
        """What the suite finds wrong; what asks for more than a node's level is left out there only."""
        together = ("-n", str(len(self.profiles)))
        report = judged(self.machines.inventory, self.home, self.machines.region, *together)
        kinds = {str(node["name"]): str(node["kind"]) for node in self.machines.region["nodes"]}
        above = {
            kinds[r.subject]
            for r in report.results
            if r.status is Status.NOT_APPLICABLE and "the node's profile is" in r.message
        }
        assert above == {kind for kind, profile in self.profiles.items() if profile != "strict"}
        return red(report)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that takes nodes is run over each fleet; those of `rest` only when asked for."""
    if "nodes" in metafunc.fixturenames:
        fleets = [*QUICK, *(rest() if metafunc.config.getoption("every_kind") else ())]
        metafunc.parametrize("nodes", fleets, indirect=True, scope="module")


@pytest.fixture(scope="module")
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Blank nodes of one release, one of each stated kind; the tests below take them on in their order."""
    require_nodes()
    profiles = {**QUICK, **rest()}[request.param]
    with passing(f"kinds-{request.param}") as home:
        machines = fleet.up(contract(request.param, profiles), home=home)
        yield Fleet(release_of(request.param), machines, profiles, tmp_path_factory.mktemp(request.param))


def test_between_them_the_fleets_have_every_kind_and_each_has_every_level() -> None:
    assert {kind for profiles in QUICK.values() for kind in profiles} == set(Kind)
    for profiles in QUICK.values():
        assert set(profiles.values()) == set(Profile)


def test_with_the_rest_every_pair_of_kind_and_level_is_run_once_on_each_release() -> None:
    run = [(release_of(name), *pair) for name, fleet in {**QUICK, **rest()}.items() for pair in fleet.items()]
    assert sorted(run) == sorted(product(QUICK, list(Kind), list(Profile)))


def test_a_check_of_blank_nodes_changes_nothing(nodes: Fleet) -> None:
    stated = nodes.everywhere("cat /etc/os-release")
    assert all(f"VERSION_CODENAME={nodes.release}" in said for said in stated.values())
    before = nodes.everywhere(OWN_FILES)
    assert min(harden(nodes.machines.inventory, *AT_ONCE, "--check").changed.values()) > 0
    assert nodes.everywhere(OWN_FILES) == before


def test_they_are_hardened_once(nodes: Fleet) -> None:
    assert min(harden(nodes.machines.inventory, *AT_ONCE).changed.values()) > 0
    assert set(harden(nodes.machines.inventory, *AT_ONCE).changed.values()) == {0}


def test_the_first_checksums_are_of_the_finished_node(nodes: Fleet) -> None:
    """Nothing that the run itself did is called a change by the first comparison (here of /etc only)."""
    nodes.everywhere(FIRST_CHECKSUMS, timeout=600)


def test_the_whole_suite_is_green(nodes: Fleet) -> None:
    assert nodes.faults() == {}


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_journals_arrive_at_the_collector_and_nobody_else_is_heard(nodes: Fleet) -> None:
    """Over TLS in both directions: the front asks for a certificate, and one from elsewhere is not enough."""
    nodes.everywhere("logger --tag stockade-line said-by-$(hostname); journalctl --sync")
    wanted = {f"said-by-{node}" for node in nodes.machines.nodes}
    home = nodes.machines.home
    reading = ["journalctl", "--file", str(home / collector.JOURNAL), "-t", "stockade-line", "-o", "cat"]
    deadline = time.monotonic() + 150
    # It may be reading a file that is being written, or not there yet.
    while (said := set(_output(reading).split())) != wanted:
        assert time.monotonic() < deadline, said
        time.sleep(0.5)
    address = nodes.machines.region["services"]["log_collector"]["address"]
    call = f"openssl s_client -connect {address}:19532 -CAfile /etc/stockade/forward/ca.pem -brief"
    stranger = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=x -keyout k -out c 2>/dev/null"
    for proof, heard in (
        ("", False),
        ("-cert c -key k", False),
        ("-cert /etc/stockade/forward/certificate.pem -key /etc/stockade/forward/key.pem", True),
    ):
        ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 25 {call} -ign_eof {proof} 2>/dev/null"
        answers = nodes.everywhere(f"cd /root && {stranger}; {ask}; rm -f k c")
        assert all(("HTTP/1" in answer) is heard for answer in answers.values()), (proof, answers)


def test_no_key_of_the_collector_lies_where_others_read(nodes: Fleet) -> None:
    home = nodes.machines.home
    keys = [path.read_text().splitlines()[1] for path in collector.identities(home).glob("*.key")]
    assert len(keys) == len(nodes.machines.nodes) + 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in collector.identities(home).glob("*.key"))
    for text in (nodes.machines.inventory.read_text(), json.dumps(nodes.machines.region)):
        assert not [key for key in keys if key in text]


def test_packets_are_forwarded_by_a_container_host_alone(nodes: Fleet) -> None:
    forwarding = nodes.everywhere("sysctl -n net.ipv4.ip_forward")
    rulesets = nodes.everywhere("nft list ruleset")
    for kind in nodes.profiles:
        containers = kind == Kind.CONTAINER_HOST
        assert forwarding[kind] == ("1" if containers else "0"), kind
        forward = rulesets[kind].partition("hook forward")[2].splitlines()[0]
        assert ("policy accept" if containers else "policy drop") in forward, kind


def test_ssh_passes_connections_on_for_a_bastion_alone(nodes: Fleet) -> None:
    for kind, effective in nodes.everywhere("sshd -T").items():
        assert f"allowtcpforwarding {'local' if kind == Kind.BASTION else 'no'}" in effective, kind
        assert "allowagentforwarding no" in effective, kind


def test_levels_are_what_the_next_boot_reads(nodes: Fleet) -> None:
    """cis-l1 leaves namespaces to all, container hosts need them at any level; strict boots anew."""
    scopes = {Profile.CIS_L1: 1, Profile.CIS_L2: 2, Profile.STRICT: 3}
    for kind, stated in nodes.everywhere("cat /etc/sysctl.d/99-zz-stockade.conf").items():
        profile = Profile(nodes.profiles[kind])
        namespaces = int(profile is Profile.CIS_L1 or kind == Kind.CONTAINER_HOST)
        assert ("kernel.panic_on_oops = 1" in stated) is (profile is Profile.STRICT), kind
        assert f"kernel.unprivileged_userns_clone = {namespaces}" in stated, kind
        assert f"kernel.yama.ptrace_scope = {scopes[profile]}" in stated, kind


def test_another_value_takes_effect_and_tables_of_others_are_left_alone(nodes: Fleet) -> None:
    nodes.everywhere(ENGINE)
    counted = harden(nodes.machines.inventory, *CHANGED, "--tags", WHOSE).changed
    assert min(counted.values()) > 0, counted
    assert set(nodes.everywhere(TRIES).values()) == {"maxauthtries 3"}
    for kind, rules in nodes.everywhere("nft list ruleset").items():
        assert "limit rate 7/minute" in rules and "table ip engine" in rules, kind
    assert nodes.faults() == {}


def test_a_reboot_keeps_everything(nodes: Fleet) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(nodes.machines.reboot, nodes.machines.nodes))
    assert set(nodes.everywhere("systemctl list-units --failed --no-legend").values()) == {""}
    assert set(nodes.everywhere(TRIES).values()) == {"maxauthtries 3"}
    assert nodes.faults() == {}


def test_a_rollback_brings_the_blank_access_back_and_a_normal_run_hardens_again(nodes: Fleet) -> None:
    """Generation 1 is the node before any change: nothing of the access-critical set is ours then."""
    done = play(nodes.machines.inventory, "playbooks/rollback.yml", *AT_ONCE, "-e", "generation=1")
    assert done.code == 0, done.output[-3000:]
    assert set(nodes.everywhere(TRIES).values()) == {"maxauthtries 6"}
    assert set(nodes.everywhere("ls /etc/sudoers.d /etc/sysctl.d | grep -c stockade; true").values()) == {"0"}
    harden(nodes.machines.inventory, *CHANGED, "--tags", ACCESS)
    assert set(nodes.everywhere(TRIES).values()) == {"maxauthtries 3"}
