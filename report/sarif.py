"""SARIF 2.1.0 for code scanning: one rule per control, one result per open or waived finding.

Limits are those of GitHub code scanning (docs.github.com, "About code scanning limits on SARIF results",
read 2026-11): 25,000 results a run, 20 tags a rule, 1,024 characters of a text.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from report.findings import RUN, Finding, findings, identity, listed_controls, reasons, waiver_line
from report.model import ControlSummary, Report, Status
from report.plain import label, plain
from report.verdict import OPEN, judge

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 25_000
MOST_TAGS = 20
_TEXT = 1000
_EVIDENCE = 4000
# GitHub: over 9.0 is critical, 7.0 to 8.9 high, 4.0 to 6.9 medium, below low.
SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
_PREFIX = {Status.ERROR: "could not be judged: ", Status.MANUAL: "a manual judgement is missing: "}
_CATALOGUE = "controls/catalogue"
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


def write(report: Report, path: Path) -> None:
    """Write results.sarif."""
    text = json.dumps(log(report), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", errors="replace")


def log(report: Report) -> dict[str, Any]:
    """The SARIF log. Faults and doubts of the run come first, as results of a rule of their own.

    Every open result has the kind `fail`, also one that could not be judged: SARIF allows a level only with
    it, and a gate that counts levels must not read an unknown as harmless.
    """
    files = _files()
    listed = [*(_result(report, finding, files) for finding in findings(report, (*OPEN, Status.WAIVED)))]
    trouble = [_run_result(report, kind, text) for kind, text in reasons(report)]
    room = MOST_RESULTS - 1 - len(trouble[: MOST_RESULTS // 2])
    kept = trouble[: MOST_RESULTS // 2] + listed[:room]
    if rest := len(trouble) + len(listed) - len(kept):
        kept.insert(0, _run_result(report, "limit", f"{rest:,} more results are only in results.json"))
    rules = [_run_rule(), *(_rule(control) for control in listed_controls(report))]
    places = {rule["id"]: number for number, rule in enumerate(rules)}
    for result in kept:
        result["ruleIndex"] = places[result["ruleId"]]
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(report, rules, kept)]}


def _run(report: Report, rules: list[dict[str, Any]], results: list[dict[str, Any]]) -> dict[str, Any]:
    run, verdict = report.run, judge(report)
    told = [*((text, "error") for _, text in reasons(report)), *((text, "note") for text in run.remarks)]
    return {
        "tool": {"driver": {"name": "Stockade", "organization": "Stockade", "rules": rules}},
        "automationDetails": {
            "id": f"stockade/{label(run.stack)}/",
            "description": {"text": label(verdict.headline, 1000)},
            "guid": str(identity(report, "sarif", run.started.isoformat())),
        },
        "invocations": [
            {
                # Whether the tool ran as it should, not whether the controls hold.
                "executionSuccessful": not reasons(report),
                "exitCode": report.exit_code(),
                "startTimeUtc": _utc(report, 0.0),
                "endTimeUtc": _utc(report, run.seconds),
                "toolExecutionNotifications": [
                    {"level": level, "message": {"text": _message(text)}} for text, level in told
                ],
            }
        ],
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "the root of the checkout"}}},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {
            "verdict": label(verdict.headline, 1000),
            "scope": run.scope,
            "account": label(run.account),
            "region": label(run.region),
            "commit": label(run.commit) if run.commit else "",
            "counts": {status.value: number for status, number in report.counts().items()},
        },
    }


def _utc(report: Report, after: float) -> str:
    return f"{(report.run.started + timedelta(seconds=after)).isoformat()}"


def _rule(control: ControlSummary) -> dict[str, Any]:
    facts = {
        "Severity": control.severity,
        "Layer": control.layer,
        "Profile": control.profile,
        "Requirements": ", ".join(control.rows),
        "References": "; ".join(control.references),
        "Provided by": control.provided_by,
        "Verified by": ", ".join(control.verified_by),
        "Evidence": control.evidence,
        "Rollback": control.rollback,
    }
    told = [(name, label(text, 1000)) for name, text in facts.items() if text]
    tags = ["security", f"layer/{control.layer}", f"profile/{control.profile}", *control.rows]
    return {
        "id": label(control.id),
        "name": label(control.id),
        "shortDescription": {"text": label(control.title)},
        "fullDescription": {"text": label(control.why, _TEXT)},
        "help": {
            "text": "\n".join([label(control.why, _TEXT), *(f"{name}: {text}" for name, text in told)]),
            "markdown": "\n".join(
                [_escaped(control.why), "", *(f"- **{n}:** {_escaped(t)}" for n, t in told)]
            ),
        },
        "defaultConfiguration": {"level": LEVELS[control.severity]},
        "properties": {
            "security-severity": SECURITY_SEVERITY[control.severity],
            "precision": "very-high",
            "tags": list(dict.fromkeys(label(tag, 100) for tag in tags))[:MOST_TAGS],
            "references": [label(reference) for reference in control.references],
        },
    }


def _run_rule() -> dict[str, Any]:
    why = "A run that is at fault or in doubt proves nothing, whatever its results say."
    return {
        "id": RUN,
        "name": "TheRunItself",
        "shortDescription": {"text": "The run itself is at fault or in doubt"},
        "fullDescription": {"text": why},
        "help": {"text": f"{why} Repair what the message names and verify again."},
        "defaultConfiguration": {"level": "error"},
        "properties": {"security-severity": "9.5", "precision": "very-high", "tags": ["security"]},
    }


def _run_result(report: Report, kind: str, text: str) -> dict[str, Any]:
    return {
        "ruleId": RUN,
        "kind": "fail",
        "level": "error",
        "message": {"text": _message(f"{kind}: {text}")},
        "locations": [_location(_CATALOGUE, report.run.stack, "run", report.run.stack)],
        "partialFingerprints": {"stockade/v1": str(identity(report, "sarif", kind, text))},
    }


def _result(report: Report, finding: Finding, files: dict[str, str]) -> dict[str, Any]:
    result, subject = finding.result, finding.subject
    words = _PREFIX.get(result.status, "") + (result.message or "no message")
    whole = f"{report.run.stack}/{subject.kind}/{subject.group}/{subject.id}"
    place = files.get(result.control) or result.test.split("::")[0]
    found: dict[str, Any] = {
        "ruleId": label(result.control),
        "kind": "fail",
        "level": LEVELS[finding.control.severity],
        "message": {"text": _message(f"{subject.id}: {words}")},
        "locations": [_location(place, subject.id, subject.kind, whole)],
        "partialFingerprints": {
            "stockade/v1": str(identity(report, "sarif", result.control, result.subject, result.test))
        },
        "properties": {
            "status": result.status.value,
            "severity": finding.control.severity,
            "subject": plain(subject.id, 250),
            "group": plain(subject.group, 250),
            "test": plain(result.test, 500),
            "evidence": plain(result.evidence, _EVIDENCE),
        },
    }
    if result.status is Status.WAIVED:
        found["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": label(waiver_line(result), _TEXT)}
        ]
        if result.waiver is not None:
            told = result.waiver.model_dump(mode="json")
            found["properties"]["waiver"] = {name: label(text) for name, text in told.items()}
    return found


def _location(file: str, name: str, kind: str, whole: str) -> dict[str, Any]:
    # A URI reference must hold nothing that a URI may not; what a node made up is no path of ours.
    path = file if _PLAIN_PATH.fullmatch(file) and ".." not in file else _CATALOGUE
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": path, "uriBaseId": "SRCROOT"},
            "region": {"startLine": 1},
        },
        "logicalLocations": [
            {"name": label(name), "fullyQualifiedName": label(whole, 1000), "kind": kind},
        ],
    }


def _files() -> dict[str, str]:
    """Control id → its file in the catalogue of this checkout."""
    root = Path(__file__).parents[1]
    return {path.stem: path.relative_to(root).as_posix() for path in root.glob(f"{_CATALOGUE}/*/*.yaml")}


def _message(text: str) -> str:
    """A message without placeholders (SARIF 3.11.5) and embedded links (3.11.6) that a node could forge."""
    shown = plain(text, _TEXT).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return shown.replace("{", "{{").replace("}", "}}")


def _escaped(text: str) -> str:
    """One line of Markdown in which nothing is markup."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+!|~" else c for c in label(text, _TEXT))
