"""The matrix: every control against every subject it was judged on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from report.findings import listed_subjects
from report.model import Report, Status, Subject
from report.verdict import URGENCY
from report.view import Detail

COLUMNS = 40  # more subjects than this share one column per group


@dataclass(frozen=True)
class Cell:
    """One square of the matrix: `status` None where no result exists."""

    status: Status | None
    href: str
    subject: str
    number: int = 1  # results of that status
    of: int = 1  # results summed up in the cell


@dataclass
class Matrix:
    """Controls by subjects of one kind."""

    title: str
    anchor: str
    groups: list[tuple[str, int]]  # column group and its span
    columns: list[str]
    layers: list[tuple[str, list[tuple[Detail, list[Cell]]]]]
    summed: bool  # columns are groups, not subjects

    @property
    def rows(self) -> int:
        return sum(len(rows) for _, rows in self.layers)


def matrices(report: Report, details: list[Detail]) -> list[Matrix]:
    """One matrix for the nodes, columns by server role, and one for each resource type."""
    pairs = _pairs(report)
    kinds: dict[tuple[int, str], list[Subject]] = defaultdict(list)
    for subject in listed_subjects(report):
        kinds[(0, "Nodes") if subject.kind == "node" else (1, subject.group)].append(subject)
    return [
        _matrix(title, f"m{index}", subjects, details, pairs)
        for index, ((_, title), subjects) in enumerate(sorted(kinds.items(), key=lambda item: item[0]))
    ]


def _pairs(report: Report) -> dict[tuple[str, str], tuple[Status, str]]:
    """(control, subject) → its most urgent status and the anchor of that result."""
    found: dict[tuple[str, str], tuple[Status, str]] = {}
    for index, result in enumerate(report.results):
        pair = (result.control, result.subject)
        if pair not in found or URGENCY.index(result.status) < URGENCY.index(found[pair][0]):
            found[pair] = (result.status, f"r{index}")
    return found


def _matrix(
    title: str,
    anchor: str,
    subjects: list[Subject],
    details: list[Detail],
    pairs: dict[tuple[str, str], tuple[Status, str]],
) -> Matrix:
    groups: dict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        groups[subject.group].append(subject)
    summed = len(subjects) > COLUMNS
    layers: dict[str, list[tuple[Detail, list[Cell]]]] = defaultdict(list)
    for detail in details:
        if summed:
            cells = [_sum(detail, name, members, pairs) for name, members in groups.items()]
        else:
            cells = [_cell(detail, subject, pairs) for members in groups.values() for subject in members]
        if any(cell.status for cell in cells):
            layers[detail.control.layer].append((detail, cells))
    columns = [f"{len(m)} in {g}" for g, m in groups.items()] if summed else _names(groups)
    spans = [(name, 1 if summed else len(members)) for name, members in groups.items()]
    return Matrix(title, anchor, spans, columns, sorted(layers.items()), summed)


def _names(groups: dict[str, list[Subject]]) -> list[str]:
    return [subject.id for members in groups.values() for subject in members]


def _cell(detail: Detail, subject: Subject, pairs: dict[tuple[str, str], tuple[Status, str]]) -> Cell:
    status, anchor = pairs.get((detail.control.id, subject.id), (None, ""))
    shown = {entry.anchor for entry in detail.entries} if detail.folded else None
    return Cell(status, anchor if shown is None or anchor in shown else detail.anchor, subject.id)


def _sum(
    detail: Detail, group: str, members: list[Subject], pairs: dict[tuple[str, str], tuple[Status, str]]
) -> Cell:
    """The most urgent status of a group and how many of its subjects have it."""
    found = [pairs[key][0] for subject in members if (key := (detail.control.id, subject.id)) in pairs]
    if not found:
        return Cell(None, "", group)
    status = min(found, key=URGENCY.index)
    return Cell(status, detail.anchor, group, found.count(status), len(found))
