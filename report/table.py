"""CSV for spreadsheets: one row per result, most urgent first, safe to open in one."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from report.findings import RUN, Finding, findings, reasons
from report.model import Report
from report.plain import plain

COLUMNS = (
    "status", "severity", "control", "title", "layer", "profile", "subject", "kind", "group", "message",
    "evidence", "waiver", "waiver owner", "waiver approver", "waiver reason", "waiver risk", "waiver ticket",
    "waiver expires", "requirements", "references", "test", "seconds",
    "stack", "region", "account", "commit", "started",
)  # fmt: skip
_SHORT = 500
_CELL = 8000  # Excel holds 32,767 characters in a cell; nobody reads that much in one
# What a spreadsheet takes for a formula (OWASP, "CSV Injection"), also in full width.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")  # noqa: RUF001


def write(report: Report, path: Path) -> None:
    """Write results.csv: UTF-8 with a mark, so that spreadsheets know it; every cell quoted.

    Row by row, so that a fleet needs no more memory than its report. A path that ends in `.gz` is packed, to
    a seventieth: a row repeats what its control, its subject and its run say. The same report gives the same
    bytes.
    """
    with path.open("wb") as file:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                _write(report, packed)  # type: ignore[arg-type]  # a writable file all the same
        else:
            _write(report, file)


def _write(report: Report, file: BinaryIO) -> None:
    with io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="") as text:
        rows = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        rows.writerow(COLUMNS)
        rows.writerows(map(cell, row) for row in _rows(report))


def cell(text: str) -> str:
    """The text as text: an apostrophe stands before whatever would be computed."""
    return _again(text) if len(text) <= _SHORT else _cell(text)


def _cell(text: str) -> str:
    shown = plain(text, _CELL)
    return f"'{shown}" if shown.lstrip(" \u00a0'\"").startswith(_FORMULA) else shown


_again = lru_cache(maxsize=4096)(_cell)  # most cells say what the row before said


def _rows(report: Report) -> Iterator[list[str]]:
    run = report.run
    where = [run.stack, run.region, run.account, run.commit or "", run.started.isoformat()]
    for kind, text in reasons(report):
        first = [kind, "critical", RUN, "The run itself", "", "", run.stack, "run", "", text]
        yield first + [""] * (len(COLUMNS) - len(first) - len(where)) + where
    for finding in findings(report):
        yield _row(finding) + where


def _row(finding: Finding) -> list[str]:
    result, control, subject = finding.result, finding.control, finding.subject
    w = result.waiver
    waiver = [w.id, w.owner, w.approver, w.reason, w.risk, w.ticket, w.expires.isoformat()] if w else [""] * 7
    return [
        result.status.value, control.severity, control.id, control.title, control.layer, control.profile,
        subject.id, subject.kind, subject.group, result.message, result.evidence, *waiver,
        ", ".join(control.rows), "; ".join(control.references), result.test, f"{result.seconds:.3f}",
    ]  # fmt: skip
