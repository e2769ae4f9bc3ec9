"""Frameworks apart from controls: one YAML file each, whose clauses and the controls name each other.

Only ids, versions and sources are theirs; every title is our own sentence. A control cites clauses in its
`references`, a clause names controls in its file; both ways count, and both have to resolve.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from controls.model import YAML, Control
from fault import Fault

Parsed = TypeVar("Parsed", bound=BaseModel)
WILD = re.compile(r"[*?\[]")  # what makes an id a pattern
# What was read of a clause: its text, words quoted from it, somebody's account of it, its heading; "memory":
# nothing; "not read": it stands for what is missing, so that nobody takes that for met.
Basis = Literal["text", "quotation", "summary", "heading", "memory", "not read"]


class Clause(BaseModel):
    """One clause: the controls that answer it, or the reason why none of ours does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, description="the framework's own number")
    section: str
    title: str = Field(min_length=4, description="our short title")
    level: str = Field(default="", description="the framework's own level or profile, e.g. L1")
    controls: tuple[str, ...] = Field(default=(), description="ids, or patterns such as STK-SGR-*")
    reason: str = Field(default="", description="why no control answers it")
    basis: Basis | None = Field(default=None, description="what was read of it, where a file tells it apart")

    @model_validator(mode="after")
    def _answered(self) -> Clause:
        if self.controls and self.reason:
            raise ValueError(f"{self.id}: a clause has controls or a reason, one of the two")
        if self.basis == "not read" and not self.reason:
            raise ValueError(f"{self.id}: a clause that was not read has a reason, no controls")
        return self

    def answered_by(self, known: Collection[str]) -> list[str]:
        """The known controls that this file names, sorted; those that cite the clause are not among them."""
        found: set[str] = set()
        for pattern in self.controls:
            # Nearly all are ids; to try each as a pattern on every control took a second of a verification.
            if WILD.search(pattern):
                found.update(name for name in known if fnmatch.fnmatchcase(name, pattern))
            elif pattern in known:
                found.add(pattern)
        return sorted(found)


class Framework(BaseModel):
    """A framework of one version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    version: str
    source: str = Field(description="where its ids were read")
    read: str = Field(pattern=r"^\d{4}-\d\d-\d\d$", description="day on which they were read")
    note: str = Field(default="", description="what an auditor must know of scope or validity")
    clauses: tuple[Clause, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _based(self) -> Framework:
        """A file that says of one clause what was read of it says so of all."""
        without = [clause.id for clause in self.clauses if clause.basis is None]
        if 0 < len(without) < len(self.clauses):
            raise ValueError(f"{', '.join(without[:5])}: no basis, where other clauses have one")
        return self

    @property
    def name(self) -> str:
        """How controls cite it."""
        return f"{self.title} {self.version}"


class Source(BaseModel):
    """Something that controls may cite without it being a framework with clauses to answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str = Field(min_length=3, description="regular expression of the whole reference")
    title: str = Field(min_length=4)
    url: str = Field(pattern=r"^https://")


class Sources(BaseModel):
    """`controls/sources.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[Source, ...]


def load(root: Path) -> dict[str, Framework]:
    """Read `<root>/controls/frameworks/*.yaml` to {id: Framework}. Raises Fault for any other file."""
    found = {}
    for path in sorted((root / "controls" / "frameworks").glob("*.yaml")):
        where = path.relative_to(root)
        framework = parse(path, root, Framework)
        names = [clause.id for clause in framework.clauses]
        twice = sorted({name for name in names if names.count(name) > 1})
        if path.stem != framework.id or twice:
            problem = (
                f"holds {framework.id}" if path.stem != framework.id else f"has {', '.join(twice)} twice"
            )
            raise Fault(f"{where} {problem}", "one file a framework, each clause once", "rename or merge")
        found[framework.id] = framework
    return found


def load_sources(root: Path) -> tuple[Source, ...]:
    """Read `<root>/controls/sources.yaml`."""
    return parse(root / "controls" / "sources.yaml", root, Sources).sources


def parse(path: Path, root: Path, model: type[Parsed]) -> Parsed:
    """One YAML file as a model; raises Fault with one line for anything else."""
    try:
        return model.model_validate(yaml.load(path.read_text(), Loader=YAML))  # noqa: S506 - a safe one
    except (ValidationError, yaml.YAMLError, OSError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error).splitlines()[0]
        if isinstance(error, ValidationError):
            said = ".".join(map(str, error.errors()[0]["loc"])) + f": {said}"
        rule = f"it follows {model.__name__} in {model.__module__.replace('.', '/')}.py"
        raise Fault(f"{path.relative_to(root)}: {said}", rule, "correct the file") from error


def cited(reference: str) -> tuple[str, list[str]]:
    """`<title> <version>: 5.1.19, 5.1.20` as the name of its framework and the clauses."""
    name, _, clauses = reference.partition(": ")
    return name, [clause.strip() for clause in clauses.split(",") if clause.strip()]


def citations(framework: Framework, catalogue: Mapping[str, Control]) -> dict[str, set[str]]:
    """Clause → controls whose references cite it."""
    found: dict[str, set[str]] = {}
    for control in catalogue.values():
        for reference in control.references:
            name, clauses = cited(reference)
            for clause in clauses if name == framework.name else ():
                found.setdefault(clause, set()).add(control.id)
    return found


def mapped(
    frameworks: Mapping[str, Framework], catalogue: Mapping[str, Control]
) -> tuple[dict[str, Any], ...]:
    """Every framework with its clauses joined both ways, as data of `report.model.FrameworkSummary`."""
    summaries = []
    for framework in frameworks.values():
        by_control = citations(framework, catalogue)
        clauses = [
            {
                "id": clause.id,
                # Whoever reads the report sees what a clause stands on, not only who reads our files.
                "section": f"{clause.section}, from: {clause.basis}" if clause.basis else clause.section,
                "title": clause.title,
                "controls": tuple(
                    sorted({*clause.answered_by(catalogue), *by_control.get(clause.id, set())})
                ),
                "reason": clause.reason,
            }
            for clause in framework.clauses
        ]
        summaries.append(
            {
                "id": framework.id,
                "title": framework.title,
                "version": framework.version,
                "clauses": tuple(clauses),
            }
        )
    return tuple(summaries)


def loose(
    frameworks: Mapping[str, Framework], sources: Iterable[Source], catalogue: Mapping[str, Control]
) -> list[str]:
    """One line for whatever does not resolve between frameworks and controls; empty when all of it does."""
    return [*_loose_clauses(frameworks, catalogue), *_loose_references(frameworks, sources, catalogue)]


def _loose_clauses(frameworks: Mapping[str, Framework], catalogue: Mapping[str, Control]) -> list[str]:
    lines = []
    for framework in frameworks.values():
        by_control = citations(framework, catalogue)
        for clause in framework.clauses:
            where = f"{framework.id} {clause.id}"
            lines += [
                f"{where}: {pattern} matches no control"
                for pattern in clause.controls
                if not fnmatch.filter(catalogue, pattern)
            ]
            if clause.reason and clause.id in by_control:
                told = ", ".join(sorted(by_control[clause.id]))
                lines.append(f"{where}: says why no control answers it, but {told} cites it")
            if not clause.controls and not clause.reason and clause.id not in by_control:
                lines.append(f"{where}: no control answers it and no reason says why")
    return lines


def _loose_references(
    frameworks: Mapping[str, Framework], sources: Iterable[Source], catalogue: Mapping[str, Control]
) -> list[str]:
    known = {framework.name: {clause.id for clause in framework.clauses} for framework in frameworks.values()}
    patterns = [re.compile(source.pattern) for source in sources]
    lines = []
    for control in catalogue.values():
        for reference in control.references:
            name, clauses = cited(reference)
            if name in known:
                lines += [
                    f"{control.id}: {name} has no clause {clause}"
                    for clause in clauses
                    if clause not in known[name]
                ]
                if not clauses:
                    lines.append(f"{control.id}: `{reference}` names no clause")
            elif not any(pattern.fullmatch(reference) for pattern in patterns):
                lines.append(f"{control.id}: `{reference}` is neither a framework nor a listed source")
    return lines
