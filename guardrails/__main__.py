"""`python -m guardrails --stack STACK PLAN`: judge what `pulumi preview --json` printed.

Exit codes: 0 every gate is open, 1 one is closed, 2 wrong use.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import settings
from fault import CONTROL_FAILED, GOOD, main
from guardrails import bounds_of, gates, preview_plan

ROOT = Path(__file__).resolve().parents[1]


def command() -> int:
    """Read the plan, judge it, print a line for each gate that is closed."""
    parser = argparse.ArgumentParser(prog="python -m guardrails", description=__doc__)
    parser.add_argument("--stack", required=True, help="whose bounds hold: Pulumi.<stack>.yaml")
    parser.add_argument("plan", type=Path, help="what `pulumi preview --json` printed")
    options = parser.parse_args()
    stated = settings.load(options.stack, ROOT).model_dump(mode="json", by_alias=True)
    judged = gates(preview_plan.read(options.plan), bounds_of(stated))
    closed = [gate for gate in judged if not gate.open]
    for gate in closed:
        for finding in gate.findings:
            print(f"closed: {finding}", file=sys.stderr)
    print(f"{len(judged)} gates, {len(closed)} closed")
    return CONTROL_FAILED if closed else GOOD


if __name__ == "__main__":
    main(command)
