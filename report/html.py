"""The page an auditor reads: one file, no network, safe against what a hostile node says."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence

from markupsafe import Markup

from report import diagram, matrix, page, reach, view
from report.history import Entry
from report.model import Report
from report.verdict import OPEN, SYMBOLS, URGENCY, WORDS, judge


def render(report: Report, past: Sequence[Entry] = ()) -> str:
    """The whole report as one HTML file.

    Every text of the report is escaped by the template engine; the only script and style that run are the
    two whose hash stands in the page's security policy. Large reports carry their results compressed.
    """
    shown = view.arrange(report, past)
    style, script = page.text("colours.css", "diagram.css", "style.css"), page.text("script.js")
    return (
        page.environment()
        .get_template("report.html.j2")
        .render(
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
            policy=page.policy(style, script),
            packed=_packed(report, shown) if shown.large else "",
            severities=view.SEVERITIES,
            statuses=URGENCY,
            open_statuses=OPEN,
        )
    )


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
            waiver = f"{w.id} accepts this until {page.moment(w.expires)}: {w.reason} "
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
