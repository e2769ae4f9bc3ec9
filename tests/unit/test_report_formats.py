"""Every machine-readable rendering: valid where it is read, whole, and as red as the run."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import jsonschema
import pytest
from moto import mock_aws
from trestle.oscal.assessment_results import AssessmentResults

from report import asff, brief, html, junit, oscal, sarif, table
from report.findings import RUN
from report.model import Report, Result, Status, Subject
from report.verdict import OPEN
from tests.unit import report_sample as sample

FAULT = "node edge-a-1 was never judged"
TRICKS = (
    "\u202eevil\u2066 \x00\x1b[2J\ufeff\u200b\r\x07\U000e0041 </script>]]>&<b> {0} [a](https://e.example)"
)
EVIDENCE = "=cmd|'/c calc'!A1\n" + "x" * 100_000
SMALL: dict[str, Any] = {"node_controls": 18, "region_controls": 8}


@cache
def schema() -> Any:
    path = Path(__file__).parent / "published" / "sarif-schema-2.1.0.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    return jsonschema.Draft4Validator(found, format_checker=jsonschema.FormatChecker())


def odd() -> Report:
    """Names, messages and evidence of a hostile node in every place a rendering shows."""
    good = sample.report(**SMALL, good=True)
    first = good.results[0]
    bad = [
        Result.model_construct(
            control="!! evil", subject=f"=HYPERLINK({TRICKS})", status=status, message=f"@SUM(1) {TRICKS}",
            seconds=1.0, evidence=EVIDENCE, test=f"//evil.example/../{TRICKS}", waiver=None,
        )
        for status in Status
    ]  # fmt: skip
    waiver = sample.waiver().model_copy(
        update=dict.fromkeys(("id", "owner", "reason", "ticket", "risk"), TRICKS)
    )
    bad.append(first.model_copy(update={"status": Status.WAIVED, "waiver": waiver}))
    subject = Subject.model_construct(
        id=TRICKS, kind="node", group=TRICKS, facts={"instance_id": TRICKS, "": "", "n": 1}
    )
    control = good.controls[0].model_copy(update={"title": TRICKS, "why": TRICKS, "references": ("x" * 500,)})
    run = good.run.model_copy(update={"stack": TRICKS, "remarks": (TRICKS,), "commit": TRICKS})
    return good.model_copy(
        update={
            "run": run, "faults": (TRICKS, "", TRICKS), "results": (*good.results, *bad),
            "subjects": (*good.subjects, subject), "controls": (control, *good.controls[1:]),
        }
    )  # fmt: skip


def of_one_status(status: Status) -> Report:
    good = sample.report(**SMALL, good=True)
    waiver = sample.waiver() if status is Status.WAIVED else None
    return good.model_copy(
        update={
            "results": tuple(r.model_copy(update={"status": status, "waiver": waiver}) for r in good.results)
        }
    )


def huge() -> Report:
    """More open results than code scanning takes."""
    one = of_one_status(Status.FAIL)
    rounds = range(sarif.MOST_RESULTS // len(one.results) + 2)
    results = tuple(r.model_copy(update={"test": f"{r.test}[{n}]"}) for n in rounds for r in one.results)
    return one.model_copy(update={"results": results})


REPORTS: dict[str, Any] = {
    "mixed": sample.report,
    "good": lambda: sample.report(good=True),
    "fault": lambda: sample.report(**SMALL, good=True, faults=(FAULT,)),
    "empty": lambda: sample.report(good=True, results=(), subjects=(), controls=(), contract={}),
    "odd": odd,
} | {f"only {status}": (lambda status=status: of_one_status(status)) for status in Status}


def written(write: Any, report: Report, tmp_path: Path) -> str:
    write(report, tmp_path / "file")
    return (tmp_path / "file").read_text(encoding="utf-8")


def results_of(log: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = log["runs"][0]["results"]
    return found


# SARIF


@pytest.mark.parametrize("name", list(REPORTS))
def test_sarif_follows_the_published_schema_and_counts_every_open_result(name: str, tmp_path: Path) -> None:
    report = REPORTS[name]()
    log = json.loads(written(sarif.write, report, tmp_path))
    assert [e.message[:200] for e in schema().iter_errors(log)] == []
    counts = Counter(r["properties"]["status"] for r in results_of(log) if r["ruleId"] != RUN)
    assert counts == {s.value: n for s, n in report.counts().items() if n and s in (*OPEN, Status.WAIVED)}
    assert all(result["kind"] == "fail" for result in results_of(log))
    run = log["runs"][0]
    assert all(run["tool"]["driver"]["rules"][r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])
    assert run["invocations"][0]["exitCode"] == report.exit_code()


def test_sarif_shows_what_is_waived_as_suppressed_and_nothing_else() -> None:
    results = results_of(sarif.log(sample.report()))
    suppressed = [r for r in results if "suppressions" in r]
    assert suppressed
    assert {r["properties"]["status"] for r in suppressed} == {"waived"}
    assert len(suppressed) == sample.report().counts()[Status.WAIVED]
    assert all("WVR-2026-004 until 2026-04-23" in r["suppressions"][0]["justification"] for r in suppressed)


def test_sarif_severities_are_those_that_github_reads() -> None:
    report = sample.report()
    rules = {r["id"]: r for r in sarif.log(report)["runs"][0]["tool"]["driver"]["rules"]}
    bands = {"critical": (9, 10), "high": (7, 8.9), "medium": (4, 6.9), "low": (0.1, 3.9)}
    for control in report.controls:
        low, high = bands[control.severity]
        assert low <= float(rules[control.id]["properties"]["security-severity"]) <= high
        assert len(rules[control.id]["properties"]["tags"]) <= 20


def test_sarif_points_at_a_file_of_the_checkout_and_at_the_subject() -> None:
    report = sample.report()
    root = Path(__file__).parents[2]
    for result in results_of(sarif.log(report)):
        place = result["locations"][0]
        uri = place["physicalLocation"]["artifactLocation"]["uri"]
        assert (root / uri).exists() or uri.startswith("tests/")
        assert place["logicalLocations"][0]["fullyQualifiedName"].startswith("in-mumbai/")
    hostile = [r for r in results_of(sarif.log(odd())) if r["ruleId"] == "!! evil"]
    assert {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in hostile} == {
        "controls/catalogue"
    }


def test_sarif_holds_no_more_than_code_scanning_takes_and_says_how_many_it_left_out() -> None:
    report = huge()
    results = results_of(sarif.log(report))
    assert len(results) == sarif.MOST_RESULTS
    left = len(report.results) - (sarif.MOST_RESULTS - 1)
    assert f"{left:,} more results" in results[0]["message"]["text"]


def test_a_forged_link_or_placeholder_in_sarif_stays_text() -> None:
    texts = [r["message"]["text"] for r in results_of(sarif.log(odd())) if r["ruleId"] == "!! evil"]
    assert texts
    assert all("\\[a\\](https" in text and "{{0}}" in text for text in texts)


# OSCAL


@pytest.mark.parametrize("name", list(REPORTS))
def test_oscal_is_read_by_the_typed_model_of_its_maintainers(name: str, tmp_path: Path) -> None:
    report = REPORTS[name]()
    document = json.loads(written(oscal.write, report, tmp_path))
    read = AssessmentResults.model_validate(document["assessment-results"])
    result = read.results[0]
    seen = {o.uuid for o in result.observations or []}
    risks = {r.uuid for r in result.risks or []}
    assert len(seen) == len(result.observations or [])
    assert len(risks) == len(result.risks or [])
    for finding in result.findings or []:
        assert {o.observation_uuid for o in finding.related_observations or []} <= seen
        assert {r.risk_uuid for r in finding.related_risks or []} <= risks
    defined = result.local_definitions
    items = {i.uuid for i in (defined.inventory_items or [])} if defined else set()
    assert {s.subject_uuid for o in result.observations or [] for s in o.subjects or []} <= items
    assert {o.observation_uuid for r in result.risks or [] for o in r.related_observations or []} <= seen


def test_oscal_has_a_finding_for_each_judged_control_and_its_state_is_that_of_the_worst_result() -> None:
    report = sample.report()
    findings = oscal.document(report)["assessment-results"]["results"][0]["findings"]
    states = {f["target"]["target-id"]: f["target"]["status"]["state"] for f in findings}
    judged: dict[str, set[Status]] = {}
    for r in report.results:
        if r.status is not Status.NOT_APPLICABLE:
            judged.setdefault(r.control, set()).add(r.status)
    assert states == {c: "satisfied" if s == {Status.PASS} else "not-satisfied" for c, s in judged.items()}


def test_oscal_counts_what_is_nowhere_applicable_as_not_assessed() -> None:
    result = oscal.document(of_one_status(Status.NOT_APPLICABLE))["assessment-results"]["results"][0]
    selection = result["reviewed-controls"]["control-selections"][0]
    assert len(selection["exclude-controls"]) == 26
    assert [f["target"]["target-id"] for f in result["findings"]] == [RUN]


def test_oscal_has_a_waiver_as_an_approved_deviation_with_its_deadline() -> None:
    risks = oscal.document(sample.report())["assessment-results"]["results"][0]["risks"]
    waived = [r for r in risks if r["status"] == "deviation-approved"]
    assert [r["deadline"] for r in waived] == ["2026-04-23T09:26:53+00:00"]
    assert waived[0]["statement"] == sample.waiver().risk


def test_oscal_keeps_its_uuids_from_run_to_run() -> None:
    one = sample.report()
    later = one.model_copy(
        update={"run": one.run.model_copy(update={"started": sample.STARTED + timedelta(days=1)})}
    )
    first, second = (oscal.document(r)["assessment-results"] for r in (one, later))
    assert first["uuid"] != second["uuid"]
    for part in ("findings", "observations", "risks"):
        assert [x["uuid"] for x in first["results"][0][part]] == [
            x["uuid"] for x in second["results"][0][part]
        ]


def test_one_thing_seen_on_many_nodes_is_one_observation_about_all_of_them() -> None:
    fleet = sample.report(**SMALL, good=True, contract=sample.region(counts={"edge": 60}))
    observations = oscal.document(fleet)["assessment-results"]["results"][0]["observations"]
    assert max(len(o["subjects"]) for o in observations) > 40
    told = sum(len(o["subjects"]) for o in observations)
    assert told == len(fleet.results)


# CSV


@pytest.mark.parametrize("name", list(REPORTS))
def test_csv_has_every_result_and_no_cell_that_a_spreadsheet_computes(name: str, tmp_path: Path) -> None:
    report = REPORTS[name]()
    table.write(report, tmp_path / "file")
    raw = (tmp_path / "file").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    counts = Counter(row["status"] for row in rows if row["control"] != RUN)
    assert counts == {s.value: n for s, n in report.counts().items() if n}
    for row in rows:
        assert None not in row
        assert not [
            text
            for text in row.values()
            if text.lstrip(" '\"").startswith(("=", "+", "-", "@")) and text[0] != "'"
        ]
        assert max(map(len, row.values())) < 32_767


def test_a_packed_csv_is_the_same_table_and_always_the_same_bytes(tmp_path: Path) -> None:
    report = sample.report()
    for name in ("a.csv", "a.csv.gz", "b.csv.gz"):
        table.write(report, tmp_path / name)
    packed = (tmp_path / "a.csv.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "a.csv").read_bytes()
    assert packed == (tmp_path / "b.csv.gz").read_bytes()


def test_the_csv_of_a_fleet_is_written_row_by_row(tmp_path: Path) -> None:
    one = sample.report(good=True)
    rounds = range(40)
    results = tuple(r.model_copy(update={"test": f"{r.test}[{n}]"}) for n in rounds for r in one.results)
    report = one.model_copy(update={"results": results})
    report.doubts()
    tracemalloc.start()
    table.write(report, tmp_path / "fleet.csv")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < (tmp_path / "fleet.csv").stat().st_size / 2


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", " =1", "\u00a0=1", '"=1', "'=1", "\uff1d1", "\n=1"]
)
def test_what_would_be_computed_becomes_text(text: str) -> None:
    assert table.cell(text).startswith("'")


# ASFF


def shape() -> Any:
    return boto3.client(
        "securityhub", region_name="ap-south-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


@pytest.mark.parametrize("name", list(REPORTS))
def test_asff_fits_the_service_model_and_its_limits(name: str, tmp_path: Path) -> None:
    from botocore.validate import ParamValidator  # noqa: PLC0415

    report = REPORTS[name]()
    requests = json.loads(written(asff.write, report, tmp_path))
    operation = shape().meta.service_model.operation_model("BatchImportFindings")
    for request in requests:
        assert ParamValidator().validate(request, operation.input_shape).generate_report() == ""
        assert 1 <= len(request["Findings"]) <= 100
        for finding in request["Findings"]:
            assert len(json.dumps(finding).encode()) < 240_000
            limits = {"Title": 256, "Description": 1024, "Id": 512, "GeneratorId": 512}
            assert [
                k for k, most in limits.items() if not 0 < len(finding[k]) <= most or not finding[k].strip()
            ] == []
    pairs = {(r.control, r.subject) for r in report.results if r.status in (*OPEN, Status.WAIVED)}
    found = [finding for request in requests for finding in request["Findings"]]
    assert len(found) == len(pairs) + bool(report.faults or report.doubts())
    assert len({finding["Id"] for finding in found}) == len(found)


def test_the_account_takes_every_batch() -> None:
    report = sample.report(contract=sample.region(counts={"edge": 40, "app": 30, "archive": 30}))
    requests = asff.batches(report)
    assert len(requests) > 1
    with mock_aws():
        client = shape()
        client.enable_security_hub()
        for request in requests:
            answer = client.batch_import_findings(**request)
            assert (answer["FailedCount"], answer["SuccessCount"]) == (0, len(request["Findings"]))
        pages = client.get_paginator("get_findings").paginate()
        kept = [finding for page in pages for finding in page["Findings"]]
    assert {f["Id"] for r in requests for f in r["Findings"]} == {f["Id"] for f in kept}


def test_asff_names_the_instance_of_a_node_and_suppresses_what_is_waived() -> None:
    found = [f for batch in asff.batches(sample.report()) for f in batch["Findings"]]
    nodes = [f for f in found if f["Resources"][0]["Type"] == "AwsEc2Instance"]
    assert nodes
    assert all(
        f["Resources"][0]["Id"].startswith("arn:aws:ec2:ap-south-1:111122223333:instance/i-") for f in nodes
    )
    states = {
        f["ProductFields"]["stockade/status"]: f["Workflow"]["Status"] for f in found if "ProductFields" in f
    }
    assert states == {"fail": "NEW", "error": "NEW", "manual": "NEW", "waived": "SUPPRESSED"}


# All of them


@pytest.mark.parametrize("name", ["fault", "empty", "odd"])
def test_what_is_wrong_with_the_run_stands_first_in_every_format(name: str, tmp_path: Path) -> None:
    report = REPORTS[name]()
    assert report.exit_code() != 0
    assert results_of(sarif.log(report))[0]["ruleId"] == RUN
    assert not sarif.log(report)["runs"][0]["invocations"][0]["executionSuccessful"]
    result = oscal.document(report)["assessment-results"]["results"][0]
    assert {r[0]["title"].split()[0] for r in (result["observations"], result["risks"])} <= {"fault", "doubt"}
    assert result["findings"][0]["target"]["target-id"] == RUN
    table.write(report, tmp_path / "t.csv")
    first = (tmp_path / "t.csv").read_text(encoding="utf-8-sig").splitlines()[1]
    assert first.startswith(('"fault"', '"doubt"'))
    assert asff.batches(report)[0]["Findings"][0]["GeneratorId"] == f"stockade/{RUN}"
    junit.write(report, tmp_path / "j.xml")
    suite = ET.parse(tmp_path / "j.xml").getroot().find("testsuite")
    assert suite is not None
    assert suite.get("name") == "run"
    page = html.render(report)
    assert page.index("Why the run itself is red") < page.index('id="summary"')
    assert brief.render(report).index("The run itself is red") < brief.render(report).index('class="tiles"')


def test_nothing_unseen_is_in_any_format(tmp_path: Path) -> None:
    report = odd()
    texts = {"html": html.render(report), "brief": brief.render(report)}
    for name, write in {
        "sarif": sarif.write,
        "oscal": oscal.write,
        "csv": table.write,
        "asff": asff.write,
    }.items():
        texts[name] = written(write, report, tmp_path)
    junit.write(report, tmp_path / "junit.xml")
    ET.parse(tmp_path / "junit.xml")
    texts["junit"] = (tmp_path / "junit.xml").read_text(encoding="utf-8")
    for name, text in texts.items():
        assert not set("\u202e\u2066\x00\x1b\u200b\x07\U000e0041") & set(text), name
        assert "\\u202e" not in text, name
        assert "\ufffdevil" in text, name
        assert "x" * 21_000 not in text, name
