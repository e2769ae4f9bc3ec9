"""The page an auditor reads: one file, no network, safe against what a hostile node says."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from report import diagram, matrix, reach, view
from report.model import Report, Status
from report.summary import duration
from report.verdict import OPEN, SYMBOLS, URGENCY, WORDS, count, judge

_TEMPLATES = Path(__file__).parent / "templates"
SEVERITIES = ("critical", "high", "medium", "low")


def render(report: Report) -> str:
    """The whole report as one HTML file.

    Every text of the report is escaped by the template engine; the only script and style that run are the
    two whose hash stands in the page's security policy. Large reports carry their results compressed.
    """
    shown = view.arrange(report)
    style = _template_text("diagram.css") + _template_text("style.css")
    script = _template_text("script.js")
    page = _environment().get_template("report.html.j2")
    return page.render(
        report=report,
        run=report.run,
        verdict=judge(report),
        view=shown,
        matrices=matrix.matrices(report, shown.details),
        # Built by ElementTree, which escapes every text in it.
        diagram=Markup(diagram.svg(report.region, report)),  # noqa: S704
        reach=reach.reach(report.region),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=_policy(style, script),
        packed=_packed(report, shown) if shown.large else "",
        severities=SEVERITIES,
        statuses=URGENCY,
        open_statuses=OPEN,
    )


@cache
def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(symbol=SYMBOLS, word=WORDS, Status=Status)
    env.filters.update(duration=duration, count=count, moment=_moment, fact=_fact)
    return env


def _template_text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Nothing may load; only our style and our script may act, by their hash."""

    def source(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {source(style)}; script-src {source(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S %Z}"


def _fact(value: Any) -> str:
    """A fact as a reader expects it, not as Python prints it."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _packed(report: Report, shown: view.View) -> str:
    """All results as base64 of gzip of JSON, for the script to open one control at a time.

    `{statuses, texts, controls: [[[subject, status, message, evidence, test, waiver], …], …]}`, where all but
    the status are indexes into `texts`; base64 holds no character that could end the script element.
    """
    texts: dict[str, int] = {}
    rows: list[list[list[int]]] = [[] for _ in shown.details]
    order = {status: index for index, status in enumerate(URGENCY)}
    for result in report.results:
        waiver = ""
        if result.waiver is not None:
            w = result.waiver
            waiver = f"{w.id} accepts this until {_moment(w.expires)}: {w.reason} "
            waiver += f"(owner {w.owner}, approver {w.approver}, ticket {w.ticket})"
        words = (result.subject, result.message, result.evidence, result.test, waiver)
        subject, *others = [texts.setdefault(text, len(texts)) for text in words]
        detail = shown.by_control[result.control]
        rows[detail.index].append([subject, order[result.status], *others])
    for found in rows:
        found.sort(key=lambda row: row[1])
    data = {
        "statuses": [[status.value, SYMBOLS[status], WORDS[status]] for status in URGENCY],
        "texts": list(texts),
        "controls": rows,
    }
    raw = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    return base64.b64encode(gzip.compress(raw, 6, mtime=0)).decode()
