"""Large reports: what a page carries compressed, for its script to open piece by piece."""

from __future__ import annotations

import base64
import gzip
import json
from collections import defaultdict
from dataclasses import dataclass

from report.findings import listed_subjects, waiver_line
from report.model import Report, Result
from report.page import LONGEST
from report.plain import plain
from report.verdict import OPEN, SYMBOLS, URGENCY, WORDS
from report.view import Detail

# Characters of evidence that a page carries; beyond it only open results keep theirs, so that a page stays
# one that a browser opens.
MOST_EVIDENCE = 40_000_000
_LEFT_OUT = "Left out of this page, which would be too large; results.json holds it."


@dataclass(frozen=True)
class Grid:
    """The heat map: one character per node and control, `0` to `5` by urgency, `.` without a result."""

    nodes: tuple[tuple[str, int], ...]  # (name, index of its role)
    roles: tuple[str, ...]
    cells: tuple[str, ...]  # one text per node, one character per control


def statuses() -> list[list[str]]:
    """(value, symbol, word) in the order of the numbers that packed results use."""
    return [[status.value, SYMBOLS[status], WORDS[status]] for status in URGENCY]


def grid(report: Report, details: list[Detail]) -> Grid:
    """Nodes against controls, each pair with its most urgent result."""
    nodes = [subject for subject in listed_subjects(report) if subject.kind == "node"]
    roles = tuple(dict.fromkeys(node.group for node in nodes))
    places = {detail.control.id: detail.index for detail in details}
    order = {status: index for index, status in enumerate(URGENCY)}
    rows = {node.id: bytearray(b"." * len(details)) for node in nodes}
    for result in report.results:
        if (row := rows.get(result.subject)) is not None:
            at, code = places[result.control], 48 + order[result.status]
            if row[at] == 46 or code < row[at]:
                row[at] = code
    return Grid(
        tuple((plain(node.id), roles.index(node.group)) for node in nodes),
        tuple(plain(role, 200) for role in roles),
        tuple(rows[node.id].decode() for node in nodes),
    )


def packed(data: object) -> str:
    """Base64 of gzip of JSON; no character of it could end the element that holds it."""
    raw = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    return base64.b64encode(gzip.compress(raw, 6, mtime=0)).decode()


def chunks(report: Report, details: list[Detail], groups: dict[str, int]) -> list[str]:
    """One packed piece per control, unpacked when a reader opens it: `{texts, rows}`.

    A row is subject, status, message, evidence, test, waiver, group; all but status and group are indexes
    into `texts`.
    """
    by_control: dict[str, list[Result]] = defaultdict(list)
    for result in report.results:
        by_control[result.control].append(result)
    room, found = MOST_EVIDENCE, []
    for detail in details:
        piece, used = _chunk(by_control[detail.control.id], groups, room)
        room -= used
        found.append(piece)
    return found


def _chunk(results: list[Result], groups: dict[str, int], room: int) -> tuple[str, int]:
    texts: dict[str, int] = {}
    order = {status: index for index, status in enumerate(URGENCY)}
    shown: dict[str, str] = {"": ""}  # evidence as read → as shown: cleaned once
    rows, used = [], 0
    for result in results:
        evidence = shown.get(result.evidence)
        if evidence is None:
            evidence = plain(result.evidence, LONGEST)
            if used + len(evidence) > room and result.status not in OPEN:
                evidence = _LEFT_OUT
            used += len(evidence)
            shown[result.evidence] = evidence
        waiver = waiver_line(result) if result.waiver is not None else ""
        words = (
            plain(result.subject),
            plain(result.message, LONGEST),
            evidence,
            plain(result.test),
            plain(waiver),
        )
        subject, *others = [texts.setdefault(text, len(texts)) for text in words]
        rows.append([subject, order[result.status], *others, groups[result.subject]])
    rows.sort(key=lambda row: row[1])
    return packed({"texts": list(texts), "rows": rows}), used
