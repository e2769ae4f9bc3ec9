"""`python -m verify waivers | accept | drift`: what is accepted, and what differs from it.

The verification itself is pytest's: `pytest tests/nodes tests/cloud --region … --inventory …`.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import fault
from controls.model import load as load_catalogue
from controls.waivers import load_waivers

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "build" / "report" / "results.json"


class _Parser(argparse.ArgumentParser):
    """Wrong use is one line, as every other problem."""

    def error(self, message: str) -> NoReturn:
        raise fault.Fault(f"{self.prog}: {message}", self.usage_rule(), "see --help")

    def usage_rule(self) -> str:
        return " ".join(self.format_usage().split())


def arguments(given: list[str] | None) -> argparse.Namespace:
    """The command line. Raises Fault for wrong use."""
    parser = _Parser(prog="python -m verify", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    waivers = commands.add_parser("waivers", help="every waiver with the days it has left")
    waivers.add_argument("--controls", type=Path, default=ROOT, help="folder that holds controls/")
    accept = commands.add_parser("accept", help="make the last run the one that later runs are compared with")
    accept.add_argument("--reason", default="", help="why a run with failures is accepted")
    drift = commands.add_parser("drift", help="verify, compare with the accepted run, ask the roles as well")
    drift.add_argument("suites", nargs="*", help="default: tests/nodes, and tests/cloud with --aws-env")
    for name in ("--region", "--inventory", "--aws-env"):
        drift.add_argument(name, type=Path, help="as for the verification")
    drift.add_argument(
        "--playbook", type=Path, default=ROOT / "playbooks/harden.yml", help="the roles that are asked"
    )
    for command in (accept, drift):
        command.add_argument("--results", type=Path, default=RESULTS, help="results.json of the last run")
    return parser.parse_args(given)


def waivers(root: Path, now: datetime) -> int:
    """Print every waiver, the next to end first; 1 when one is over."""
    found = sorted(load_waivers(root, load_catalogue(root)), key=lambda waiver: waiver.expires)
    if not found:
        print("no waiver is recorded")
    for waiver in found:
        days = waiver.days_left(now)
        left = "OVER" if waiver.expired(now) else "ends today" if days == 0 else f"{days} days left"
        what = f"{waiver.expires:%Y-%m-%d %H:%M %Z}  {waiver.control} on {waiver.subject}"
        who = f"owner {waiver.owner}, approver {waiver.approver}, {waiver.ticket}"
        print(f"{waiver.id}  {left:<13} {what}; {who}; {waiver.reason}; risk: {waiver.risk}")
    return fault.CONTROL_FAILED if any(waiver.expired(now) for waiver in found) else fault.GOOD


def accept(results: Path, reason: str) -> int:
    """Accept the last run and say which."""
    from verify.accepted import accept as keep  # noqa: PLC0415 - the waivers are listed without the reports

    kept = keep(results, reason)
    pairs = sum(len(subjects) for subjects in kept.outcomes.values())
    print(f"accepted: the run of {kept.started:%Y-%m-%d %H:%M %Z}, {kept.scope}, {pairs} outcomes")
    return fault.GOOD


def command(given: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    wanted = arguments(given)
    if wanted.command == "waivers":
        return waivers(wanted.controls, datetime.now(UTC))
    if wanted.command == "accept":
        return accept(wanted.results, wanted.reason)
    from verify.drift import Wanted, detect  # noqa: PLC0415 - loads Ansible

    return detect(
        Wanted(
            results=wanted.results,
            region=wanted.region,
            inventory=wanted.inventory,
            aws_env=wanted.aws_env,
            suites=tuple(wanted.suites),
            playbook=wanted.playbook,
        )
    )


if __name__ == "__main__":
    fault.main(command)
