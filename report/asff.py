"""Findings for AWS Security Hub (ASFF, schema 2018-10-08), in batches that BatchImportFindings takes.

Limits: 100 findings a batch, 240 KB a finding, 6 MB a batch (Security Hub partner guide, "Guidelines for
using the BatchImportFindings API", read 2026-11); lengths of texts as in the ASFF syntax of the user guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from report.findings import RUN, Finding, findings, reasons, waiver_line
from report.history import Entry
from report.model import Report, Result, Status, Subject
from report.plain import label, plain
from report.verdict import OPEN

MOST_FINDINGS = 100
MOST_BYTES = 6_000_000
_EVIDENCE = 8000
_TYPE = "Software and Configuration Checks/Industry and Regulatory Standards"
COMPLIANCE = {
    Status.FAIL: "FAILED",
    Status.ERROR: "WARNING",
    Status.MANUAL: "WARNING",
    Status.WAIVED: "FAILED",
    Status.PASS: "PASSED",
    Status.NOT_APPLICABLE: "NOT_AVAILABLE",
}


def write(report: Report, path: Path, past: Sequence[Entry] = ()) -> None:
    """Write asff.json: a list of requests, each a whole `--cli-input-json` of `batch-import-findings`."""
    text = json.dumps(batches(report, past), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", errors="replace")


def batches(report: Report, past: Sequence[Entry] = ()) -> list[dict[str, Any]]:
    """Requests within the service's limits; the run's own faults and doubts come first."""
    found: list[list[dict[str, Any]]] = [[]]
    size = 0
    for finding in _all(report, past):
        length = len(json.dumps(finding).encode())
        if len(found[-1]) == MOST_FINDINGS or size + length > MOST_BYTES:
            found.append([])
            size = 0
        found[-1].append(finding)
        size += length
    return [{"Findings": batch} for batch in found if batch]


def _all(report: Report, past: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """Faults, doubts, open and waived findings, and those that an earlier run had and this one has not.

    The last kind tells Security Hub that something was repaired; passes that never failed stay at home.
    """
    for kind, text in reasons(report):
        yield _run_finding(report, kind, text)
    told: set[tuple[str, str]] = set()
    earlier = {(control, subject) for entry in past for control, subject, _ in entry.red}
    earlier |= {(c.control, c.subject) for c in report.changes if c.before not in (None, Status.PASS)}
    for finding in findings(report):
        pair = (finding.result.control, finding.result.subject)
        urgent = finding.result.status in (*OPEN, Status.WAIVED)
        if pair not in told and (urgent or pair in earlier):
            told.add(pair)
            yield _finding(report, finding)


def _finding(report: Report, finding: Finding) -> dict[str, Any]:
    result, control = finding.result, finding.control
    told = waiver_line(result) if result.status is Status.WAIVED else result.message or "as required"
    held = result.status in (Status.PASS, Status.NOT_APPLICABLE)
    part = _frame(report, control.id, finding.subject.id, control.severity)
    return part | {
        "Title": label(f"{control.id} {control.title}", 256),
        "Description": plain(f"{told} (why it matters: {control.why})", 1024),
        "Resources": [_resource(report, finding.subject)],
        "Compliance": {"Status": COMPLIANCE[result.status]} | _requirements(finding),
        "Workflow": {"Status": _workflow(result)},
        "RecordState": "ARCHIVED" if held else "ACTIVE",
        "ProductFields": _fields(report, finding),
    }


def _requirements(finding: Finding) -> dict[str, list[str]]:
    # At most 32 of at most 64 characters.
    found = [label(text, 64) for text in (*finding.control.references, *finding.control.rows)][:32]
    return {"RelatedRequirements": found} if found else {}


def _workflow(result: Result) -> str:
    if result.status is Status.WAIVED and result.waiver is not None:
        return "SUPPRESSED"
    return "RESOLVED" if result.status in (Status.PASS, Status.NOT_APPLICABLE) else "NEW"


def _run_finding(report: Report, kind: str, text: str) -> dict[str, Any]:
    return _frame(report, RUN, f"{kind}/{label(text, 200)}", "critical") | {
        "Title": label(f"{kind} of the verification of {report.run.stack}: {text}", 256),
        "Description": plain(text, 1024).strip() or kind,
        "Resources": [{"Type": "AwsAccount", "Id": f"AWS::::Account:{label(report.run.account, 64)}"}],
        "Compliance": {"Status": "FAILED"},
        "Workflow": {"Status": "NEW"},
        "RecordState": "ACTIVE",
    }


def _frame(report: Report, control: str, subject: str, severity: str) -> dict[str, Any]:
    """What every finding has: who found it, when, how bad."""
    run = report.run
    moment = f"{run.started:%Y-%m-%dT%H:%M:%S}.{run.started.microsecond // 1000:03d}Z"
    region, account = label(run.region, 64), label(run.account, 64)
    level = {"Label": severity.upper(), "Original": severity}
    return {
        "SchemaVersion": "2018-10-08",
        "Id": label(f"stockade/{run.stack}/{region}/{control}/{subject}", 512),
        "ProductArn": f"arn:{_partition(region)}:securityhub:{region}:{account}:product/{account}/default",
        "ProductName": "Stockade",
        "GeneratorId": label(f"stockade/{control}", 512),
        "AwsAccountId": account,
        "Region": region,
        "CreatedAt": moment,
        "UpdatedAt": moment,
        "Types": [_TYPE],
        "Severity": level,
        "FindingProviderFields": {"Severity": level, "Types": [_TYPE]},
    }


def _partition(region: str) -> str:
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rpartition("-")[0].rpartition("-")[0], "aws")


def _resource(report: Report, subject: Subject) -> dict[str, Any]:
    region, account = label(report.run.region, 64), label(report.run.account, 64)
    partition = _partition(region)
    facts = {label(k, 128): label(str(v), 1024) for k, v in subject.facts.items()}
    name = {
        "stack": label(report.run.stack, 1024),
        "subject": label(subject.id, 1024),
        "group": label(subject.group),
    }
    instance = subject.facts.get("instance_id")
    known = subject.kind == "node" and isinstance(instance, str) and instance
    place = f"arn:{partition}:ec2:{region}:{account}:instance/{instance}" if known else subject.id
    return {
        "Type": "AwsEc2Instance" if known else "Other",
        "Id": label(place, 512),
        "Partition": partition,
        "Region": region,
        "Details": {"Other": dict(list({**name, **facts}.items())[:50])},
    }


def _fields(report: Report, finding: Finding) -> dict[str, str]:
    """At most 50 pairs; a key of at most 128 and a value of at most 2,048 characters."""
    result = finding.result
    told = {
        "status": result.status.value,
        "layer": finding.control.layer,
        "profile": finding.control.profile,
        "test": result.test,
        "commit": report.run.commit or "",
        "evidence": result.evidence,
        "waiver": result.waiver.id if result.waiver else "",
        "waiver_expires": result.waiver.expires.isoformat() if result.waiver else "",
        "waiver_risk": result.waiver.risk if result.waiver else "",
    }
    return {f"stockade/{key}": plain(text, 2048) for key, text in told.items() if text.strip()}
