"""`python -m scans`: every scan, recorded in build/scans/scans.json; `write`: licence page and baseline."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import fault
from scans import exceptions, tools
from scans.record import RECORD, Record, fingerprint

ROOT = Path(__file__).resolve().parents[1]
USAGE = "usage: python -m scans [write]"


def run(arguments: list[str]) -> int:
    """The command's body: 1 when a scan found something; one that could not be carried out is told."""
    if arguments == ["write"]:
        page = tools.licence_page(tools.installed(ROOT), exceptions.load(ROOT).licences)
        (ROOT / "docs" / "generated" / "licences.md").write_text(page)
        (ROOT / ".secrets.baseline").write_text(tools.baseline(ROOT))
        return fault.GOOD
    if arguments:
        print(USAGE, file=sys.stderr)
        return fault.WRONG_USE
    record = ROOT / RECORD
    record.parent.mkdir(parents=True, exist_ok=True)
    record.unlink(missing_ok=True)
    files = fingerprint(ROOT)
    with ThreadPoolExecutor(2) as pool:
        found = tuple(pool.map(lambda name: tools.run(name, ROOT, record.parent), tools.SCANS))
    made = Record(made=datetime.now(UTC), files=files, outcomes=found)
    record.write_text(made.model_dump_json(by_alias=True, indent=1) + "\n")
    for outcome in found:
        print(f"{outcome.scan}: {outcome.status} ({outcome.tool}, {outcome.seconds} s)")
        for line in outcome.findings:
            print(f"  {line}", file=sys.stderr)
    return fault.CONTROL_FAILED if any(one.status == "found" for one in found) else fault.GOOD


if __name__ == "__main__":
    fault.main(lambda: run(sys.argv[1:]))
