"""A report of 1,000 nodes and 300 controls in a real browser."""

from __future__ import annotations

from typing import Any

from report import html
from tests.e2e.report_browser import Visits, folder, visit
from tests.unit import report_sample as sample

__all__ = ["folder", "visit"]  # fixtures


def test_a_thousand_nodes_and_three_hundred_controls_open_in_three_seconds(visit: Visits) -> None:
    contract = sample.region(counts={"edge": 600, "app": 300, "archive": 100})
    huge = sample.report(contract=contract, node_controls=300, region_controls=16)
    assert len(huge.results) > 300_000
    page = visit.folder / "huge.html"
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
    opened.wait_for_selector("#heat-pick .results > li", timeout=60000)


def _busy(watch: Any) -> float:
    told = {m["name"]: m["value"] for m in watch.send("Performance.getMetrics")["metrics"]}
    return float(told["TaskDuration"])
