"""`python -m twin up | preview | harden | verify | demo | ssh | status | down`: the region in a box."""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fault
from report import summary
from report.model import Report
from twin import ledger
from twin.progress import Progress

ROOT = Path(__file__).resolve().parent.parent


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m twin", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    about = {
        "demo": "provision, boot, harden, verify, report; leaves the region up",
        "up": "provision the emulated region and boot its nodes, not hardened",
        "preview": "what up would do, judged by the guardrails",
    }
    for name, text in about.items():
        its = commands.add_parser(name, help=text)
        its.add_argument("--stack", required=True)
        if name != "preview":
            which = "boot only these nodes of the region: names, patterns, roles, e.g. 'edge-a-*,archive'"
            its.add_argument("--nodes", metavar="WORDS", help=which)
    commands.add_parser("harden", help="run the hardening playbooks over the nodes that are up")
    commands.add_parser("verify", help="verify region and nodes, write the report")
    commands.add_parser("down", help="remove everything the twin started, also after a crash")
    commands.add_parser("status", help="what is up")
    ssh = commands.add_parser("ssh", help="a shell on a node, from the NOC")
    ssh.add_argument("node", nargs="?", default="")
    ssh.add_argument("remote", nargs=argparse.REMAINDER)
    return parser.parse_args()


def demo(stack: str, progress: Progress, nodes: str | None = None) -> int:
    """The main job. 0 only if every control passes, is waived or is not applicable."""
    from twin import demo as job  # noqa: PLC0415 - `down` and `ssh` start without loading an AWS SDK
    from twin import machines  # noqa: PLC0415

    started = time.monotonic()
    obstacle = machines.obstacle()
    if obstacle:
        print(f"REGION ONLY: {obstacle}; the AWS half runs without nodes")
    job.up(stack, progress, nodes)
    if not obstacle:
        job.harden(progress, fresh=True)
    code = job.verify(progress, obstacle)
    report = ledger.build() / "report"
    print()
    summary.show(Report.load(report / "results.json"))
    _next(report, bool(obstacle), time.monotonic() - started)
    if obstacle:
        print(f"REGION ONLY: {obstacle}; no node was booted, hardened or verified")
    return code


def _next(report: Path, region_only: bool, seconds: float) -> None:
    """What the user can do now; the total time stands above it."""
    home = ledger.build() / "twin"
    print(f"\nDone in {seconds:.0f} s. The region is up:")
    print(f"  report    {report / 'index.html'}")
    print(f"  AWS       . {home / 'aws.env'}   then any AWS client")
    if not region_only:
        print("  node      make ssh NODE=edge-a-1")
        print(f"  playbook  build/venv/bin/ansible-playbook -i {home / 'inventory.yml'} playbooks/harden.yml")
    print("  end       make down")


def ssh(node: str, remote: list[str]) -> int:
    """Become ssh to the node; only returns on a fault."""
    config = ledger.build() / "twin" / "ssh_config"
    if not config.exists():
        raise fault.Fault("no nodes are up", "ssh needs a node", "`make demo` or `make up` first")
    known = [line.split()[1] for line in config.read_text().splitlines() if line.startswith("Host ")]
    if node not in known:
        choice = ", ".join(name for name in known if "*" not in name)
        raise fault.Fault(f"node '{node}' is not up", "a node is named by the region", f"one of {choice}")
    os.execvp("ssh", ["ssh", "-F", str(config), node, *remote])  # noqa: S606 - replaces this process
    return fault.GOOD


def status() -> int:
    """Print what is up."""
    from twin import account, machines  # noqa: PLC0415

    running = account.find(ledger.build())
    if running is None:
        print("nothing is up")
        return fault.GOOD
    print(f"{running.stack} in {running.region}: account {running.id} at {running.endpoint}")
    for name, state in sorted(machines.states().items()):
        print(f"  {name:<18} {state}")
    return fault.GOOD


def down(progress: Progress) -> int:
    """End nodes, wires, services and the account; whatever a crash left goes too."""
    with progress.phase("Down") as phase:
        removed = ledger.sweep(progress)
        phase.note = f"{len(removed)} things removed" if removed else "nothing was up"
    return fault.GOOD


@contextmanager
def alone() -> Iterator[None]:
    """One command at a time changes the twin; a second one is refused, not queued."""
    home = ledger.build()
    home.mkdir(parents=True, exist_ok=True)
    with (home / "twin.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise fault.Fault(
                "another command is changing the twin", "one at a time", "wait for it, or end it"
            ) from error
        yield


def command() -> int:
    """Run what the command line says; a full disk is one line, as every problem is."""
    wanted = arguments()
    progress = Progress()
    if wanted.command == "ssh":
        return ssh(wanted.node, wanted.remote)
    if wanted.command == "status":
        return status()
    try:
        with alone():
            return _change(wanted, progress)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        where = error.filename or ledger.build()
        raise fault.Fault(
            f"{where}: disk full", "a region needs about 2 GB", "make room, `make down`"
        ) from error


def _change(wanted: argparse.Namespace, progress: Progress) -> int:
    if wanted.command == "down":
        return down(progress)
    from twin import demo as job  # noqa: PLC0415

    if wanted.command == "demo":
        return demo(wanted.stack, progress, wanted.nodes)
    if wanted.command == "preview":
        return job.preview(wanted.stack, progress)
    if wanted.command == "up":
        obstacle = job.up(wanted.stack, progress, wanted.nodes)
        if obstacle:
            print(f"REGION ONLY: {obstacle}", file=sys.stderr)
        return fault.GOOD
    if wanted.command == "harden":
        job.harden(progress)
        return fault.GOOD
    code = job.verify(progress)
    summary.show(Report.load(ledger.build() / "report" / "results.json"))
    return code


if __name__ == "__main__":
    fault.main(command)
