"""`python -m storage handover STACK CUSTOMER [--out FOLDER]`: documents for a customer's own account."""

from __future__ import annotations

import argparse
from pathlib import Path

import fault
import settings
from storage import handover

ROOT = Path(__file__).resolve().parents[1]


def run() -> int:
    """Write the hand-over's files, or print the page; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m storage", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("handover", help="documents for a customer's own account")
    verb.add_argument("stack")
    verb.add_argument("customer")
    verb.add_argument("--out", type=Path, help="folder to write to; without it the page is printed")
    asked = parser.parse_args()
    files = handover.files(settings.load(asked.stack, ROOT), asked.stack, asked.customer)
    if asked.out is None:
        print(files["README.md"], end="")
        return 0
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (asked.out / name).write_text(text)
        print(asked.out / name)
    return 0


if __name__ == "__main__":
    fault.main(run)
