"""Reading feeds of hostile addresses into indicators for a stack file.

    python -m detection.indicators FILE… --source "CERT-In advisory 2026-11" [--days 90]

A feed is a plain list (one address or range a line, `#` begins a comment) or CSV with a header that names a
column for the address. Lines that mean nothing are named one by one and end the command with 2: a feed that
was read by half is not a feed that was read. Whoever trusts a feed fetches it; nothing is fetched here.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import yaml

from detection.indicators import Network, together
from fault import GOOD, WRONG_USE, Fault
from settings.rules_watch import UNBLOCKABLE, overlapping

# Words that feeds use for the column of the address, in the order of preference.
COLUMNS = (
    "cidr",
    "network",
    "ip",
    "ip_address",
    "ipaddress",
    "address",
    "indicator",
    "ioc",
    "value",
    "dst_ip",
)
DEFAULT_DAYS = 90  # addresses change hands; a feed that still means it says so again


@dataclass(frozen=True)
class BadLine:
    """A line of a feed that says no address, and why."""

    file: str
    number: int
    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}: {self.text[:60]!r}: {self.reason}"


def read(name: str, text: str) -> tuple[list[Network], list[BadLine]]:
    """The ranges of one feed, and the lines that say none."""
    found: list[Network] = []
    bad: list[BadLine] = []
    for number, value in _values(text):
        try:
            network = ip_network(value.replace("[.]", "."), strict=True)
        except ValueError as error:
            bad.append(BadLine(name, number, value, str(error).replace(repr(value), "it")))
            continue
        reason = _unblockable(network)
        if reason:
            bad.append(BadLine(name, number, value, reason))
        else:
            found.append(network)
    return found, bad


def _unblockable(network: Network) -> str:
    for other, what in UNBLOCKABLE:
        if overlapping(other, network):
            return f"{what} ({other}) is nobody on the internet"
    return ""


def _values(text: str) -> Iterator[tuple[int, str]]:
    """Line number and value: the address's column of CSV, or the line itself."""
    lines = [(n, line.split("#")[0].strip()) for n, line in enumerate(text.splitlines(), 1)]
    lines = [(n, line) for n, line in lines if line]
    if not lines:
        return
    header = [cell.strip().strip('"').lower() for cell in next(csv.reader(io.StringIO(lines[0][1])))]
    column = next((header.index(name) for name in COLUMNS if name in header), None)
    if column is None:
        yield from ((n, line.split()[0].rstrip(",;")) for n, line in lines)
        return
    for number, line in lines[1:]:
        cells = next(csv.reader(io.StringIO(line)))
        yield number, cells[column].strip() if column < len(cells) else ""


def snippet(networks: Sequence[Network], source: str, added: date, until: date) -> dict[str, Any]:
    """The part of a stack file: merged ranges under names that come from the range, so that the same feed
    read twice gives the same keys.
    """
    return {
        f"i{sha256(str(network).encode()).hexdigest()[:12]}": {
            "cidr": str(network),
            "source": source,
            "added": added.isoformat(),
            "until": until.isoformat(),
        }
        for network in together(networks)
    }


def command(argv: Sequence[str] | None = None, today: date | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m detection.indicators", description=__doc__.splitlines()[0]
    )
    parser.add_argument("files", nargs="+", type=Path, help="feeds: plain lists or CSV")
    parser.add_argument("--source", required=True, help="what the auditor reads: which feed or incident")
    parser.add_argument("--days", type=int, default=DEFAULT_DAYS, help="for how many days they count")
    given = parser.parse_args(argv)
    networks: list[Network] = []
    bad: list[BadLine] = []
    for path in given.files:
        try:
            found, wrong = read(path.name, path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise Fault(
                f"{path.name}: {error}", "a feed is a file of text", "name a list or a CSV"
            ) from error
        networks += found
        bad += wrong
    if not networks and not bad:
        raise Fault("no address in the feeds", "an empty feed is a feed that failed", "look at the files")
    begin = today or date.today()
    until = begin + timedelta(days=given.days)
    part = {"stockade:detection": {"indicators": snippet(networks, given.source, begin, until)}}
    sys.stdout.write(yaml.safe_dump(part, sort_keys=True, width=120))
    for line in bad:
        print(
            f"error: {line}; an indicator is an address or range on the internet; correct the feed",
            file=sys.stderr,
        )
    return WRONG_USE if bad else GOOD
