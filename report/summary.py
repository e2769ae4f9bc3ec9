"""The last thing a command prints: the verdict, the counts, and one line per open finding."""

from __future__ import annotations

import sys
import textwrap
from collections import defaultdict
from io import StringIO
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from report.model import Report, Status
from report.plain import one_line
from report.verdict import OPEN, SYMBOLS, URGENCY, WORDS, judge, ordered

SHOWN = 20  # findings printed; the report holds all of them
_STYLES = {
    Status.PASS: "green",
    Status.FAIL: "bold red",
    Status.ERROR: "bold magenta",
    Status.WAIVED: "yellow",
    Status.NOT_APPLICABLE: "dim",
    Status.MANUAL: "cyan",
}


def duration(seconds: float) -> str:
    """`41.2 s`, `3 min 12 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def lines(report: Report, *, terminal: bool = False, width: int = 100) -> list[str]:
    """The summary line by line; with `terminal` coloured and with a table (ANSI), else plain text."""
    return _rich(report, width) if terminal else _plain(report)


def show(report: Report, stream: TextIO | None = None) -> None:
    """Print the summary, as a table when the stream is a terminal."""
    stream = stream or sys.stdout
    terminal = stream.isatty()
    width = Console(file=stream).width if terminal else 100
    for line in lines(report, terminal=terminal, width=width):
        print(line, file=stream)


def _head(report: Report) -> str:
    verdict = judge(report)
    remark = f"{verdict.scope_remark} " if verdict.scope_remark else ""
    return one_line(f"{'OK' if verdict.good else 'NOT OK'}: {remark}{verdict.headline}")


def _run_line(report: Report) -> str:
    run = report.run
    where = f"{run.stack}, {run.region}, account {run.account}"
    return one_line(f"{where}, verified in {duration(run.seconds)}, {run.started:%Y-%m-%d %H:%M %Z}")


def _findings(report: Report) -> list[tuple[Status, str, str, str]]:
    """(status, control, subjects, message): subjects of one control with the same words share a line."""
    groups: dict[tuple[Status, str, str], list[str]] = defaultdict(list)
    for result in ordered(report.results):
        if result.status in OPEN:
            words = textwrap.shorten(one_line(result.message), 200, placeholder=" …")
            groups[(result.status, result.control, words)].append(one_line(result.subject))
    return [(s, control, _subjects(names), words) for (s, control, words), names in groups.items()]


def _subjects(names: list[str]) -> str:
    rest = len(names) - 3
    return ", ".join(names[:3]) + (f" and {rest} more" if rest > 0 else "")


def _plain(report: Report) -> list[str]:
    counts = report.counts()
    found = _findings(report)
    out = [_head(report), _run_line(report)]
    out += [one_line(f"remark: {remark}") for remark in report.run.remarks]
    out.append(", ".join(f"{counts[status]} {WORDS[status]}" for status in URGENCY))
    out += [one_line(f"fault: {reason}") for reason in judge(report).reasons]
    out += [
        f"{WORDS[s]}: {control} on {subject}: {message}" for s, control, subject, message in found[:SHOWN]
    ]
    return out + _more(found)


def _more(found: list[tuple[Status, str, str, str]]) -> list[str]:
    rest = len(found) - SHOWN
    return [f"and {rest} more findings; the report lists all of them"] if rest > 0 else []


def _rich(report: Report, width: int) -> list[str]:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=width, highlight=False, color_system="standard")
    console.print(Text(_head(report), style="bold green" if judge(report).good else "bold red"))
    console.print(Text(_run_line(report), style="dim"))
    for remark in report.run.remarks:
        console.print(Text(one_line(f"remark: {remark}"), style="yellow"))
    console.print(_counts_table(report))
    for reason in judge(report).reasons:
        console.print(Text(one_line(f"fault: {reason}"), style="bold red"))
    found = _findings(report)
    if found:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in ("", "control", "subject", "what was found"):
            table.add_column(column, overflow="fold")
        for status, control, subject, message in found[:SHOWN]:
            style = _STYLES[status]
            mark = Text(f"{SYMBOLS[status]} {WORDS[status]}", style=style)
            table.add_row(mark, Text(control), Text(subject), Text(message))
        console.print(table)
    for line in _more(found):
        console.print(Text(line))
    return out.getvalue().splitlines()


def _counts_table(report: Report) -> Table:
    """Rows: nodes and region; columns: statuses."""
    kinds = {subject.id: subject.kind for subject in report.subjects}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for status in URGENCY:
        table.add_column(f"{SYMBOLS[status]} {WORDS[status]}", justify="right")
    rows = {"nodes": "node", "region": "resource", "unlisted": None}
    for label, kind in rows.items():
        of_kind = [result.status for result in report.results if kinds.get(result.subject) == kind]
        if of_kind:
            cells = [(status, of_kind.count(status)) for status in URGENCY]
            table.add_row(label, *(Text(str(n), style=_STYLES[s] if n else "dim") for s, n in cells))
    return table
