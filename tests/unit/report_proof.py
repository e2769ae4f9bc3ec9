"""What a mature run adds to the sample: frameworks, drift, procedures, waivers and earlier runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from report.history import Entry, entry_of
from report.model import (
    Change,
    ClauseSummary,
    ControlSummary,
    FrameworkSummary,
    Report,
    Result,
    Status,
    Subject,
    Waiver,
)
from tests.unit import report_sample as sample

_FRAMEWORKS = (
    ("cis-aws", "CIS AWS Foundations Benchmark", "5.0", 40),
    ("cis-debian", "CIS Debian Linux 12", "1.1", 60),
    ("aws-ftr", "AWS Foundational Technical Review", "2025", 24),
    ("afsbp", "AWS Foundational Security Best Practices", "2025-06", 36),
    ("rbi", "RBI Master Direction on IT Governance", "2023", 18),
    ("sebi-cscrf", "SEBI CSCRF", "2024", 20),
    ("irdai", "IRDAI Information and Cyber Security Guidelines", "2023", 16),
    ("cert-in", "CERT-In Directions", "2022", 8),
    ("gdpr", "GDPR", "2016/679", 12),
    ("iso-27001", "ISO/IEC 27001", "2022", 34),
    ("nist-800-53", "NIST SP 800-53", "r5", 48),
)


def report(**changes: Any) -> Report:
    """The sample with everything a page can show."""
    base = sample.report(**{key: changes.pop(key) for key in list(changes) if key in _SHAPE})
    procedures = _procedures(base)
    run = base.run.model_copy(update={"accepted": sample.STARTED - timedelta(days=6), "catalogue": "ab" * 32})
    update: dict[str, Any] = {
        "run": run,
        "frameworks": frameworks(base),
        "changes": _changes(base),
        "controls": (*base.controls, *(c for c, _, _ in procedures)),
        "subjects": (*base.subjects, *(s for _, s, _ in procedures)),
        "results": (*_waived(base), *(r for _, _, r in procedures)),
    }
    return base.model_copy(update=update | changes)


_SHAPE = ("good", "contract", "node_controls", "region_controls", "resource_count", "faults")


def history(of: Report, runs: int = 24) -> list[Entry]:
    """Earlier runs whose open results fell from many to what `of` has."""
    last = entry_of(of, narrowed=False)
    return [
        last.model_copy(
            update={
                "started": of.run.started - timedelta(days=runs - i),
                "counts": last.counts
                | {
                    Status.FAIL: last.counts[Status.FAIL] + (runs - i) * 2 + (i * 7) % 5,
                    Status.WAIVED: last.counts[Status.WAIVED] + (i * 3) % 4,
                },
            }
        )
        for i in range(runs)
    ]


def frameworks(of: Report) -> tuple[FrameworkSummary, ...]:
    """Eleven frameworks whose clauses lead to controls of the report, some to a reason."""
    ids = [control.id for control in of.controls] or ["STK-SSH-001"]
    found = []
    for start, (name, title, version, number) in enumerate(_FRAMEWORKS):
        clauses = [
            ClauseSummary(
                id=f"{i // 9 + 1}.{i % 9 + 1}",
                section=("Identity", "Logging", "Network", "Storage", "Operations", "System")[i // 9 % 6],
                title=f"What this clause asks for, in our own words, part {i + 1}",
                controls=() if i % 11 == 10
                else tuple(ids[(start * 7 + i * 3 + k) % len(ids)] for k in range(i % 3 + 1)),
                reason="the provider answers this clause with its own attestation" if i % 11 == 10 else "",
            )
            for i in range(number)
        ]  # fmt: skip
        found.append(FrameworkSummary(id=name, title=title, version=version, clauses=tuple(clauses)))
    return tuple(found)


def _changes(of: Report) -> tuple[Change, ...]:
    pairs = [(r.control, r.subject, r.status) for r in of.results]
    since = of.run.started - timedelta(days=2)
    worse = [
        Change(control=c, subject=s, before=Status.PASS, after=status, since=since)
        for c, s, status in pairs
        if status in (Status.FAIL, Status.ERROR)
    ][:4]
    better = [
        Change(control=c, subject=s, before=Status.FAIL, after=Status.PASS, since=since)
        for c, s, status in pairs
        if status is Status.PASS
    ][:3]
    gone = [Change(control="STK-SSH-090", subject="edge-a-1", before=Status.PASS, after=None, since=since)]
    return (*better, *worse, *(gone if pairs else []))


def _waived(of: Report) -> list[Result]:
    """Waived results under several waivers, one of which ends soon."""
    waivers = [
        sample.waiver(),
        Waiver(
            id="WVR-2026-009", owner="storage-team", approver="security-office", ticket="SEC-140",
            reason="the old archive format cannot be read with the new cipher list",
            expires=sample.STARTED + timedelta(days=5),
            risk="a connection to the archive could be read by who keeps its traffic",
        ),
    ]  # fmt: skip
    found, seen = [], 0
    for result in of.results:
        if result.status is Status.WAIVED:
            result = result.model_copy(update={"waiver": waivers[seen % 2]})  # noqa: PLW2901
            seen += 1
        found.append(result)
    return found


def _procedures(of: Report) -> list[tuple[ControlSummary, Subject, Result]]:
    stated = [
        ("001", "provider-attestations", "The provider's attestations are on file", 365, Status.PASS),
        ("002", "penetration-test", "A third party tested the region", 365, Status.FAIL),
        ("003", "security-training", "Everybody completed the security training", 180, Status.PASS),
    ]
    found = []
    for number, name, title, cadence, status in stated:
        control = ControlSummary(
            id=f"STK-PRC-{number}", title=title, why="People are part of the proof.", severity="high",
            layer="process", rows=("M1",), references=(), evidence="a dated record",
        )  # fmt: skip
        expires = of.run.started + timedelta(days=120 if status is Status.PASS else -9)
        facts = {
            "owner": "compliance-office", "cadence_days": cadence, "evidence": f"records/{name}.pdf",
            "expires": f"{expires:%Y-%m-%d}",
        }  # fmt: skip
        subject = Subject(id=f"procedure/{name}", kind="procedure", group="procedure", facts=facts)
        result = Result(
            control=control.id, subject=subject.id, status=status, seconds=0.001,
            message=f"the evidence is valid until {expires:%Y-%m-%d}" if status is Status.PASS
            else f"the evidence expired on {expires:%Y-%m-%d}; repeat the procedure and file its record",
            evidence=f"procedures/{name}.yaml", test="tests/cloud/test_procedures.py::test_record",
        )  # fmt: skip
        found.append((control, subject, result))
    return found
