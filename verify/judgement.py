"""Joins outcomes, waivers and the catalogue to one Report; everything that is missing becomes a fault."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from controls.frameworks import Framework, mapped
from controls.model import AREAS, Control
from controls.waivers import WaiverFile
from report.model import ControlSummary, FrameworkSummary, Report, Result, Run, Status, Subject
from verify.catalogue import fingerprint
from verify.waiving import Waiving

Scope = Literal["region and nodes", "region only", "nodes only"]


@dataclass(slots=True)
class _Outcome:
    """What `outcome.as_data` tells of a test, small: a hundred nodes are tens of thousands of them."""

    status: Status
    message: str
    evidence: str
    seconds: float
    controls: tuple[str, ...]
    subject: str


_SHOWN = {"control", "subject", "status", "message", "seconds", "evidence", "test"}


@dataclass
class Judgement:
    """Collects what the tests found and what is wrong with the run as a whole."""

    contract: dict[str, Any]
    catalogue: dict[str, Control]
    waivers: list[WaiverFile]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    narrowed: bool = False
    stated: bool = False  # no contract: what nobody stated of a node is rightly not applicable to it
    subjects: dict[str, Subject] = field(default_factory=dict)
    frameworks: dict[str, Framework] = field(default_factory=dict)
    _found: dict[str, _Outcome] = field(default_factory=dict)  # by pytest node id
    _claims: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)  # the same ids kept once

    def fault(self, text: str) -> None:
        """Note a reason why the run as a whole is red, once."""
        if text not in self.faults:
            self.faults.append(text)

    def take(self, test: str, outcome: dict[str, Any]) -> None:
        """Take one outcome; a later one of the same test (its teardown) replaces it only when it is worse.

        A test that is judged a second time is a fault: a plug-in that runs it again until it passes hides
        what it saw first.
        """
        before = self._found.get(test)
        if before is not None and outcome.get("when") != "teardown":
            self.fault(f"{test}: judged twice; a result stands once, so nothing may run a test again")
        if before is None or outcome["status"] in (Status.ERROR, Status.FAIL):
            claims = tuple(map(sys.intern, outcome["controls"]))
            self._found[test] = _Outcome(
                Status(outcome["status"]),
                outcome["message"],
                (before.evidence if before else "") or outcome["evidence"],
                outcome["seconds"],
                self._claims.setdefault(claims, claims),
                sys.intern(outcome["subject"]),
            )

    def has(self, test: str) -> bool:
        """Has this test an outcome yet?"""
        return test in self._found

    def report(self) -> Report:
        """Everything found so far as the result model."""
        waiving = Waiving(self.waivers, self.started)
        results = [waiving.apply(result) for result in self._results()]
        claimed = {result.control for result in results}
        areas = self._areas(claimed)
        if not results:
            self.fault("nothing was verified: the selection is empty")
        if not self.narrowed:
            self._find_gaps(results, areas)
            if not self.stated:
                self._find_idle_nodes(results)
        for text in waiving.faults(set() if self.narrowed else _areas_of(areas), self._kinds()):
            self.fault(text)
        self.remarks.extend(waiving.remarks())
        shown = (
            claimed
            if self.narrowed
            else {c for c in self.catalogue if c.split("-")[1] in _areas_of(areas)} | claimed
        )
        seen = {result.subject for result in results}
        return Report(
            run=self._run(_scope(areas)),
            subjects=tuple(s for s in sorted(self.subjects.values(), key=_subject_order) if s.id in seen),
            controls=tuple(_summary(self.catalogue[c]) for c in sorted(shown) if c in self.catalogue),
            results=tuple(results),
            faults=tuple(self.faults),
            region=self.contract,
            frameworks=tuple(
                FrameworkSummary.model_validate(one) for one in mapped(self.frameworks, self.catalogue)
            ),
        )

    def _results(self) -> list[Result]:
        results = [
            # One set of names for all: validating each would keep a set of its own for every result.
            Result.model_construct(
                _fields_set=_SHOWN,  # a copy of a result copies it before it changes it
                control=control,
                subject=outcome.subject,
                status=outcome.status,
                message=outcome.message,
                seconds=outcome.seconds,
                evidence=outcome.evidence,
                test=test,
            )
            for test, outcome in self._found.items()
            for control in outcome.controls
        ]
        return sorted(results, key=lambda r: (r.control, r.subject, r.test))

    def _kinds(self) -> dict[str, set[str]]:
        """Every subject of each kind, as far as the run knows them all."""
        kinds: dict[str, set[str]] = {"node": {str(node["name"]) for node in self.contract["nodes"]}}
        for subject in self.subjects.values():
            if subject.kind != "node" and not self.narrowed:
                kinds.setdefault(subject.group, set()).add(subject.id)
        return kinds

    def _find_gaps(self, results: Iterable[Result], areas: set[str]) -> None:
        """A control that applies and yielded nothing is not proven, whatever the tests say."""
        pairs = {(result.control, result.subject) for result in results}
        proven = {control for control, _ in pairs}
        for control in self.catalogue.values():
            area = control.id.split("-")[1]
            whole = [name for name in ("region", "procedure") if name in areas and area in AREAS[name]]
            if whole and control.id not in proven:
                self.fault(f"{control.id} yielded no result: {control.title}")
            if "node" in areas and area in AREAS["node"]:
                lacking = [n["name"] for n in self.contract["nodes"] if _applies(control, n)]
                lacking = [name for name in lacking if (control.id, name) not in pairs]
                if lacking:
                    self.fault(f"{control.id} yielded no result on {', '.join(lacking)}: {control.title}")

    def _find_idle_nodes(self, results: Iterable[Result]) -> None:
        """A node that talks its way out of everything has proven nothing."""
        judged = {result.subject for result in results if result.status is not Status.NOT_APPLICABLE}
        for subject in self.subjects.values():
            if subject.kind == "node" and subject.id not in judged:
                self.fault(f"{subject.id}: every result is not applicable: nothing was proven on it")

    def _areas(self, claimed: set[str]) -> set[str]:
        parts = {control.split("-")[1] for control in claimed if control.count("-") == 2}
        return {area for area, words in AREAS.items() if parts & set(words)}

    def _run(self, scope: Scope) -> Run:
        return Run(
            stack=self.contract["stack"],
            region=self.contract["region"],
            account=str(self.contract["account"]),
            started=self.started,
            seconds=round((datetime.now(UTC) - self.started).total_seconds(), 3),
            commit=_commit(),
            scope=scope,
            remarks=tuple(dict.fromkeys(self.remarks)),
            catalogue=fingerprint(self.catalogue),
        )


def _applies(control: Control, node: dict[str, Any]) -> bool:
    return "nodes" in control.applies_to or node["role"] in control.applies_to


def _areas_of(areas: set[str]) -> set[str]:
    return {word for area in areas for word in AREAS[area]}


def _scope(areas: set[str]) -> Scope:
    """Which half of the catalogue was judged; procedures belong to both."""
    if "node" not in areas:
        return "region only"
    return "region and nodes" if "region" in areas else "nodes only"


def _subject_order(subject: Subject) -> tuple[bool, str]:
    return subject.kind != "node", subject.id


def _summary(control: Control) -> ControlSummary:
    return ControlSummary.model_validate(control.model_dump(include=set(ControlSummary.model_fields)))


def _commit() -> str | None:
    root = Path(__file__).resolve().parents[1]
    answer = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or None if answer.returncode == 0 else None
