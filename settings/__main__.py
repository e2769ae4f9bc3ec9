"""`python -m settings check STACK` and `python -m settings schema`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import fault
from settings.schema import stack_schema
from settings.stack import load


def _check(stack: str) -> int:
    settings = load(stack, Path.cwd())
    nodes = sum(role.count for role in settings.server_roles.values())
    print(
        f"{stack}: good; {settings.region}, {len(settings.zones)} zones, {len(settings.vpcs)} VPCs, "
        f"{nodes} nodes, {len(settings.sites)} sites, {len(settings.firewall)} firewall rules"
    )
    return fault.GOOD


def _schema() -> int:
    print(json.dumps(stack_schema(), indent=2))
    return fault.GOOD


def run(arguments: list[str] | None = None) -> int:
    """Run one command; argparse exits with 2 on wrong use."""
    parser = argparse.ArgumentParser(prog="python -m settings", description="Check the settings of a stack.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="report every problem of a stack file, one line each")
    check.add_argument("stack", help="the <stack> of Pulumi.<stack>.yaml")
    commands.add_parser("schema", help="print the JSON schema of stack files")
    given = parser.parse_args(arguments)
    return _check(given.stack) if given.command == "check" else _schema()


if __name__ == "__main__":
    fault.main(run)
