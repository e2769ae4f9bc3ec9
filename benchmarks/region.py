"""How long the main job's phases take and what they cost, each beside something measured in the same run.

    python -m benchmarks.region [--stack in-mumbai] [--out docs/generated/benchmarks.md]

A number alone says as much about the machine as about the code; so a row has a ratio to another row of
the same run. Uses a build directory of its own and removes what it started.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import testinfra
from testinfra.host import Host

from twin import account, demo, ledger, machines
from twin.progress import Progress
from verify.fleet import read_contract, read_fleet
from verify.inventories import read_inventory
from verify.session import Reach

CHECKS = 100


@dataclass(frozen=True)
class Row:
    """One measurement. `beside` names the row it is compared with."""

    what: str
    value: float
    unit: str
    beside: str = ""


def measure(stack: str) -> list[Row]:
    """Run the main job once cold and once more, and time each phase."""
    progress = Progress(io.StringIO())
    demo.up(stack, progress)
    demo.harden(progress, fresh=True)
    code = demo.verify(progress)
    if code:
        raise SystemExit(
            f"the region is not good (exit code {code}); a benchmark of a broken run says nothing"
        )
    first = {phase.title: phase.seconds or 0.0 for phase in progress.phases}
    again = Progress(io.StringIO())
    demo.up(stack, again)
    demo.harden(again)
    second = {phase.title: phase.seconds or 0.0 for phase in again.phases}
    nodes = len(machines.states())
    rows = [Row(f"{title}, first", seconds, "s", "") for title, seconds in first.items()]
    rows += [
        Row("Provision region, unchanged", second["Provision region"], "s", "Provision region, first"),
        Row("Boot nodes, already up", second["Boot nodes"], "s", "Boot nodes, first"),
        Row(f"Harden, unchanged ({nodes} nodes in batches)", second["Harden"], "s", "Harden, first"),
        Row("Harden per node, first", first["Harden"] / nodes, "s", "Harden, first"),
        Row("Verify per node and region", first["Verify"] / (nodes + 1), "s", "Verify, first"),
    ]
    return rows + lookups(stack) + memory()


def lookups(stack: str) -> list[Row]:
    """The same look-ups over our channel and over testinfra's own ssh backend, on one node."""
    home = ledger.build() / "twin"
    fleet = read_fleet(read_contract(demo.contract_path(stack)), read_inventory(home / "inventory.yml"))
    node = next(iter(fleet.nodes))
    reach = Reach(fleet)
    plain = testinfra.get_host(f"ssh://{node}", ssh_config=str(home / "ssh_config"), sudo=True)
    try:
        ours, theirs = f"{CHECKS} look-ups, one channel", f"{CHECKS} look-ups, testinfra over ssh"
        return [
            Row(theirs, timed(lambda: look_up(plain)), "s"),
            Row(ours, timed(lambda: look_up(reach.host(node))), "s", theirs),
        ]
    finally:
        reach.close()


def look_up(host: Host) -> None:
    for _ in range(CHECKS):
        assert host.run("stat -c %a /etc/passwd").stdout.strip() == "644"


def timed(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def memory() -> list[Row]:
    """Memory of the emulated account and of the nodes (proportional set size: shared pages count once)."""
    books = ledger.twin()
    running = account.find(ledger.build())
    assert running is not None
    rows = [Row("emulated account", pss(psutil.Process(running.pid)), "MB")]
    per_node = []
    for name in machines.states():
        top = books.running(f"node {name}")
        if top is not None:
            per_node.append(sum(pss(process) for process in [top, *top.children(recursive=True)]))
    if per_node:
        rows.append(Row("a node, mean", sum(per_node) / len(per_node), "MB", "emulated account"))
    return rows


def pss(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 2**20
    except psutil.Error:
        return 0.0


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    known = {row.what: row.value for row in rows}
    lines = ["| what | measured | compared with |", "| --- | ---: | --- |"]
    for row in rows:
        ratio = f"{row.value / known[row.beside]:.2f} of {row.beside}" if row.beside else ""
        lines.append(f"| {row.what} | {row.value:.1f} {row.unit} | {ratio} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="in-mumbai")
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stockade-benchmark-") as build:
        os.environ["STOCKADE_BUILD"] = build
        try:
            text = table(measure(wanted.stack))
        finally:
            ledger.sweep()
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
    head = f"# Benchmarks\n\n`python -m benchmarks.region` on {machine}.\n\n"
    print(text)
    if wanted.out:
        wanted.out.write_text(head + text)


if __name__ == "__main__":
    main()
