"""OSCAL 1.2.1 assessment results for auditors' tools (pages.nist.gov/OSCAL, assessment-results model).

One finding per control, one observation per thing that was seen (the same evidence on many subjects is one
observation about all of them), one risk per waiver, per open control and per reason why the run is red.
UUIDs are computed from what they name, so that the same finding keeps its UUID from run to run.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from report.findings import (
    RUN,
    Finding,
    findings,
    identity,
    listed_controls,
    listed_subjects,
    reasons,
    waiver_line,
)
from report.model import ControlSummary, Report, Result, Status, Subject
from report.plain import label, plain
from report.verdict import OPEN, WORDS, judge, worst

VERSION = "1.2.1"
NAMESPACE = "urn:stockade:report"
_EVIDENCE = 4000
_PROVEN = (*OPEN, Status.WAIVED, Status.PASS)  # what was judged at all
Part = dict[str, Any]


def write(report: Report, path: Path) -> None:
    """Write oscal.json."""
    text = json.dumps(document(report), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", errors="replace")


def document(report: Report) -> Part:
    """The assessment-results document."""
    run, plan = report.run, str(identity(report, "oscal", "plan"))
    title = label(f"Verification of {run.stack} in {run.region}, account {run.account}")
    return {
        "assessment-results": {
            "uuid": str(identity(report, "oscal", "document", run.started.isoformat())),
            "metadata": {
                "title": title,
                "last-modified": run.started.isoformat(),
                "version": run.started.isoformat(),
                "oscal-version": VERSION,
                "props": _props(
                    commit=run.commit, catalogue=run.catalogue, scope=run.scope, region=run.region
                ),
            },
            "import-ap": {"href": f"#{plan}"},
            "results": [_result(report, title)],
            "back-matter": {
                "resources": [
                    {
                        "uuid": plan,
                        "title": "Plan: the control catalogue of the run and the tests that judge it",
                        "description": "Every control of controls/catalogue is judged by the tests it names; "
                        "the plan is the catalogue at the commit and SHA-256 told in the metadata.",
                        "props": _props(commit=run.commit, catalogue=run.catalogue)
                        or _props(stack=run.stack),
                    }
                ]
            },
        }
    }


def _result(report: Report, title: str) -> Part:
    run, groups = report.run, _groups(report)
    seen = _run_observations(report) + [o for group in groups.values() for o in _observations(report, group)]
    judged = {name for name, group in groups.items() if any(f.result.status in _PROVEN for f in group)}
    controls = {control.id: control for control in listed_controls(report)}
    risks = _run_risks(report) + _waiver_risks(report) + _open_risks(report, groups)
    found = [_run_finding(report)] if reasons(report) else []
    found += [_finding(report, controls[name], groups[name]) for name in controls if name in judged]
    subjects = listed_subjects(report)
    part: Part = {
        "uuid": str(identity(report, "oscal", "result", run.started.isoformat())),
        "title": title,
        "description": label(judge(report).headline, 1000),
        "start": run.started.isoformat(),
        "end": (run.started + timedelta(seconds=run.seconds)).isoformat(),
        "props": _props(verdict="good" if judge(report).good else "not good", exit_code=report.exit_code())
        + [_prop(f"count-{status.value}", str(number)) for status, number in report.counts().items()],
        "local-definitions": {"inventory-items": [_item(report, subject) for subject in subjects]},
        "reviewed-controls": {"control-selections": [_selection(sorted(judged), sorted(controls))]},
        "observations": seen,
        "risks": risks,
        "findings": found,
        "remarks": "\n".join(plain(text, 1000) for text in (*_told(report), *run.remarks)),
    }
    # OSCAL has no empty lists and no empty texts.
    if not subjects:
        del part["local-definitions"]
    return {key: value for key, value in part.items() if value not in ([], "")}


def _told(report: Report) -> list[str]:
    return [f"{kind}: {text}" for kind, text in reasons(report)]


def _groups(report: Report) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings(report):
        groups[finding.control.id].append(finding)
    return groups


def _selection(judged: list[str], controls: list[str]) -> Part:
    """What was judged is included; what was not applicable everywhere, or has no result, is excluded."""
    left = [{"control-id": _token(name)} for name in controls if name not in set(judged)]
    included = [{"control-id": _token(name)} for name in judged] or [{"control-id": _token(RUN)}]
    return {"include-controls": included} | ({"exclude-controls": left} if left else {})


def _item(report: Report, subject: Subject) -> Part:
    facts = {f"fact-{key}": value for key, value in subject.facts.items() if isinstance(value, (str, int))}
    return {
        "uuid": _subject(report, subject.id),
        "description": label(f"{subject.kind} {subject.id} ({subject.group})"),
        "props": _props(name=subject.id, kind=subject.kind, group=subject.group, **facts),
    }


def _subject(report: Report, name: str) -> str:
    return str(identity(report, "subject", name))


def _key(result: Result) -> tuple[str, ...]:
    """What makes two results one observation."""
    waiver = result.waiver.id if result.waiver else ""
    return (result.control, result.status, result.message, result.evidence, waiver, _test(result))


def _test(result: Result) -> str:
    return result.test.split("[", 1)[0]


def _observation_uuid(report: Report, key: tuple[str, ...]) -> str:
    return str(identity(report, "observation", *key))


def _observations(report: Report, group: list[Finding]) -> list[Part]:
    same: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    for finding in group:
        same[_key(finding.result)].append(finding)
    return [_observation(report, key, members) for key, members in same.items()]


def _observation(report: Report, key: tuple[str, ...], members: list[Finding]) -> Part:
    result, control = members[0].result, members[0].control
    subjects = dict.fromkeys(member.subject.id for member in members)
    told = plain(result.message, 2000).strip() or WORDS[result.status]
    part: Part = {
        "uuid": _observation_uuid(report, key),
        "title": label(f"{WORDS[result.status]}: {control.id} {control.title}"),
        "description": waiver_line(result) if result.status is Status.WAIVED else told,
        "props": _props(status=result.status.value, test=_test(result), control=control.id),
        "methods": ["TEST"],
        "types": ["control-objective"],
        "subjects": [
            {"subject-uuid": _subject(report, name), "type": "inventory-item", "title": label(name)}
            for name in subjects
        ],
        "collected": report.run.started.isoformat(),
    }
    part["description"] = plain(part["description"], 3000)
    if evidence := plain(result.evidence, _EVIDENCE).strip():
        part["relevant-evidence"] = [{"description": evidence, "href": "results.json"}]
    if result.waiver is not None:
        part["expires"] = result.waiver.expires.isoformat()
    return part


def _finding(report: Report, control: ControlSummary, group: list[Finding]) -> Part:
    judged = [finding for finding in group if finding.result.status in _PROVEN]
    status = worst([finding.result.status for finding in judged])
    keys = dict.fromkeys(_key(finding.result) for finding in judged)
    risks = dict.fromkeys(_risk_uuid(report, f) for f in judged if f.result.status is not Status.PASS)
    reason = {Status.PASS: "pass", Status.FAIL: "fail"}.get(status, "other")
    part: Part = {
        "uuid": str(identity(report, "finding", control.id)),
        "title": label(f"{control.id} {control.title}"),
        "description": label(control.why, 2000),
        "props": _props(severity=control.severity, layer=control.layer, profile=control.profile)
        + [_prop("requirement", row) for row in control.rows]
        + [_prop("reference", reference) for reference in control.references],
        "target": {
            "type": "objective-id",
            "target-id": _token(control.id),
            "title": label(control.title),
            "status": {
                "state": "satisfied" if status is Status.PASS else "not-satisfied",
                "reason": reason,
                "remarks": f"worst result: {WORDS[status]}; {len(judged)} results",
            },
        },
        "related-observations": [{"observation-uuid": _observation_uuid(report, key)} for key in keys],
    }
    if risks:
        part["related-risks"] = [{"risk-uuid": uuid} for uuid in risks]
    return part


def _risk_uuid(report: Report, finding: Finding) -> str:
    waiver = finding.result.waiver if finding.result.status is Status.WAIVED else None
    words = ("waiver", waiver.model_dump_json()) if waiver else ("open", finding.control.id)
    return str(identity(report, "risk", *words))


def _waiver_risks(report: Report) -> list[Part]:
    """A waiver is an approved deviation with a deadline."""
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings(report, (Status.WAIVED,)):
        if finding.result.waiver is not None:
            groups[_risk_uuid(report, finding)].append(finding)
    return [_waiver_risk(report, uuid, members) for uuid, members in groups.items()]


def _waiver_risk(report: Report, uuid: str, members: list[Finding]) -> Part:
    waiver = members[0].result.waiver
    assert waiver is not None, "only waived results with a waiver are grouped"
    keys = dict.fromkeys(_key(member.result) for member in members)
    return {
        "uuid": uuid,
        "title": label(f"Waiver {waiver.id}, ticket {waiver.ticket}"),
        "description": plain(waiver.reason, 2000).strip() or "no reason was given",
        "statement": plain(waiver.risk, 2000).strip() or "the waiver states no risk",
        "props": _props(owner=waiver.owner, approver=waiver.approver, ticket=waiver.ticket, waiver=waiver.id),
        "status": "deviation-approved",
        "deadline": waiver.expires.isoformat(),
        "related-observations": [{"observation-uuid": _observation_uuid(report, key)} for key in keys],
    }


def _open_risks(report: Report, groups: dict[str, list[Finding]]) -> list[Part]:
    return [_open_risk(report, group) for group in groups.values() if _open(group)]


def _open(group: list[Finding]) -> list[Finding]:
    """The findings that no waiver covers, also those that claim one and have none."""
    return [
        f
        for f in group
        if f.result.status in OPEN or (f.result.status is Status.WAIVED and not f.result.waiver)
    ]


def _open_risk(report: Report, group: list[Finding]) -> Part:
    control, members = group[0].control, _open(group)
    keys = dict.fromkeys(_key(member.result) for member in members)
    subjects = len({member.subject.id for member in members})
    return {
        "uuid": _risk_uuid(report, members[0]),
        "title": label(f"{control.id} is open: {control.title}"),
        "description": f"Open on {subjects} of the subjects it was judged on.",
        "statement": label(control.why, 2000),
        "props": _props(severity=control.severity),
        "status": "open",
        "related-observations": [{"observation-uuid": _observation_uuid(report, key)} for key in keys],
    }


def _run_uuid(report: Report, kind: str, of: str, text: str) -> str:
    return str(identity(report, kind, RUN, of, text))


def _run_observations(report: Report) -> list[Part]:
    return [
        {
            "uuid": _run_uuid(report, "observation", kind, text),
            "title": label(f"{kind} of the run: {text}"),
            "description": plain(text, 2000).strip() or kind,
            "props": _props(status=kind),
            "methods": ["EXAMINE"],
            "types": ["finding"],
            "collected": report.run.started.isoformat(),
        }
        for kind, text in dict.fromkeys(reasons(report))
    ]


def _run_risks(report: Report) -> list[Part]:
    return [
        {
            "uuid": _run_uuid(report, "risk", kind, text),
            "title": label(f"{kind} of the run: {text}"),
            "description": plain(text, 2000).strip() or kind,
            "statement": "A run at fault or in doubt proves nothing, whatever its results say.",
            "status": "open",
            "related-observations": [{"observation-uuid": _run_uuid(report, "observation", kind, text)}],
        }
        for kind, text in dict.fromkeys(reasons(report))
    ]


def _run_finding(report: Report) -> Part:
    told = dict.fromkeys(reasons(report))
    return {
        "uuid": str(identity(report, "finding", RUN)),
        "title": "The run itself is at fault or in doubt",
        "description": "Until this is repaired, no finding below is proof.",
        "target": {
            "type": "objective-id",
            "target-id": _token(RUN),
            "status": {"state": "not-satisfied", "reason": "other"},
        },
        "related-observations": [
            {"observation-uuid": _run_uuid(report, "observation", kind, text)} for kind, text in told
        ],
        "related-risks": [{"risk-uuid": _run_uuid(report, "risk", kind, text)} for kind, text in told],
    }


def _props(**values: object) -> list[Part]:
    return [_prop(name, str(value)) for name, value in values.items() if value not in (None, "")]


def _prop(name: str, value: str) -> Part:
    return {"name": _token(name.replace("_", "-")), "value": label(value), "ns": NAMESPACE}


def _token(name: str) -> str:
    """A name as OSCAL's token (an XML name without colons): other characters become an underscore."""
    kept = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:120]
    return kept if re.match(r"[A-Za-z_]", kept) else f"_{kept}"
