"""Nodes come up, stay the same, come back, and leave nothing, also when the command is killed."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import settings
from fault import Fault
from tests.conftest import require_nodes
from tests.e2e.small_region import THREE_NODES
from twin import machines
from twin.ledger import Ledger, prefix
from twin.machines import Machines, nodes, sketch
from twin.sweeping import remains, sweep

ROOT = Path(__file__).resolve().parents[2]
Traces = dict[str, set[str]]


def region() -> dict[str, Any]:
    return sketch.region(settings.parse(THREE_NODES), "test")


def traces(home: Path) -> Traces:
    """Everything on the machine that carries the home's name, found without the sweeper's own eyes."""
    mark = prefix(home)
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    return {
        "namespaces": {line for line in names.splitlines() if line.startswith(mark)},
        "links": {line for line in links.splitlines() if mark in line},
        "mounts": {m for m in Path("/proc/mounts").read_text().splitlines() if str(home) in m},
        "processes": {f"{p}" for p in _processes_with(mark, home)},
        "run": {str(p) for p in Path("/run").glob(f"{mark}*")},
        "control groups": {str(p) for p in Path("/sys/fs/cgroup").glob(f"*/{mark}*")},
        "nspawn": _nspawn_leftovers(),
    }


def _processes_with(mark: str, home: Path) -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*"):
        if int(path.name) == os.getpid():
            continue
        try:
            words = (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
            words += (path / "cgroup").read_bytes()
        except OSError:
            continue
        if f"{mark}-".encode() in words or f"{mark}:".encode() in words or str(home).encode() in words:
            yield path.name


def _nspawn_leftovers() -> set[str]:
    places = [Path("/run/systemd/nspawn/locks"), Path("/run/systemd/nspawn/propagate")]
    return {str(entry) for place in places if place.is_dir() for entry in place.iterdir()}


def nothing_left(home: Path, before: Traces) -> None:
    after = traces(home)
    # Other twins come and go on a shared machine; nspawn's own directories carry no name of ours.
    new = {kind: found - before.get(kind, set()) for kind, found in after.items() if kind != "nspawn"}
    assert not {kind: found for kind, found in new.items() if found}
    assert remains(Ledger(home)) == []
    names = {node["name"] for node in region()["nodes"]}
    assert not {p for p in after["nspawn"] - before["nspawn"] if Path(p).name in names}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    require_nodes()
    with machines.passing("lifecycle") as path:
        yield path


@pytest.fixture(scope="module")
def fleet(home: Path) -> Machines:
    return machines.up(region(), home=home)


def boots(fleet: Machines) -> dict[str, str]:
    return {name: fleet.boot_id(name) for name in fleet.nodes}


def test_every_node_is_a_debian_of_its_own(fleet: Machines) -> None:
    keys = "/etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub"
    ask = f"hostname; cat {keys}; id -un; sudo id -u; cat /proc/1/comm"
    seen = {name: fleet.ssh(name, ask).stdout.splitlines() for name in fleet.nodes}
    for name, (host, _, _, login, root, init) in seen.items():
        assert (host, login, root, init) == (name, "admin", "0", "systemd")
    for unique in (1, 2):
        assert len({lines[unique] for lines in seen.values()}) == len(seen)
    assert len(set(boots(fleet).values())) == len(seen)


def test_every_node_finished_booting_without_a_failed_unit(fleet: Machines) -> None:
    for name in fleet.nodes:
        done = fleet.ssh(
            name, "systemctl is-system-running --wait; systemctl --failed --plain --no-legend", 60
        )
        assert done.stdout.splitlines() == ["running"], name


def test_a_blank_node_is_as_debian_ships_it(fleet: Machines) -> None:
    """What hardens is the product: the image must not do its work. And passwords never open a node of EC2."""
    done = fleet.ssh("edge-a-1", "sudo sshd -T; sudo nft list ruleset; ls /etc/apt/apt.conf.d")
    assert "permitrootlogin without-password" in done.stdout
    assert "passwordauthentication no" in done.stdout
    assert "table" not in done.stdout
    assert "99mmdebstrap" not in done.stdout
    for user in ("root", "admin"):
        assert fleet.ssh("edge-a-1", f"sudo passwd -S {user}").stdout.split()[:2] == [user, "L"]


def test_what_is_private_stays_private(fleet: Machines) -> None:
    for name in ("ssh_key", "ledger.jsonl"):
        assert stat.S_IMODE((fleet.home / name).stat().st_mode) == 0o600
    ledger = (fleet.home / "ledger.jsonl").read_text()
    assert "PRIVATE KEY" not in ledger


def test_any_ssh_client_and_ansible_can_use_the_inventory(fleet: Machines) -> None:
    data = yaml.safe_load(fleet.inventory.read_text())
    hosts = data["all"]["children"]["nodes"]["children"]["edge"]["hosts"]
    facts = hosts["edge-a-1"]
    command = ["ssh", "-o", "ControlPath=none", *facts["ansible_ssh_common_args"].split()]
    command += ["-i", facts["ansible_ssh_private_key_file"], f"admin@{facts['ansible_host']}", "hostname"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "edge-a-1", done.stderr


def test_a_host_key_that_is_not_the_nodes_own_is_refused(fleet: Machines) -> None:
    known = fleet.home / "known_hosts"
    right = known.read_text()
    known.write_text(right.replace("app-a-1 ", "edge-a-1 "))
    try:
        assert fleet.ssh("app-a-1", "true").returncode == 255
    finally:
        known.write_text(right)
    assert fleet.ssh("app-a-1", "true").returncode == 0


def test_up_again_changes_nothing(fleet: Machines, home: Path) -> None:
    before = boots(fleet)
    again = machines.up(region(), home=home)
    assert boots(again) == before
    assert machines.states(home) == dict.fromkeys(before, "running")


def test_a_reboot_keeps_the_disk_and_nothing_of_the_network_stack(fleet: Machines) -> None:
    """Rules and sysctls of a namespace would outlive a node's reboot, and a test would believe them."""
    keep = "sudo sysctl -qw net.ipv4.tcp_sack=0; sudo nft add table inet mine; sudo touch /etc/kept"
    assert fleet.ssh("app-a-1", keep).returncode == 0
    before = boots(fleet)
    fleet.reboot("app-a-1")
    after = boots(fleet)
    assert {name for name in before if before[name] != after[name]} == {"app-a-1"}
    ask = "sudo nft list tables; cat /proc/sys/net/ipv4/tcp_sack; ls /etc/kept"
    assert fleet.ssh("app-a-1", ask).stdout.split() == ["1", "/etc/kept"]
    assert fleet.probe("edge-a-1", fleet.nodes["app-a-1"].plan.card.address, "tcp", 8443, 30)


def test_a_node_without_power_is_gone_at_once_and_up_starts_it_again(fleet: Machines, home: Path) -> None:
    before = boots(fleet)
    fleet.ssh("edge-a-1", "sudo touch /etc/kept")
    fleet.power_cut("edge-a-1")
    assert machines.states(home)["edge-a-1"] == "off"
    assert nodes.members(fleet.nodes["edge-a-1"].namespace) == []
    assert fleet.ssh("edge-a-1", "true", 15).returncode == 255
    again = machines.up(region(), home=home)
    after = boots(again)
    assert {name for name in before if before[name] != after[name]} == {"edge-a-1"}
    assert again.ssh("edge-a-1", "ls /etc/kept").returncode == 0


def test_nodes_do_not_share_services(fleet: Machines) -> None:
    """Each has a control group of its own; in a shared one, a unit of one node is a unit of them all."""
    fleet.ssh("app-a-1", "sudo systemctl stop cron")
    assert fleet.ssh("app-a-1", "systemctl is-active cron").stdout.strip() == "inactive"
    assert fleet.ssh("edge-a-1", "systemctl is-active cron").stdout.strip() == "active"
    assert fleet.ssh("edge-a-1", "systemctl show -p MainPID --value cron").stdout.strip() != "0"


def test_a_node_that_left_the_region_is_switched_off_and_a_moved_one_is_new(
    fleet: Machines, home: Path
) -> None:
    less = region()
    less["nodes"] = [n for n in less["nodes"] if n["name"] != "archive-a-1"]
    before = boots(fleet)
    again = machines.up(less, home=home)
    assert set(again.nodes) == {"edge-a-1", "app-a-1"}
    assert not (home / "nodes" / "archive-a-1").exists()
    assert nodes.members(fleet.nodes["archive-a-1"].namespace) == []
    assert boots(again) == {name: before[name] for name in again.nodes}
    back = machines.up(region(), home=home)
    assert back.ssh("archive-a-1", "true").returncode == 0


def test_the_clock_of_the_machine_is_out_of_reach(fleet: Machines) -> None:
    assert fleet.ssh("edge-a-1", "sudo date -s '2001-01-01'").returncode != 0
    assert fleet.ssh("edge-a-1", "date +%Y").stdout.strip() == time.strftime("%Y", time.gmtime())
    assert fleet.ssh("edge-a-1", "pgrep -a chronyd").stdout.count(" -x") >= 1


def test_down_leaves_nothing_and_says_what_it_removed() -> None:
    require_nodes()
    with machines.passing("down") as home:
        before = traces(home)
        fleet = machines.up(region(), home=home)
        # A shared connection that a user left open must not survive either.
        held = ["ssh", "-F", str(home / "ssh_config"), "edge-a-1", "true"]
        assert subprocess.run(held, capture_output=True, timeout=120, check=False).returncode == 0
        assert fleet.ssh("app-a-1", "sudo chattr +i /etc/hosts").returncode == 0
        removed = machines.down(home=home)
        assert "process node edge-a-1" in removed
        nothing_left(home, before)
        assert not list((home / "nodes").glob("*"))
        assert machines.down(home=home) == []


UP = """
import json, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from twin import machines
machines.up(json.loads({region!r}), home=Path({home!r}))
"""


@pytest.mark.parametrize(
    "moment",
    [
        '"kind": "netns"',
        '"name": "package relay"',
        "/nodes/app-a-1",
        '"name": "node edge-a-1"',
        '"pid": .*"node archive-a-1"',
        "known_hosts",
    ],
)
def test_killed_in_the_middle_nothing_is_left_after_a_sweep(moment: str) -> None:
    require_nodes()
    with machines.passing("killed") as home:
        before = traces(home)
        text = UP.format(root=str(ROOT), region=json.dumps(region()), home=str(home))
        victim = subprocess.Popen([sys.executable, "-c", text], cwd=ROOT)
        try:
            _until_recorded(home, moment.split(".*"), victim)
        finally:
            victim.send_signal(signal.SIGKILL)
            victim.wait()
        sweep(Ledger(home))
        nothing_left(home, before)
        assert sweep(Ledger(home)) == []


def _until_recorded(home: Path, words: list[str], process: subprocess.Popen[bytes]) -> None:
    """Wait until a line of the ledger (or its directory) tells that the run got this far."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        lines = (home / "ledger.jsonl").read_text().splitlines() if (home / "ledger.jsonl").exists() else []
        if any(all(word in line for word in words) for line in lines):
            return
        time.sleep(0.01)
    assert process.poll() is None, "the run ended before it was killed"
    pytest.fail(f"never saw {words}")


def test_after_a_kill_up_simply_goes_on() -> None:
    require_nodes()
    with machines.passing("resumed") as home:
        text = UP.format(root=str(ROOT), region=json.dumps(region()), home=str(home))
        victim = subprocess.Popen([sys.executable, "-c", text], cwd=ROOT)
        _until_recorded(home, ['"name": "node edge-a-1"'], victim)
        victim.kill()
        victim.wait()
        fleet = machines.up(region(), home=home)
        assert all(boots(fleet).values())


def test_a_name_that_is_no_node_is_one_clear_line(fleet: Machines) -> None:
    with pytest.raises(Fault, match=r"node 'edge-z-9' is not here.*one of app-a-1"):
        fleet.ssh("edge-z-9", "true")
