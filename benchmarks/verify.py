"""How fast nodes are verified, beside other ways of asking the same node the same things in the same run.

    python -m benchmarks.verify [--nodes 100] [--at-once 8] [--out docs/generated/benchmarks-verify.md]

One real node is booted and hardened; a fleet is many channels to it, so the node's own work is part of every
number and the fleet's time is an upper bound. A number says as much about the machine as about the code: read
the ratios. CPU is that of the verifier with its ssh processes, without the node's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import testinfra
import yaml
from testinfra.host import Host

from benchmarks.region import Row, table
from settings import parse
from tests.e2e import scap
from twin import ledger
from twin.machines import Lone, lone, sketch
from twin.machines.scratch import NODE, SETTINGS
from twin.play import ansible_environment
from verify.fleet import read_fleet
from verify.inventories import read_inventory
from verify.session import Reach

ROOT = Path(__file__).resolve().parents[1]
CHECKS = 300
SUITE = f"""
import pytest
ALL = [pytest.param(n, marks=pytest.mark.control(f"STK-SSH-{{n:03d}}")) for n in range(1, {CHECKS + 1})]

@pytest.mark.parametrize("n", ALL)
def test_mode(host, n):
    assert host.file("/etc/passwd").mode == 0o644
"""
SCANNER = f"""
i=0; while [ $i -lt {CHECKS} ]; do [ "$(stat -c %a /etc/passwd)" = 644 ] || exit 1; i=$((i+1)); done
"""


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds in all, seconds until the last node was through (without pytest's own start and the
    report), CPU seconds, and memory of the largest process (MB)."""

    seconds: float
    nodes: float
    cpu: float
    memory: float


@dataclass
class Bench:
    """A node, and a suite of CHECKS trivial controls."""

    node: Lone
    home: Path

    def prepare(self) -> None:
        """Write suite and catalogue."""
        (self.home / "suite").mkdir()
        (self.home / "suite" / "test_it.py").write_text(SUITE)
        (self.home / "conftest.py").write_text('pytest_plugins = ["verify.plugin"]\n')
        folder = self.home / "controls" / "catalogue" / "node"
        folder.mkdir(parents=True)
        for number in range(1, CHECKS + 1):
            control = {
                "id": f"STK-SSH-{number:03d}",
                "title": "Accounts are changed by root only",
                "why": "This control exists to be measured, nothing else.",
                "severity": "low",
                "layer": "os",
                "applies_to": ["nodes"],
                "rows": ["M5"],
                "provided_by": "roles/users",
                "evidence": "the mode of one file",
                "rollback": "nothing is changed, so nothing goes back",
            }
            (folder / f"{control['id']}.yaml").write_text(yaml.safe_dump(control))

    def fleet(self, size: int) -> list[str]:
        """Arguments for a fleet of so many names that all lead to the node."""
        contract = sketch.region(parse(SETTINGS), "lone")
        one = next(node for node in contract["nodes"] if node["name"] == NODE)
        names = [f"edge-a-{number}" for number in range(1, size + 1)]
        contract["nodes"] = [{**one, "name": name} for name in names]
        (self.home / "region.json").write_text(json.dumps(contract))
        reach = read_inventory(self.node.inventory_file)[NODE]
        # As plain text: Ansible's own strings carry tags, which a YAML writer does not know.
        plain = {str(k): str(v) for k, v in reach.items() if k.startswith("ansible_") and isinstance(v, str)}
        hosts = {name: dict(plain) for name in names}
        (self.home / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
        return ["--region", str(self.home / "region.json"), "--inventory", str(self.home / "hosts.yml")]

    def verify(self, size: int, at_once: int, real: bool) -> Cost:
        """What a run costs, which must be good."""
        argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *self.fleet(size)]
        argv += ["--results", str(self.home / "report" / "results.json"), "--at-once", str(at_once)]
        controls = ["--controls", str(self.home), "--rootdir", str(self.home), str(self.home / "suite")]
        argv += ["tests/nodes"] if real else controls
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(f"a benchmark of a run that is not good says nothing:\n{done.stdout[-2000:]}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        took = [float(found) for found in re.findall(r"\[ *([0-9.]+) s\] verify:", done.stderr)]
        return Cost(seconds, max(took), cpu, after.ru_maxrss / 1024)


def timed(work: Callable[[], Any]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def look_up(host: Host) -> None:
    for _ in range(CHECKS):
        assert host.file("/etc/passwd").mode == 0o644


def one_node(bench: Bench) -> list[Row]:
    """The same look-ups in several ways."""
    node, config = bench.node, str(bench.node.ssh_config)
    contract = sketch.region(parse(SETTINGS), "lone")
    reach = Reach(read_fleet(contract, read_inventory(node.inventory_file)))
    plain = testinfra.get_host(f"ssh://{NODE}", ssh_config=config, sudo=True)  # with the twin's ControlPath
    theirs, scanner = f"{CHECKS} look-ups, plain testinfra, ControlPath", f"{CHECKS} look-ups, shell scanner"
    try:
        rows = [
            Row(theirs, timed(lambda: look_up(plain)), "s"),
            Row(scanner, timed(lambda: node.sudo(SCANNER)), "s", theirs),
            Row(f"{CHECKS} look-ups, our channel", timed(lambda: look_up(reach.host(NODE))), "s", theirs),
        ]
    finally:
        reach.close()
    run = bench.verify(1, 1, real=False)
    rows += [
        Row(f"{CHECKS} controls on a node, results and evidence", run.nodes, "s", theirs),
        Row("that run with pytest's start and the report", run.seconds, "s", theirs),
        Row("CPU of that run", run.cpu, "s"),
        Row("memory of that run", run.memory, "MB"),
        Row("tests/nodes on a node", bench.verify(1, 1, real=True).nodes, "s", theirs),
    ]
    return rows + openscap(node, theirs)


def openscap(node: Lone, beside: str) -> list[Row]:
    """`oscap` on the same node, with the newest content; no row where its packages are not to be had."""
    try:
        scap.prepare(node)
    except (OSError, AssertionError, subprocess.SubprocessError) as error:
        print(f"without OpenSCAP: {str(error).splitlines()[0][:200]}", file=sys.stderr)
        return []
    judged: list[int] = []
    seconds = timed(lambda: judged.append(len(scap.judge(node, "enhanced").results)))
    return [Row(f"OpenSCAP, {judged[0]} rules of ANSSI BP-028 enhanced", seconds, "s", beside)]


def many_nodes(bench: Bench, size: int, at_once: int) -> list[Row]:
    """A fleet, and how its cost grows."""
    few = max(1, size // 10)
    small = bench.verify(few, at_once, real=False)
    large = bench.verify(size, at_once, real=False)
    names = [f"{number} nodes, {CHECKS} controls each, {at_once} at once" for number in (few, size)]
    rows = []
    for name, run, beside in zip(names, (small, large), ("", names[0]), strict=True):
        rows += [
            Row(name, run.seconds, "s", beside),
            Row(
                f"{name}: CPU of the verifier",
                run.cpu,
                "s",
                f"{beside}: CPU of the verifier" if beside else "",
            ),
            Row(f"{name}: memory", run.memory, "MB", f"{beside}: memory" if beside else ""),
        ]
    return rows


def measure(size: int, at_once: int) -> list[Row]:
    """Boot and harden a node, then measure."""
    with lone("benchmark") as node, tempfile.TemporaryDirectory(prefix="stockade-verify-") as folder:
        argv = [sys.executable, "-m", "ansible", "playbook", "-i", str(node.inventory_file)]
        subprocess.run(
            [*argv, "playbooks/harden.yml"],
            cwd=ROOT,
            env=ansible_environment(),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        bench = Bench(node, Path(folder))
        bench.prepare()
        return one_node(bench) + many_nodes(bench, size, at_once)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=8, help="an sshd takes 10 logins at a time")
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stockade-benchmark-") as build:
        os.environ["STOCKADE_BUILD"] = build
        try:
            text = table(measure(wanted.nodes, wanted.at_once))
        finally:
            ledger.sweep()
            shutil.rmtree(build, ignore_errors=True)
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}, load {os.getloadavg()[1]:.0f} at the end"
    print(text)
    if wanted.out:
        wanted.out.write_text(
            f"# Verification, measured\n\n`python -m benchmarks.verify` on {machine}.\n\n{text}"
        )


if __name__ == "__main__":
    main()
