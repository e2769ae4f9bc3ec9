"""One clear line for a person, and a documented exit code, whenever a command cannot go on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

GOOD, CONTROL_FAILED, WRONG_USE, UNREACHABLE = 0, 1, 2, 3


@dataclass
class Fault(Exception):
    """A problem the user can act on: what is wrong (with the value), the rule it breaks, and the fix.

    `code` is the exit code: 1 a control failed, 2 wrong use or configuration, 3 a subject out of reach.
    """

    problem: str
    rule: str
    fix: str
    code: int = WRONG_USE

    def __str__(self) -> str:
        return f"{self.problem}; {self.rule}; {self.fix}"


def main(command: Callable[[], int]) -> None:
    """Run a command's body; a Fault becomes its one line on stderr and its exit code."""
    try:
        code = command()
    except Fault as fault:
        print(f"error: {fault}", file=sys.stderr)
        code = fault.code
    except KeyboardInterrupt:
        print(
            "error: interrupted; what was started is in build/twin/ledger.jsonl; `make down` removes it",
            file=sys.stderr,
        )
        code = 130
    raise SystemExit(code)
