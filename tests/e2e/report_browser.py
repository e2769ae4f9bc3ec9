"""The report in a real browser for its tests: pages and Chromium are made once for each file."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from report import brief, diagram, html
from report.model import Report, Result, Status, Subject
from tests.unit import report_proof as proof
from tests.unit import report_sample as sample

playwright = pytest.importorskip("playwright.sync_api", reason="the development packages are not installed")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": {"width": 1360, "height": 900}, "phone": {"width": 360, "height": 740}}
OUTSIDE = "https://evil.example"
HOSTILE = (
    "</script></style></textarea><script>alert(1)</script><img src=x onerror=alert(2)>"
    f"<svg onload=alert(3)><iframe src=javascript:alert(4)></iframe><link rel=stylesheet href={OUTSIDE}/a>"
    f'" autofocus onfocus=alert(5) x="\'&lt;{{{{ 7*7 }}}}\x1b[2J\u202e\u0000 ळ्य 漢字 🏴 ' + "endless" * 60
)


@cache
def chromium() -> Any:
    """The one browser of this file's tests, started when the first of them asks for it."""
    found = os.environ.get("STOCKADE_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.fail(
            "no Chromium on this machine: `apt-get install chromium`, or name one in STOCKADE_BROWSER"
        )
    driver = playwright.sync_playwright().start()
    return driver, driver.chromium.launch(executable_path=found, args=FLAGS)


def close() -> None:
    """End the browser, if there is one."""
    if chromium.cache_info().currsize:
        driver, browser = chromium()
        browser.close()
        driver.stop()
        chromium.cache_clear()


@cache
def pages() -> dict[str, Any]:
    """Each page by its name, rendered when it is first visited."""
    crowded = sample.region(zones="abcd", counts={"edge": 14, "app": 18, "archive": 8}, vpcs=4)
    crowded["sites"] |= {f"customer-{i}": crowded["sites"]["acme-bank"] for i in range(9)}
    whole, nothing = (
        proof.report(),
        sample.report(good=True, results=(), subjects=(), controls=(), contract={}),
    )
    return {
        "mixed": lambda: html.render(sample.report()),
        "good": lambda: html.render(sample.report(good=True)),
        "crowded": lambda: html.render(sample.report(contract=crowded, node_controls=9)),
        "fleet": lambda: html.render(fleet()),
        "empty": lambda: html.render(nothing),
        "red": lambda: html.render(of_status(Status.FAIL)),
        "waived": lambda: html.render(of_status(Status.WAIVED)),
        "hostile": lambda: html.render(hostile()),
        "every": lambda: _with_few_columns(every()),
        "hostile-fleet": lambda: _with_few_columns(hostile(), static=5),
        "summary": lambda: brief.render(whole, proof.history(whole)),
        "summary-crowded": lambda: brief.render(crowded_sheet(), proof.history(whole)),
        "summary-empty": lambda: brief.render(nothing, proof.history(whole)),
        "summary-hostile": lambda: brief.render(hostile()),
    }


def picture() -> str:
    """The diagram alone."""
    report = sample.report()
    return diagram.svg(report.region, report, standalone=True)


def _with_few_columns(report: Report, static: int = 6000) -> str:
    """A page with the heat map, which a real one has from 41 nodes on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("report.matrix.COLUMNS", 5)
        patch.setattr("report.view.STATIC_RESULTS", static)
        return html.render(report, proof.history(report, 4))


@cache
def fleet() -> Report:
    """100 nodes; more results than a page writes out."""
    return sample.report(
        contract=sample.region(counts={"edge": 60, "app": 30, "archive": 10}), node_controls=72
    )


@cache
def every() -> Report:
    """One small report with everything on it."""
    contract = sample.region(counts={"edge": 4, "app": 2})
    made = proof.report(contract=contract, node_controls=9, region_controls=4, resource_count=4)
    return made.model_copy(update={"frameworks": made.frameworks[6:8]})


def of_status(status: Status) -> Report:
    """Every result the same."""
    good = sample.report(good=True, node_controls=18, region_controls=8, resource_count=8)
    waiver = sample.waiver() if status is Status.WAIVED else None
    results = (r.model_copy(update={"status": status, "waiver": waiver}) for r in good.results)
    return good.model_copy(update={"results": tuple(results)})


def hostile() -> Report:
    """What a node, an account or a waiver may say, in every place that is shown."""
    base = every()
    waiver = sample.waiver().model_copy(
        update=dict.fromkeys(("id", "owner", "approver", "reason", "ticket", "risk"), HOSTILE)
    )
    bad = [
        Result(
            control=base.controls[0].id, subject=HOSTILE, status=status, message=HOSTILE, seconds=1,
            evidence=HOSTILE, test=f"{HOSTILE}::{status}", waiver=waiver if status is Status.WAIVED else None,
        )
        for status in Status
    ]  # fmt: skip
    subject = Subject(id=HOSTILE, kind="node", group=HOSTILE, facts={HOSTILE: HOSTILE, "list": [HOSTILE]})
    first = base.controls[0].model_copy(
        update={
            "title": HOSTILE,
            "why": HOSTILE,
            "layer": HOSTILE,
            "references": (HOSTILE,),
            "rows": (HOSTILE,),
        }
    )
    region = sample.region(counts={"edge": 4, "app": 2})
    region["nodes"][0] |= {"name": HOSTILE, "address": HOSTILE, "role": HOSTILE, "zone": HOSTILE}
    run = base.run.model_copy(update={"remarks": (HOSTILE,), "stack": HOSTILE, "commit": HOSTILE})
    changes = {"run": run, "faults": (HOSTILE,), "region": region, "subjects": (*base.subjects, subject)}
    return base.model_copy(
        update={"results": (*base.results, *bad), "controls": (first, *base.controls[1:]), **changes}
    )


def crowded_sheet() -> Report:
    """Everything that may stand on the sheet, as long as it may be."""
    words = "a word that is told at length, " * 30
    base = proof.report(faults=tuple(f"fault {i}: {words}" for i in range(9)))
    run = base.run.model_copy(update={"remarks": (words, words), "scope": "region only", "stack": words})
    controls = tuple(
        c.model_copy(update={"title": words, "why": words, "layer": c.id}) for c in base.controls
    )
    frameworks = tuple(f.model_copy(update={"title": words}) for f in base.frameworks) * 2
    return base.model_copy(update={"run": run, "controls": controls, "frameworks": frameworks})


class Visit:
    """One opened page, and everything it complained about, asked the network for or wanted to say."""

    def __init__(self, context: Any, url: str) -> None:
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._spoken)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)

    def _spoken(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


class Visits:
    """Opens pages as a user has them: files on a disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.browser = chromium()[1]
        self.contexts: list[Any] = []

    def file(self, name: str) -> Path:
        """The page's file, made once."""
        path = self.folder / f"{name}.html"
        if not path.exists():
            path.write_text(pages()[name](), encoding="utf-8", errors="replace")
        return path

    def __call__(self, name: str, size: str = "desktop", scheme: str = "light", **options: Any) -> Visit:
        """A page, with `#fragment` behind its name if that is wanted."""
        context = self.browser.new_context(viewport=SIZES[size], color_scheme=scheme, **options)
        self.contexts.append(context)
        name, _, fragment = name.partition("#")
        return Visit(context, self.file(name).as_uri() + (f"#{fragment}" if fragment else ""))

    def close(self) -> None:
        """Close what this test opened."""
        for context in self.contexts:
            context.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the pages of one file's tests lie; its browser ends with it.

    Not the worker's: while playwright's driver runs, no other test of the worker could start an event loop.
    """
    yield tmp_path_factory.mktemp("report")
    close()


@pytest.fixture
def visit(folder: Path) -> Iterator[Visits]:
    """Opens pages; closed after each test."""
    visits = Visits(folder)
    yield visits
    visits.close()


CONTRAST = """() => {
  const parse = (c) => { const n = c.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= .03928 ? v / 12.92
    : ((v + .055) / 1.055) ** 2.4); return .2126 * x + .7152 * y + .0722 * z; };
  const ground = (e) => { for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c[3] > .99) return c; } return [255, 255, 255, 1]; };
  const found = new Map();
  for (const e of document.querySelectorAll('main *, header *, footer *')) {
    if (e.closest('svg, td.none')) continue;
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const style = getComputedStyle(e);
    if (style.visibility === 'hidden' || !e.checkVisibility()) continue;
    const [a, b] = [light(parse(style.color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) found.set(`${e.tagName}.${e.className} ${style.color}`, ratio.toFixed(2));
  }
  return [...found];
}"""


def pixels(png: bytes) -> list[tuple[int, int, int]]:
    """Every 37th pixel of a PNG (8 bit RGB or RGBA, not interlaced) as Chromium writes it."""
    width, height, _, colour = struct.unpack(">IIBB", png[16:26])
    step = {2: 3, 6: 4}[colour]
    at, packed = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        packed += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    raw, line, out = zlib.decompress(packed), bytearray(width * step), []
    for y in range(height):
        start = y * (width * step + 1)
        line = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + width * step]), line, step)
        out += [(line[i], line[i + 1], line[i + 2]) for i in range(0, len(line), step * 37)]
    return out


def _unfiltered(kind: int, now: bytearray, above: bytearray, step: int) -> bytearray:
    """PNG filters (PNG specification 1.2, section 6)."""
    for i in range(len(now) if kind else 0):
        left = now[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        up = above[i]
        if kind == 4:
            guess = left + up - corner
            near = min(
                (abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner)
            )
            add = near[2]
        else:
            add = (0, left, up, (left + up) // 2)[kind]
        now[i] = (now[i] + add) & 255
    return now
