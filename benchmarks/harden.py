"""How fast nodes are hardened, beside other ways of doing the same to the same node in the same run.

    python -m benchmarks.harden [--nodes 5] [--out docs/generated/benchmarks-harden.md]

One node is hardened when it is fresh and again when nothing is left to do; then several at once. Beside
it, on the same hardened node: our roles by mitogen's own strategy, by plain ssh, and a play of 190
trivial tasks, which is what a well-known role costs in Ansible alone. A second says as much about the
machine and its load as about the code: read the ratios. CPU is the controller's with its ssh processes,
without the nodes'. The package cache is warm when nodes have been hardened here before.
"""

from __future__ import annotations

import argparse
import importlib.util
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.region import Row, table
from twin import ledger
from twin.machines import lone
from twin.play import ansible_environment

ROOT = Path(__file__).resolve().parents[1]
TRIVIAL = 190  # tasks of dev-sec's os_hardening on Debian 12, measured for issue 4 (2026-11)
GOALS = {"fresh": 30.0, "unchanged": 6.0, "at once": 6.0}
"""Issue 4: seconds of one fresh node, seconds of one unchanged node, 20 nodes at once in nodes' times."""


@dataclass(frozen=True)
class Run:
    """One run of a playbook: seconds, the controller's CPU seconds, and how many tasks changed something."""

    seconds: float
    cpu: float
    changed: int


def recap(output: str) -> int:
    """How many tasks changed something on all nodes; raises ValueError without a recap or with a failure."""
    counts = re.findall(r"changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", output)
    if not counts or any(int(lost) or int(failed) for _, lost, failed in counts):
        raise ValueError(f"a benchmark of a run that is not good says nothing:\n{output[-2000:]}")
    return sum(int(changed) for changed, _, _ in counts)


def verdicts(fresh: float, again: float, changed: int, many: float, nodes: int) -> list[str]:
    """A line per goal: wanted, measured, met or missed. `again` and `many` are unchanged runs."""
    said = {True: "met", False: "missed"}
    seconds, calm, most = GOALS["fresh"], GOALS["unchanged"], GOALS["at once"]
    few = "" if nodes >= 20 else " (the goal is stated for 20)"
    return [
        f"- a fresh node under {seconds:.0f} s: {fresh:.1f} s, {said[fresh < seconds]}",
        f"- unchanged under {calm:.0f} s: {again:.1f} s, {said[again < calm]}",
        f"- unchanged changes nothing: {changed} changed, {said[changed == 0]}",
        f"- {nodes} nodes in at most {most:.0f} times one{few}: {many / again:.1f} times, "
        f"{said[many <= most * again]}",
    ]


def play(book: str, inventory: Path, **environment: str) -> Run:
    """Run a playbook over the inventory's nodes, all at once."""
    argv = [sys.executable, "-m", "playbooks", "-i", str(inventory), book]
    argv += ["-e", json.dumps({"harden_batches": ["100%"]})]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        argv,
        cwd=ROOT,
        env={**ansible_environment(), "ANSIBLE_NOCOLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, cpu, recap(done.stdout + done.stderr))


def trivial() -> list[dict[str, Any]]:
    """A play of tasks that find a file as it is."""
    task = {"ansible.builtin.file": {"path": "/etc/passwd", "owner": "root", "mode": "0644"}}
    return [{"hosts": "nodes", "gather_facts": False, "tasks": [task] * TRIVIAL}]


def mitogens_own() -> dict[str, str]:
    """The environment for mitogen's own linear strategy."""
    found = importlib.util.find_spec("ansible_mitogen")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("mitogen is not installed; this compares with it; ./bootstrap installs it")
    plugins = Path(found.submodule_search_locations[0]) / "plugins" / "strategy"
    return {"ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": str(plugins)}


def one_node(folder: Path) -> tuple[list[Row], Run, Run]:
    """Rows of one node, and its fresh and unchanged run."""
    book = folder / "trivial.yml"
    book.write_text(json.dumps(trivial()))
    with lone("bench-one") as node:
        hosts, ours = node.inventory_file, "playbooks/harden.yml"
        fresh, _, again = play(ours, hosts), play(ours, hosts), play(ours, hosts)
        others = {
            "1 node unchanged, mitogen's own strategy": play(ours, hosts, **mitogens_own()),
            "1 node unchanged, plain ssh": play(ours, hosts, ANSIBLE_STRATEGY="linear"),
            f"{TRIVIAL} trivial tasks, mitogen's own strategy": play(str(book), hosts, **mitogens_own()),
        }
    name = "1 node unchanged"
    rows = [Row("1 node fresh", fresh.seconds, "s"), Row("1 node fresh: CPU", fresh.cpu, "s")]
    for what, run in others.items():
        rows += [Row(what, run.seconds, "s"), Row(f"{what}: CPU", run.cpu, "s")]
    for what in others:
        rows += [Row(name, again.seconds, "s", what), Row(f"{name}: CPU", again.cpu, "s", f"{what}: CPU")]
    return rows, fresh, again


def measure(nodes: int) -> str:
    """The table and the verdicts."""
    with tempfile.TemporaryDirectory(prefix="stockade-harden-") as folder:
        rows, fresh, again = one_node(Path(folder))
    with lone("bench-many", count=nodes) as many:
        hosts = many.inventory_file
        all_fresh, _, all_again = (play("playbooks/harden.yml", hosts) for _ in range(3))
    rows += [
        Row(f"{nodes} nodes fresh, at once", all_fresh.seconds, "s", "1 node fresh"),
        Row(f"{nodes} nodes unchanged, at once", all_again.seconds, "s", "1 node unchanged"),
        Row(f"{nodes} nodes unchanged, at once: CPU", all_again.cpu, "s", "1 node unchanged: CPU"),
    ]
    changed = again.changed + all_again.changed
    lines = verdicts(fresh.seconds, again.seconds, changed, all_again.seconds, nodes)
    return table(rows) + "\n" + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=5, help="how many at once; the goal is stated for 20")
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stockade-benchmark-") as build:
        os.environ["STOCKADE_BUILD"] = build
        try:
            text = measure(wanted.nodes)
        finally:
            ledger.sweep()
            shutil.rmtree(build, ignore_errors=True)
    machine = (
        f"{os.cpu_count()} cores, Linux {platform.release()}, load {os.getloadavg()[2]:.1f} over 15 minutes"
    )
    print(text)
    if wanted.out:
        wanted.out.write_text(
            f"# Hardening, measured\n\n`python -m benchmarks.harden` on {machine}.\n\n{text}"
        )


if __name__ == "__main__":
    main()
