"""The report used in a real browser: filters, search, keyboard, links, the heat map, without scripts."""

from __future__ import annotations

import re

from report.verdict import OPEN
from tests.e2e.report_browser import SIZES, Visits, every, fleet, folder, visit
from tests.unit import report_sample as sample

__all__ = ["folder", "visit"]  # fixtures


def test_the_status_filter_leaves_only_what_matches(visit: Visits) -> None:
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
    page.wait_for_selector("#shown:has-text('120 of 120')", timeout=60000)


def test_search_and_severity_work_together_and_say_when_nothing_matches(visit: Visits) -> None:
    page = visit("mixed").page
    page.fill("#search", "STK-SSH root")
    assert page.locator("details.control:not([hidden])").count() == 8
    page.select_option("#by-severity", "critical")
    wanted = [c for c in sample.report().controls if c.id.startswith("STK-SSH") and c.severity == "critical"]
    assert page.locator("details.control:not([hidden])").count() == len(wanted)
    page.fill("#search", "no such thing anywhere")
    assert page.is_visible("#nothing")


def test_filters_reach_the_heat_map_the_controls_and_their_results(visit: Visits) -> None:
    page = visit("every").page
    page.wait_for_selector("#heat:not([hidden])")
    page.select_option("#by-group", label="app")
    report = every()
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


def test_a_cell_of_the_matrix_opens_its_evidence_by_keyboard(visit: Visits) -> None:
    page = visit("mixed").page
    cell = page.locator("a.cell.is-fail").first
    target = (cell.get_attribute("href") or "")[1:]
    cell.focus()
    page.keyboard.press("Enter")
    row = page.locator(f"#{target}")
    row.wait_for(state="visible", timeout=60000)
    assert row.evaluate("(e) => e.closest('details.control').open")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    box = row.bounding_box()
    assert box and 0 <= box["y"] < SIZES["desktop"]["height"]
    row.locator("details.evidence > summary").focus()
    page.keyboard.press("Enter")
    assert row.locator("pre").is_visible()


def test_tab_reaches_the_skip_link_the_theme_and_the_focus_is_seen(visit: Visits) -> None:
    page = visit("mixed").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert "theme" in reached


def test_a_link_into_the_report_opens_the_detail(visit: Visits) -> None:
    page = visit("mixed#c-STK-PAT-002").page
    assert page.locator("#c-STK-PAT-002").evaluate("(e) => e.open")


def test_without_scripts_everything_is_there_to_read(visit: Visits) -> None:
    page = visit("mixed", java_script_enabled=False).page
    report = sample.report()
    assert page.locator(".results > li").count() == len(report.results)
    assert not page.is_visible("#filters")
    page.click("details.control >> nth=0 >> summary >> nth=0")
    assert page.locator("details.control >> nth=0 >> .results").is_visible()


def test_a_large_report_opens_its_results_on_demand(visit: Visits) -> None:
    seen = visit("fleet")
    page = seen.page
    control = page.locator("#c-STK-SSH-002")
    control.locator("summary").first.click()
    page.wait_for_selector("#c-STK-SSH-002 .results > li >> nth=99", timeout=60000)
    report_rows = [r for r in fleet().results if r.control == "STK-SSH-002"]
    assert len(report_rows) == 100
    shown = control.locator(".results > li .subject").all_inner_texts()
    assert sorted(shown) == sorted(r.subject for r in report_rows)
    assert seen.complaints == []


def test_the_heat_map_is_walked_by_keyboard_and_opens_what_was_found(visit: Visits) -> None:
    seen = visit("fleet")
    page = seen.page
    page.wait_for_selector("#heat:not([hidden])")
    page.focus("#heat canvas")
    page.keyboard.press("n")
    told = page.inner_text("#heat output")
    node, control = re.match(r"(\S+) \(\w+\), (STK-\w+-\d+) ", told).groups()  # type: ignore[union-attr]
    known = {(r.subject, r.control): r for r in fleet().results}
    assert known[node, control].status in OPEN
    page.keyboard.press("Enter")
    page.wait_for_selector("#heat-pick .results > li")
    assert page.inner_text("#heat-pick .message") == known[node, control].message
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#heat output") != told
    assert seen.complaints == []
