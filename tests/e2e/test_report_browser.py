"""The report in a real browser: both themes, a phone, the keyboard, no network, no overlap, no error."""

from __future__ import annotations

import os
import re
import shutil
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from report import brief, diagram, html
from report.verdict import OPEN
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = os.environ.get("STOCKADE_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.fail(
            "no Chromium on this machine: `apt-get install chromium`, or name one in STOCKADE_BROWSER"
        )
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages as a user has them: files on a disk."""
    made = tmp_path_factory.mktemp("report")
    crowded = sample.region(zones="abcd", counts={"edge": 14, "app": 18, "archive": 8}, vpcs=4)
    crowded["sites"] |= {f"customer-{i}": crowded["sites"]["acme-bank"] for i in range(9)}
    fleet = sample.region(counts={"edge": 60, "app": 30, "archive": 10})
    pages = {
        "mixed": sample.report(),
        "good": sample.report(good=True),
        "crowded": sample.report(contract=crowded, node_controls=9),
        "fleet": sample.report(contract=fleet, node_controls=72),
        "empty": sample.report(good=True, results=(), subjects=(), controls=(), contract={}),
    }
    for name, report in pages.items():
        (made / f"{name}.html").write_text(html.render(report), encoding="utf-8")
    assert len(pages["fleet"].results) > 6000
    full = proof.report()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("report.matrix.COLUMNS", 5)
        every = html.render(_every(), proof.history(_every(), 4))
    (made / "every.html").write_text(every, encoding="utf-8")
    sheets = {"summary": full, "summary-crowded": _crowded_sheet(), "summary-empty": pages["empty"]}
    for name, report in sheets.items():
        (made / f"{name}.html").write_text(brief.render(report, proof.history(full)), encoding="utf-8")
    picture = diagram.svg(pages["mixed"].region, pages["mixed"], standalone=True)
    (made / "region.svg").write_text(picture, encoding="utf-8")
    return made


class Visit:
    """One opened page and everything it complained about or asked the network for."""

    def __init__(self, context: Any, url: str) -> None:
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)


@pytest.fixture
def visit(browser: Any, folder: Path) -> Iterator[Any]:
    contexts = []

    def opened(name: str, size: str = "desktop", scheme: str = "light", **options: Any) -> Visit:
        context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, **options)
        contexts.append(context)
        name, _, fragment = name.partition("#")
        url = (folder / f"{name}.html").as_uri() + (f"#{fragment}" if fragment else "")
        return Visit(context, url)

    yield opened
    for context in contexts:
        context.close()


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


@pytest.mark.parametrize("size", list(SIZES))
@pytest.mark.parametrize("name", ["mixed", "good", "crowded", "fleet", "every", "empty"])
def test_no_error_no_request_and_no_sideways_scroll(visit: Any, name: str, size: str) -> None:
    seen = visit(name, size)
    seen.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    seen.page.wait_for_timeout(300)
    wide = seen.page.evaluate(
        "[document.documentElement, document.body].map((e) => e.scrollWidth)"
        ".concat(document.documentElement.clientWidth)"
    )
    assert max(wide) == wide[2], wide
    assert seen.complaints == []
    assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in seen.requests if url.startswith("file:")]) == 1


def test_light_and_dark_are_drawn_and_differ(visit: Any) -> None:
    clip = {"x": 0, "y": 0, "width": 900, "height": 420}
    shots = {
        scheme: pixels(visit("mixed", scheme=scheme).page.screenshot(clip=clip))
        for scheme in ("light", "dark")
    }
    brightness = {scheme: sum(map(sum, shot)) / len(shot) / 3 for scheme, shot in shots.items()}
    assert brightness["light"] > 200
    assert brightness["dark"] < 60
    assert all(len(set(shot)) > 20 for shot in shots.values())


def test_the_toggle_overrides_the_system(visit: Any) -> None:
    seen = visit("mixed", scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = seen.page.evaluate(background)
    seen.page.click("#theme")
    assert seen.page.inner_text("#theme") == "Theme: light"
    assert seen.page.evaluate(background) != dark
    seen.page.click("#theme")
    assert seen.page.evaluate(background) == dark


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_aa_asks(visit: Any, scheme: str) -> None:
    """WCAG 2.2, success criterion 1.4.3: 4.5 to 1."""
    page = visit("mixed", scheme=scheme).page
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate(CONTRAST) == []


def test_the_status_filter_leaves_only_what_matches(visit: Any) -> None:
    page = visit("mixed").page
    report = sample.report()
    failed = {result.control for result in report.results if result.status.value == "fail"}
    page.click("[data-show=fail]")
    assert page.locator("details.control:not([hidden])").count() == len(failed)
    assert page.inner_text("#shown") == f"{len(failed)} of 120 controls"
    assert page.locator("tr[data-control]:not([hidden])").count() == len(failed)
    statuses = page.eval_on_selector_all(
        "details.control:not([hidden]) li:not([hidden])", "items => items.map((i) => i.dataset.status)"
    )
    assert set(statuses) == {"fail"}
    page.click("#filters button[type=reset]")
    page.wait_for_selector("#shown:has-text('120 of 120')", timeout=3000)


def test_search_and_severity_work_together_and_say_when_nothing_matches(visit: Any) -> None:
    page = visit("mixed").page
    page.fill("#search", "STK-SSH root")
    assert page.locator("details.control:not([hidden])").count() == 8
    page.select_option("#by-severity", "critical")
    wanted = [c for c in sample.report().controls if c.id.startswith("STK-SSH") and c.severity == "critical"]
    assert page.locator("details.control:not([hidden])").count() == len(wanted)
    page.fill("#search", "no such thing anywhere")
    assert page.is_visible("#nothing")


def test_a_cell_of_the_matrix_opens_its_evidence_by_keyboard(visit: Any) -> None:
    page = visit("mixed").page
    cell = page.locator("a.cell.is-fail").first
    target = (cell.get_attribute("href") or "")[1:]
    cell.focus()
    page.keyboard.press("Enter")
    row = page.locator(f"#{target}")
    row.wait_for(state="visible", timeout=3000)
    assert row.evaluate("(e) => e.closest('details.control').open")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    box = row.bounding_box()
    assert box and 0 <= box["y"] < SIZES["desktop"]["height"]
    row.locator("details.evidence > summary").focus()
    page.keyboard.press("Enter")
    assert row.locator("pre").is_visible()


def test_tab_reaches_the_skip_link_the_theme_and_the_focus_is_seen(visit: Any) -> None:
    page = visit("mixed").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert "theme" in reached


def test_a_link_into_the_report_opens_the_detail(visit: Any) -> None:
    page = visit("mixed#c-STK-PAT-002").page
    assert page.locator("#c-STK-PAT-002").evaluate("(e) => e.open")


def test_controls_of_the_page_have_names(visit: Any) -> None:
    page = visit("mixed").page
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('a,button,input,select,summary,[role=region]')].filter((e) =>
        !(e.textContent.trim() || e.getAttribute('aria-label') || e.getAttribute('aria-labelledby')
          || e.labels?.length)).map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert nameless == []


def test_without_scripts_everything_is_there_to_read(visit: Any) -> None:
    page = visit("mixed", java_script_enabled=False).page
    report = sample.report()
    assert page.locator(".results > li").count() == len(report.results)
    assert not page.is_visible("#filters")
    page.click("details.control >> nth=0 >> summary >> nth=0")
    assert page.locator("details.control >> nth=0 >> .results").is_visible()


def test_a_large_report_opens_its_results_on_demand(visit: Any) -> None:
    seen = visit("fleet")
    page = seen.page
    control = page.locator("#c-STK-SSH-002")
    control.locator("summary").first.click()
    page.wait_for_selector("#c-STK-SSH-002 .results > li >> nth=99", timeout=10000)
    report_rows = [r for r in _fleet().results if r.control == "STK-SSH-002"]
    assert len(report_rows) == 100
    shown = control.locator(".results > li .subject").all_inner_texts()
    assert sorted(shown) == sorted(r.subject for r in report_rows)
    assert seen.complaints == []


@cache
def _fleet() -> Any:
    return sample.report(
        contract=sample.region(counts={"edge": 60, "app": 30, "archive": 10}), node_controls=72
    )


OVERLAPS = """() => {
  const texts = [...document.querySelectorAll('svg.region-diagram text')].filter((t) => t.textContent.trim());
  const boxes = texts.map((t) => ({ t: t.textContent, ...t.getBoundingClientRect().toJSON() }));
  const found = [];
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (x > 1 && y > 3) found.push([a.t, b.t, x, y]);
  }));
  const frame = document.querySelector('svg.region-diagram').getBoundingClientRect();
  boxes.filter((a) => a.left < frame.left || a.right > frame.right || a.bottom > frame.bottom)
    .forEach((a) => found.push([a.t, 'outside']));
  document.querySelectorAll('svg .d-node').forEach((node) => {
    const box = node.querySelector('.d-box').getBoundingClientRect();
    node.querySelectorAll('text').forEach((t) => {
      const r = t.getBoundingClientRect();
      if (r.right > box.right + 1 || r.left < box.left - 1) found.push([t.textContent, 'wider than its box']);
    });
  });
  return found;
}"""


@pytest.mark.parametrize("name", ["mixed", "crowded", "fleet"])
def test_no_label_of_the_diagram_overlaps_another(visit: Any, name: str) -> None:
    assert visit(name).page.evaluate(OVERLAPS) == []


def test_the_picture_alone_follows_the_theme_of_its_reader(browser: Any, folder: Path) -> None:
    (folder / "readme.html").write_text('<!doctype html><title>x</title><img src="region.svg" width="600">')
    shown = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport=SIZES["desktop"], color_scheme=scheme)
        page.goto((folder / "readme.html").as_uri())
        shot = pixels(page.locator("img").screenshot())
        shown[scheme] = sum(map(sum, shot)) / len(shot) / 3
        page.close()
    assert shown["light"] > 220
    assert shown["dark"] < 70


@pytest.mark.parametrize("how", ["system", "toggle"])
def test_paper_is_white_also_for_a_reader_who_prefers_dark(visit: Any, how: str) -> None:
    page = visit("mixed", scheme="dark" if how == "system" else "light").page
    if how == "toggle":
        page.click("#theme")
        page.click("#theme")
        assert page.inner_text("#theme") == "Theme: dark"
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(CONTRAST) == []
    ink = page.evaluate("getComputedStyle(document.querySelector('svg .d-title')).fill")
    assert ink == "rgb(23, 34, 46)"


def test_paper_shows_the_details(visit: Any) -> None:
    page = visit("good").page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.control .results").last.is_visible()
    assert not page.is_visible("#filters")
    assert len(page.pdf()) > 50_000


def _crowded_sheet() -> Any:
    """Everything that may stand on the sheet, as long as it may be."""
    words = "a word that is told at length, " * 30
    base = proof.report(faults=tuple(f"fault {i}: {words}" for i in range(9)))
    run = base.run.model_copy(update={"remarks": (words, words), "scope": "region only", "stack": words})
    controls = tuple(
        c.model_copy(update={"title": words, "why": words, "layer": c.id}) for c in base.controls
    )
    frameworks = tuple(f.model_copy(update={"title": words}) for f in base.frameworks) * 2
    return base.model_copy(update={"run": run, "controls": controls, "frameworks": frameworks})


@pytest.mark.parametrize("name", ["summary", "summary-crowded", "summary-empty"])
def test_the_summary_prints_to_one_page_with_nothing_cut_off(visit: Any, name: str) -> None:
    page = visit(name, scheme="dark").page
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    assert re.search(rb"/MediaBox\s*\[0 0 59[45][.\d]* 84[12][.\d]*\]", printed), "not A4"
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 794, "height": 1123})
    sheet = page.evaluate(
        "(({scrollHeight, clientHeight}) => [scrollHeight, clientHeight])(document.querySelector('main'))"
    )
    assert sheet[0] <= sheet[1], sheet
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


# What is out of sight has no layout yet (content-visibility), so axe would judge boxes that nobody sees.
OPENED = """(part) => { const it = document.querySelector(part);
  it.open = true; it.style.contentVisibility = 'visible'; }"""
AXE_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["every", "summary", "empty"])
def test_axe_finds_nothing_to_complain_about(visit: Any, name: str, scheme: str) -> None:
    page = visit(name, scheme=scheme).page
    if name == "every":
        page.wait_for_selector("#heat:not([hidden])")
        for part in ("#frameworks details", "#controls details.control"):
            page.evaluate(OPENED, part)
    found = Axe().run(page, options=AXE_RULES).response["violations"]
    told = [(v["id"], v["help"], [n["html"][:160] for n in v["nodes"][:3]]) for v in found]
    assert told == []


def test_the_heat_map_is_walked_by_keyboard_and_opens_what_was_found(visit: Any) -> None:
    seen = visit("fleet")
    page = seen.page
    page.wait_for_selector("#heat:not([hidden])")
    page.focus("#heat canvas")
    page.keyboard.press("n")
    told = page.inner_text("#heat output")
    node, control = re.match(r"(\S+) \(\w+\), (STK-\w+-\d+) ", told).groups()  # type: ignore[union-attr]
    known = {(r.subject, r.control): r for r in _fleet().results}
    assert known[node, control].status in OPEN
    page.keyboard.press("Enter")
    page.wait_for_selector("#heat-pick .results > li")
    assert page.inner_text("#heat-pick .message") == known[node, control].message
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#heat output") != told
    assert seen.complaints == []


def test_filters_reach_the_heat_map_the_controls_and_their_results(visit: Any) -> None:
    page = visit("every").page
    page.wait_for_selector("#heat:not([hidden])")
    page.select_option("#by-group", label="app")
    report = _every()
    wanted = {r.control for r in report.results if r.subject.startswith("app-")}
    assert page.locator("details.control:not([hidden])").count() == len(wanted)
    groups = page.eval_on_selector_all(
        "details.control:not([hidden]) li:not([hidden]) .subject", "items => items.map((i) => i.textContent)"
    )
    assert groups
    assert all(name.startswith("app-") for name in groups)
    page.select_option("#by-group", value="")
    framework = report.frameworks[0]
    page.select_option("#by-framework", value="0")
    named = {c for clause in framework.clauses for c in clause.controls}
    assert page.locator("details.control:not([hidden])").count() == len(named)
    page.select_option("#by-framework", value="")
    page.fill("#search", "edge-a-1")
    assert page.inner_text("#heat output").startswith("edge-a-1")


def test_a_thousand_nodes_and_three_hundred_controls_open_in_three_seconds(visit: Any, folder: Path) -> None:
    contract = sample.region(counts={"edge": 600, "app": 300, "archive": 100})
    huge = sample.report(contract=contract, node_controls=300, region_controls=16)
    assert len(huge.results) > 300_000
    page = folder / "huge.html"
    page.write_text(html.render(huge), encoding="utf-8")
    assert page.stat().st_size < 20_000_000
    opened = visit("empty").page
    watch = opened.context.new_cdp_session(opened)
    # Processor time of the page's main thread: the time of the clock would also measure our neighbours.
    watch.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = _busy(watch)
    opened.goto(page.as_uri())
    opened.wait_for_selector("#heat:not([hidden]) output:not(:empty)", state="attached")
    assert _busy(watch) - before < 3
    opened.focus("#heat canvas")
    opened.keyboard.press("n")
    opened.keyboard.press("Enter")
    opened.wait_for_selector("#heat-pick .results > li", timeout=5000)


def _busy(watch: Any) -> float:
    told = {m["name"]: m["value"] for m in watch.send("Performance.getMetrics")["metrics"]}
    return float(told["TaskDuration"])


@cache
def _every() -> Any:
    """One small page with everything on it, the heat map too."""
    contract = sample.region(counts={"edge": 4, "app": 2})
    made = proof.report(contract=contract, node_controls=9, region_controls=4, resource_count=4)
    return made.model_copy(update={"frameworks": made.frameworks[6:8]})
