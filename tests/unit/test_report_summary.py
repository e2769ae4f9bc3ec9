"""The terminal's summary: complete, short, and never driven by what a node says."""

from __future__ import annotations

import io

from report import summary
from report.model import Status
from tests.unit import report_sample as sample


def test_the_first_line_is_the_verdict() -> None:
    assert summary.lines(sample.report(good=True))[0].startswith("OK: All controls hold")
    assert summary.lines(sample.report())[0].startswith("NOT OK: ")


def test_a_run_over_the_region_only_says_so_in_its_first_line() -> None:
    run = sample.report().run.model_copy(update={"scope": "region only"})
    for terminal in (False, True):
        first = summary.lines(sample.report(run=run), terminal=terminal, width=200)[0]
        assert "Region only: no node was verified." in first


def test_counts_and_every_open_finding_are_printed() -> None:
    report = sample.report()
    text = "\n".join(summary.lines(report))
    for status, number in report.counts().items():
        assert f"{number} {status.value.replace('_', ' ')}" in text
    for result in report.results:
        if result.status in {Status.FAIL, Status.ERROR, Status.MANUAL}:
            assert f"{result.control} on {result.subject}: {result.message}" in text


def test_subjects_with_the_same_finding_share_a_line() -> None:
    good = sample.report(good=True)
    results = [
        r.model_copy(update={"status": Status.FAIL, "message": "too open"})
        if r.control == "STK-SSH-001"
        else r
        for r in good.results
    ]
    printed = summary.lines(good.model_copy(update={"results": tuple(results)}))
    assert [line for line in printed if line.startswith("fail:")] == [
        "fail: STK-SSH-001 on edge-a-1, edge-b-1, edge-c-1 and 3 more: too open"
    ]


def test_a_flood_of_findings_is_cut_and_the_cut_is_stated() -> None:
    good = sample.report(good=True)
    results = tuple(r.model_copy(update={"status": Status.FAIL}) for r in good.results)
    printed = summary.lines(good.model_copy(update={"results": results}))
    assert len(printed) < summary.SHOWN + 10
    lines = {(r.control, r.message) for r in results}
    assert printed[-1] == f"and {len(lines) - summary.SHOWN} more findings; the report lists all of them"


def test_faults_are_printed() -> None:
    text = "\n".join(summary.lines(sample.report(good=True, faults=("node edge-c-1 is missing",))))
    assert "fault: node edge-c-1 is missing" in text


def test_control_characters_of_a_node_do_not_reach_the_terminal() -> None:
    good = sample.report(good=True)
    hostile = "\x1b]0;owned\x07\x1b[2Jfine\r\nOK: All controls hold\u202e [red]x[/red]"
    bad = good.results[0].model_copy(update={"status": Status.FAIL, "message": hostile})
    report = good.model_copy(update={"results": (bad, *good.results[1:])})
    plain = summary.lines(report)
    assert not any(set(line) & {"\x1b", "\x07", "\r", "\u202e"} for line in plain)
    assert sum(line.startswith("OK") for line in plain) == 0
    coloured = "\n".join(summary.lines(report, terminal=True, width=200))
    assert "\x1b]0" not in coloured
    assert "\x1b[2J" not in coloured
    assert "[red]x[/red]" in coloured


def test_a_pipe_gets_plain_text() -> None:
    stream = io.StringIO()
    summary.show(sample.report(), stream)
    assert "\x1b" not in stream.getvalue()
    assert "NOT OK" in stream.getvalue()


def test_a_terminal_gets_a_table_of_nodes_and_region() -> None:
    text = "\n".join(summary.lines(sample.report(), terminal=True, width=160))
    assert "nodes" in text
    assert "region" in text
    assert "\x1b[" in text
