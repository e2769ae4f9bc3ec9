"""Findings for AWS Security Hub (ASFF, schema 2018-10-08), in batches that BatchImportFindings takes.

Limits: 100 findings a batch, 240 KB a finding, 6 MB a batch (Security Hub partner guide, "Guidelines for
using the BatchImportFindings API", read 2026-11); lengths of texts as in the ASFF syntax of the user guide.

BatchImportFindings sets a workflow status only when it creates a finding, and Security Hub never takes one
back from SUPPRESSED (API reference, WorkflowStatus). So what is waived is a finding of its own, named by its
waiver too: when the waiver ends, that one is archived and the open one is new or active again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from report.findings import RUN, Finding, findings, identity, reasons, waiver_line
from report.history import Entry
from report.model import Report, Result, Status, Subject, Waiver
from report.plain import label, plain
from report.told import Key, key_of, moment, recorded
from report.verdict import OPEN, count

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


def write(report: Report, path: Path, records: Sequence[Entry] = ()) -> None:
    """Write asff.json: a list of requests, each a whole `--cli-input-json` of `batch-import-findings`."""
    text = json.dumps(batches(report, records), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", errors="replace")


def batches(report: Report, records: Sequence[Entry] = ()) -> list[dict[str, Any]]:
    """Requests within the service's limits; what is wrong with the run comes first.

    `records`: those of the runs over this stack, this one among them, in any order.
    """
    found: list[list[dict[str, Any]]] = [[]]
    size = 0
    for finding in _all(report, records):
        length = len(json.dumps(finding).encode())
        if len(found[-1]) == MOST_FINDINGS or size + length > MOST_BYTES:
            found.append([])
            size = 0
        found[-1].append(finding)
        size += length
    return [{"Findings": batch} for batch in found if batch]


def _all(report: Report, records: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """What is wrong with the run, what is open or waived, and the end of what earlier runs told of."""
    known = recorded(report, records)
    now = _now(report)
    yield from (known.dated(key, finding) for key, finding in now.items())
    judged = {(f.result.control, f.result.subject): f for f in reversed(findings(report))}
    for key in known.first:
        if key not in now and (pair := key[:2]) in judged:
            yield known.dated(key, _finding(report, judged[pair], key))
        elif key not in now and known.settled(key):
            yield known.dated(key, _gone(report, key))


def _now(report: Report) -> dict[Key, dict[str, Any]]:
    """What is not as it should be, each once with its most urgent result."""
    found = {key_of(RUN, ""): _run_finding(report)} if reasons(report) else {}
    seen: set[tuple[str, str]] = set()
    for finding in findings(report, (*OPEN, Status.WAIVED)):
        pair = (finding.result.control, finding.result.subject)
        if pair not in seen:
            seen.add(pair)
            key = key_of(*pair, finding.result.waiver if finding.result.status is Status.WAIVED else None)
            found[key] = _finding(report, finding, key)
    return found


def _finding(report: Report, finding: Finding, key: Key) -> dict[str, Any]:
    result, control = finding.result, finding.control
    told = waiver_line(result) if result.status is Status.WAIVED else result.message or "as required"
    # Over: the pair holds, or what is told of it now is another finding (waived, or no longer so).
    over = result.status in (Status.PASS, Status.NOT_APPLICABLE) or key != key_of(*key[:2], _waiver(result))
    part = _frame(report, key, control.severity)
    return part | {
        "Title": label(f"{control.id} {control.title}", 256),
        "Description": plain(f"{told} (why it matters: {control.why})", 1024),
        "Resources": [_resource(report, finding.subject)],
        "Compliance": {"Status": COMPLIANCE[result.status]} | _requirements(finding),
        "Workflow": {"Status": "RESOLVED" if over else "SUPPRESSED" if key[2] else "NEW"},
        "RecordState": "ARCHIVED" if over else "ACTIVE",
        "ProductFields": _fields(report, finding),
    }


def _waiver(result: Result) -> Waiver | None:
    return result.waiver if result.status is Status.WAIVED else None


def _gone(report: Report, key: Key) -> dict[str, Any]:
    """The end of a finding about a pair that a whole run no longer has, or about a run that was at fault."""
    control, subject, _ = key
    title = f"The verification of {report.run.stack} is no longer at fault"
    about = {"Type": "AwsAccount", "Id": f"AWS::::Account:{label(report.run.account, 64)}"}
    if control != RUN:
        title = f"{control} is no longer judged on {subject}"
        about = {"Type": "Other", "Id": label(subject, 512)}
    return _frame(report, key, "low") | {
        "Title": label(title, 256),
        "Description": label(f"{title}: the run of {report.run.started:%Y-%m-%d %H:%M %Z} shows it.", 1024),
        "Resources": [about],
        "Compliance": {"Status": "PASSED" if control == RUN else "NOT_AVAILABLE"},
        "Workflow": {"Status": "RESOLVED"},
        "RecordState": "ARCHIVED",
    }


def _requirements(finding: Finding) -> dict[str, list[str]]:
    # At most 32 of at most 64 characters.
    found = [label(text, 64) for text in (*finding.control.references, *finding.control.rows)][:32]
    return {"RelatedRequirements": found} if found else {}


def _run_finding(report: Report) -> dict[str, Any]:
    """One for the run as a whole, whatever is wrong with it: so it has one identity and can end."""
    told = [f"{kind}: {text}" for kind, text in reasons(report)]
    title = f"The verification of {report.run.stack} is at fault for {count(len(told), 'reason')}"
    return _frame(report, key_of(RUN, ""), "critical") | {
        "Title": label(title, 256),
        "Description": plain("; ".join(told), 1024).strip(),
        "Resources": [{"Type": "AwsAccount", "Id": f"AWS::::Account:{label(report.run.account, 64)}"}],
        "Compliance": {"Status": "FAILED"},
        "Workflow": {"Status": "NEW"},
        "RecordState": "ACTIVE",
        "ProductFields": {f"stockade/reason-{n}": plain(text, 2048) for n, text in enumerate(told[:40], 1)},
    }


def _frame(report: Report, key: Key, severity: str) -> dict[str, Any]:
    """What every finding has: who found it, when, how bad."""
    run = report.run
    at = moment(run.started)
    region, account = label(run.region, 64), label(run.account, 64)
    level = {"Label": severity.upper(), "Original": severity}
    return {
        "SchemaVersion": "2018-10-08",
        "Id": _identity(report, key),
        "ProductArn": f"arn:{_partition(region)}:securityhub:{region}:{account}:product/{account}/default",
        "ProductName": "Stockade",
        "GeneratorId": label(f"stockade/{key[0]}", 512),
        "AwsAccountId": account,
        "Region": region,
        "CreatedAt": at,
        "UpdatedAt": at,
        "Types": [_TYPE],
        "Severity": level,
        "FindingProviderFields": {"Severity": level, "Types": [_TYPE]},
    }


def _identity(report: Report, key: Key) -> str:
    """The same for the same finding in every run, and for no other: a changed name carries a hash."""
    name = "/".join(filter(None, ("stockade", report.run.stack, report.run.region, *key)))
    shown = label(name, 440)
    return shown if shown == name else f"{shown}/{identity(report, 'asff', *key)}"


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
