"""The page holds every result, says only what the results say, and is safe against a hostile node."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest

from report import html
from report.clauses import frameworks
from report.drift import kind
from report.model import Change, ClauseSummary, FrameworkSummary, Report, Result, Status, Subject
from report.verdict import OPEN, URGENCY
from tests.unit import report_proof as proof
from tests.unit import report_sample as sample

HOSTILE = "</script></style><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}\x1b[2J"


class Page(HTMLParser):
    """What a browser sees: elements with attributes, ids, texts by element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open, data))

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        """Elements of a tag; `class_` matches one class."""
        found = [attrs for name, attrs in self.elements if name == tag]
        for key, value in wanted.items():
            name = key.rstrip("_").replace("_", "-")
            found = [a for a in found if value in (a.get(name) or "").split()]
        return found

    def text(self) -> str:
        return "".join(text for _, text in self.texts)


@pytest.fixture(scope="module")
def report() -> Report:
    return sample.report()


@pytest.fixture(scope="module")
def text(report: Report) -> str:
    return html.render(report)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


SMALL: dict[str, Any] = {"node_controls": 18, "region_controls": 8}


def test_every_result_is_written_out_once(report: Report, page: Page) -> None:
    listed = Counter(a["data-status"] for a in page.all("li") if "data-status" in a)
    assert listed == {status.value: n for status, n in report.counts().items()}
    ids = [a["id"] for _, a in page.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    assert {f"r{i}" for i in range(len(report.results))} <= set(ids)


def test_the_matrix_has_one_cell_for_every_pair_and_each_leads_to_its_detail(
    report: Report, page: Page
) -> None:
    cells = Counter(a["aria-label"] for a in page.all("a", class_="cell"))
    words = {status: status.value.replace("_", " ") for status in Status}
    assert cells == Counter(f"{r.control} on {r.subject}: {words[r.status]}" for r in report.results)
    ids = {a["id"] for _, a in page.elements if a.get("id")}
    assert all((a["href"] or "")[1:] in ids for a in page.all("a") if (a["href"] or "").startswith("#"))


def test_the_tiles_count_what_the_report_counts(report: Report, text: str) -> None:
    tiles = re.findall(r'data-show="(\w+)".*?class="number">([\d,]+)<', text)
    assert {name: int(n.replace(",", "")) for name, n in tiles} == {
        s.value: n for s, n in report.counts().items()
    }


def test_summaries_by_layer_add_up_to_the_whole(report: Report, text: str) -> None:
    table = re.search(r"Results by layer</caption>(.*?)</table>", text, re.S)
    assert table
    numbers = re.findall(r'<td class="num[^"]*">(\d+)</td>', table[1])
    assert sum(map(int, numbers)) == len(report.results)


@pytest.mark.parametrize(
    ("given", "tone"),
    [
        ({"good": True}, "good"),
        ({}, "bad"),
        ({"good": True, "faults": ("node edge-a-1 was never judged",)}, "bad"),
        ({"results": (), "subjects": (), "controls": ()}, "bad"),
    ],
)
def test_the_page_is_green_only_when_the_run_is(given: dict[str, Any], tone: str) -> None:
    report = sample.report(**SMALL | given)
    page = Page(html.render(report))
    assert len(page.all("section", class_=tone)) == 1
    assert (tone == "good") == (report.exit_code() == 0)
    assert ("Why the run itself is red" in page.text()) == bool(report.faults or report.doubts())


def test_faults_are_on_the_page() -> None:
    text = Page(
        html.render(sample.report(**SMALL, good=True, faults=("node edge-a-1 was never judged",)))
    ).text()
    assert "node edge-a-1 was never judged" in text


def test_a_region_only_run_says_so_before_the_verdict() -> None:
    run = sample.report().run.model_copy(update={"scope": "region only"})
    text = Page(html.render(sample.report(**SMALL, good=True, run=run))).text()
    assert text.index("Region only: no node was verified.") < text.index("All controls hold")


def test_reasons_waivers_references_and_tests_are_shown(report: Report, page: Page) -> None:
    text = page.text()
    for word in ("WVR-2026-004", "security-office", "platform-engineering", "SEC-118", "2026-04-23"):
        assert word in text
    assert "the kernel belongs to the host here" in text
    for control in report.controls:
        assert control.why in text
        assert "; ".join(control.references) in text
    assert all(result.test in text for result in report.results)


def _hostile() -> Report:
    good = sample.report(**SMALL, good=True)
    bad = Result(
        control=HOSTILE, subject=HOSTILE, status=Status.FAIL, message=HOSTILE,
        seconds=1, evidence=HOSTILE, test=HOSTILE,
    )  # fmt: skip
    subject = Subject(id=HOSTILE, kind="node", group=HOSTILE, facts={HOSTILE: HOSTILE, "list": [HOSTILE]})
    region = sample.region()
    region["nodes"][0] |= {"name": HOSTILE, "address": HOSTILE, "role": HOSTILE, "zone": HOSTILE}
    region["sites"]["noc-mumbai"]["ranges"] = [HOSTILE]
    run = good.run.model_copy(update={"remarks": (HOSTILE,), "stack": HOSTILE, "commit": HOSTILE})
    changes = {"run": run, "faults": (HOSTILE,), "region": region}
    return good.model_copy(
        update={"results": (*good.results, bad), "subjects": (*good.subjects, subject), **changes}
    )


@pytest.mark.parametrize("large", [False, True])
def test_what_a_hostile_node_says_never_becomes_markup(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if large:
        monkeypatch.setattr("report.view.STATIC_RESULTS", 10)
    page = Page(html.render(_hostile()))
    scripts = page.all("script")
    hostile = _hostile()
    assert len(scripts) == 1 + (len({r.control for r in hostile.results}) if large else 0)
    assert not page.all("img")
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert "alert(2)" in page.text()
    assert "49" not in [text.strip() for _, text in page.texts]


def test_the_policy_admits_exactly_our_script_and_style(text: str) -> None:
    policy = Page(text).all("meta", http_equiv="Content-Security-Policy")[0]["content"] or ""
    for tag in ("script", "style"):
        bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert len(bodies) == 1
        digest = base64.b64encode(hashlib.sha256(bodies[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_the_page_names_nothing_that_could_be_loaded(page: Page) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "href", "data", "action", "poster", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith("#") or value == "data:,", (tag, name, value)
        assert "style" not in attributes


def test_a_large_report_carries_every_result_and_writes_out_the_open_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("report.view.STATIC_RESULTS", 10)
    report = sample.report()
    page = Page(html.render(report))
    chunks = [read_chunk(text) for tag, text in page.texts if tag == "script" and text.startswith("H4sI")]
    names = sorted(control.id for control in report.controls)
    assert len(chunks) == len(names)
    order = [status.value for status in URGENCY]
    found = Counter(order[row[1]] for chunk in chunks for row in chunk["rows"])
    assert found == Counter({s.value: n for s, n in report.counts().items() if n})
    told = {
        (name, *(chunk["texts"][i] for i in (row[0], *row[2:5])))
        for name, chunk in zip(names, chunks, strict=True)
        for row in chunk["rows"]
    }
    assert told == {(r.control, r.subject, r.message, r.evidence, r.test) for r in report.results}
    listed = Counter(a["data-status"] for a in page.all("li") if "data-status" in a)
    counts = report.counts()
    assert listed == {s.value: counts[s] for s in (Status.FAIL, Status.ERROR, Status.MANUAL)}


def read_chunk(text: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_the_heat_map_has_the_most_urgent_result_of_every_pair() -> None:
    report = sample.report(**SMALL, contract=sample.region(counts={"edge": 60}))
    again = next(r for r in report.results if r.status is Status.PASS and r.subject.startswith("edge"))
    worse = again.model_copy(update={"status": Status.ERROR})  # a second test of the same pair
    report = report.model_copy(update={"results": (*report.results, worse)})
    page = Page(html.render(report))
    places = [
        i for i, (tag, attrs) in enumerate(page.elements) if tag == "script" and attrs.get("id") == "grid"
    ]
    assert len(places) == 1
    nodes, roles, cells = read_chunk(
        next(t for tag, t in page.texts if tag == "script" and t.startswith("H4sI"))
    )
    assert roles == ["edge"]
    assert len(nodes) == len(cells) == 60
    columns = sorted(control.id for control in report.controls)
    shown = {
        (columns[i], node[0]): URGENCY[int(code)]
        for node, row in zip(nodes, cells, strict=True)
        for i, code in enumerate(row)
        if code != "."
    }
    names = {node[0] for node in nodes}
    assert shown == {(r.control, r.subject): r.status for r in report.results if r.subject in names}


def test_a_page_leaves_out_evidence_of_what_held_before_it_grows_beyond_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("report.view.STATIC_RESULTS", 10)
    monkeypatch.setattr("report.packing.MOST_EVIDENCE", 500)
    base = sample.report(**SMALL)
    results = tuple(
        r.model_copy(update={"evidence": f"{i} {r.evidence}"}) for i, r in enumerate(base.results)
    )
    page = Page(html.render(base.model_copy(update={"results": results})))
    chunks = [read_chunk(text) for tag, text in page.texts if tag == "script" and text.startswith("H4sI")]
    left_out = {
        s
        for chunk in chunks
        for row in chunk["rows"]
        if "Left out" in chunk["texts"][row[3]]
        for s in [row[1]]
    }
    assert left_out
    assert not left_out & {URGENCY.index(s) for s in OPEN}


def test_a_clause_is_proven_only_when_all_of_its_controls_are() -> None:
    passed, failed, skipped = Status.PASS, Status.FAIL, Status.NOT_APPLICABLE
    known = {
        "a": passed,
        "b": failed,
        "w": Status.WAIVED,
        "n": skipped,
        "m": Status.MANUAL,
        "e": Status.ERROR,
    }
    expected = {
        ("a",): "proven", ("a", "n"): "proven", ("n",): "not applicable", ("a", "w"): "waived",
        ("a", "b"): "open",
        ("m",): "open", ("e", "a"): "open", ("a", "gone"): "unproven", ("w", "gone"): "unproven",
        ("b", "gone"): "open", ("gone",): "unproven", (): "uncovered",
    }  # fmt: skip
    clauses = [ClauseSummary(id=str(i), section="", title="", controls=c) for i, c in enumerate(expected)]
    clauses.append(ClauseSummary(id="r", section="", title="", reason="the provider's"))
    listed = FrameworkSummary(id="f", title="F", version="1", clauses=tuple(clauses))
    judged = frameworks([listed], known.get)[0]
    assert [clause.state for clause in judged.clauses] == [*expected.values(), "reasoned"]
    assert sum(judged.counts.values()) == len(clauses)


@pytest.mark.parametrize(
    ("before", "after", "meaning"),
    [
        (Status.PASS, Status.FAIL, "worse"),
        (Status.PASS, Status.WAIVED, "worse"),
        (Status.WAIVED, Status.FAIL, "worse"),
        (Status.ERROR, Status.FAIL, "worse"),
        (Status.FAIL, Status.PASS, "better"),
        (Status.FAIL, Status.WAIVED, "changed"),
        (Status.FAIL, Status.NOT_APPLICABLE, "changed"),
        (Status.PASS, None, "gone"),
        (None, Status.ERROR, "new and open"),
        (None, Status.PASS, "new"),
    ],
)
def test_a_change_is_called_what_it_means(before: Status | None, after: Status | None, meaning: str) -> None:
    assert kind(Change(control="c", subject="s", before=before, after=after, since=sample.STARTED)) == meaning


def test_frameworks_drift_trend_procedures_and_risks_are_on_the_page() -> None:
    report = proof.report()
    text = Page(html.render(report, proof.history(report))).text()
    for framework in report.frameworks:
        assert all(clause.title in text for clause in framework.clauses)
    assert all(change.subject in text for change in report.changes)
    assert "10 open results now, 58 on 2026-02-18" in text
    assert "the evidence expired on 2026-03-05" in text
    assert sample.waiver().risk in text
    assert "5 days left" in text


def test_a_fleet_shares_columns_and_the_sums_are_true() -> None:
    report = sample.report(**SMALL, contract=sample.region(counts={"edge": 30, "app": 20, "archive": 10}))
    labels = [a["title"] for a in Page(html.render(report)).all("a", class_="cell")]
    edge = [label for label in labels if label and label.startswith("edge: ")]
    assert len(edge) == 18
    assert all(label.endswith("of 30)") for label in edge)


def test_an_open_finding_is_seen_in_a_shared_column() -> None:
    good = sample.report(**SMALL, good=True, contract=sample.region(counts={"edge": 60}))
    index, first = next((i, r) for i, r in enumerate(good.results) if r.subject.startswith("edge"))
    results = list(good.results)
    results[index] = first.model_copy(update={"status": Status.FAIL})
    cells = Page(html.render(good.model_copy(update={"results": tuple(results)}))).all("a", class_="cell")
    assert [a["title"] for a in cells if "is-fail" in (a["class"] or "")] == ["edge: fail (1 of 60)"]


def test_columns_of_one_matrix_have_different_names() -> None:
    good = sample.report(**SMALL, good=True)
    twins = {"key/main": "key/customer/data", "key/extra-1": "key/platform/data"}
    report = good.model_copy(
        update={
            "subjects": tuple(s.model_copy(update={"id": twins.get(s.id, s.id)}) for s in good.subjects),
            "results": tuple(
                r.model_copy(update={"subject": twins.get(r.subject, r.subject)}) for r in good.results
            ),
        }
    )
    heads = re.findall(r'<th scope="col"><span>(.*?)</span>', html.render(report))
    assert {"customer/data", "platform/data"} <= set(heads)


def test_headings_and_table_headers_are_marked_for_screen_readers(page: Page) -> None:
    assert all(a.get("scope") for a in page.all("th"))
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    assert page.all("html")[0]["lang"] == "en"
    sections = page.all("section")
    ids = {a["id"] for _, a in page.elements if a.get("id")}
    assert all(a.get("aria-labelledby") in ids for a in sections)
