"""The report for everybody: axe and names for screen readers, paper, one sheet."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.e2e.report_browser import CONTRAST, Visits, folder, visit

__all__ = ["folder", "visit"]  # fixtures

# What is out of sight has no layout yet (content-visibility), so axe would judge boxes that nobody sees.
OPENED = """(part) => { const it = document.querySelector(part);
  it.open = true; it.style.contentVisibility = 'visible'; }"""
AXE_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


# A scheme changes colours and nothing else, so the dark one is judged by its colours.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


@pytest.mark.parametrize(
    ("name", "scheme"),
    [("every", "light"), ("every", "dark"), ("summary", "light"), ("summary", "dark"), ("empty", "light")],
)
def test_axe_finds_nothing_to_complain_about(visit: Visits, name: str, scheme: str) -> None:
    page = visit(name, scheme=scheme).page
    if name == "every":
        page.wait_for_selector("#heat:not([hidden])")
        for part in ("#frameworks details", "#controls details.control"):
            page.evaluate(OPENED, part)
    found = Axe().run(page, options=COLOURS if scheme == "dark" else AXE_RULES).response["violations"]
    told = [(v["id"], v["help"], [n["html"][:160] for n in v["nodes"][:3]]) for v in found]
    assert told == []


def test_controls_of_the_page_have_names(visit: Visits) -> None:
    page = visit("mixed").page
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('a,button,input,select,summary,[role=region]')].filter((e) =>
        !(e.textContent.trim() || e.getAttribute('aria-label') || e.getAttribute('aria-labelledby')
          || e.labels?.length)).map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert nameless == []


@pytest.mark.parametrize("how", ["system", "toggle"])
def test_paper_is_white_also_for_a_reader_who_prefers_dark(visit: Visits, how: str) -> None:
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


def test_paper_shows_the_details(visit: Visits) -> None:
    page = visit("good").page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.control .results").last.is_visible()
    assert not page.is_visible("#filters")
    assert len(page.pdf()) > 50_000


@pytest.mark.parametrize("name", ["summary", "summary-crowded", "summary-empty"])
def test_the_summary_prints_to_one_page_with_nothing_cut_off(visit: Visits, name: str) -> None:
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
