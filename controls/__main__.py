"""`python -m controls claim` writes into each control file which tests claim it; `check` names loose ends."""

from __future__ import annotations

import sys
from pathlib import Path

import fault
from controls import claims, frameworks, rows
from controls.model import load

ROOT = Path(__file__).resolve().parents[1]
USAGE = "usage: python -m controls claim | check"


def run(arguments: list[str]) -> int:
    """The command's body. Exit code 1 when a control, claim, clause, reference or row is an orphan."""
    if arguments not in (["claim"], ["check"]):
        print(USAGE, file=sys.stderr)
        return fault.WRONG_USE
    if arguments == ["claim"]:
        changed = claims.write(ROOT, load(ROOT))
        print(f"{len(changed)} control files changed")
    catalogue = load(ROOT)
    lines = claims.orphans(ROOT, catalogue)
    lines += frameworks.loose(frameworks.load(ROOT), frameworks.load_sources(ROOT), catalogue)
    lines += rows.loose_rows(rows.load_rows(ROOT), catalogue)
    for line in lines:
        print(line, file=sys.stderr)
    return fault.CONTROL_FAILED if lines else fault.GOOD


if __name__ == "__main__":
    fault.main(lambda: run(sys.argv[1:]))
