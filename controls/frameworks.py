"""Frameworks apart from controls: one YAML file each, whose clauses name the controls that answer them.

Only ids, versions and sources are theirs; every title is our own sentence.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fault import Fault


class Clause(BaseModel):
    """One clause: the controls that answer it, or the reason why none of ours does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=2, description="the framework's own number")
    section: str
    title: str = Field(min_length=5, description="our short title")
    controls: tuple[str, ...] = Field(default=(), description="ids, or patterns such as STK-SGR-*")
    reason: str = Field(default="", description="why no control answers it")

    @model_validator(mode="after")
    def _answered(self) -> Clause:
        if bool(self.controls) == bool(self.reason):
            raise ValueError(f"{self.id}: a clause has controls or a reason, one of the two")
        return self

    def answered_by(self, known: Iterable[str]) -> list[str]:
        """The known controls it names, sorted."""
        return sorted(i for i in known if any(fnmatch.fnmatchcase(i, pattern) for pattern in self.controls))


class Framework(BaseModel):
    """A framework of one version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    version: str
    source: str = Field(description="where its ids were read")
    read: str = Field(pattern=r"^\d{4}-\d\d-\d\d$", description="day on which they were read")
    clauses: tuple[Clause, ...] = Field(min_length=1)


def load(root: Path) -> dict[str, Framework]:
    """Read `<root>/controls/frameworks/*.yaml` to {id: Framework}. Raises Fault for any other file."""
    found = {}
    for path in sorted((root / "controls" / "frameworks").glob("*.yaml")):
        where = path.relative_to(root)
        try:
            framework = Framework.model_validate(yaml.safe_load(path.read_text()))
        except (ValidationError, yaml.YAMLError) as error:
            said = (
                error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error).splitlines()[0]
            )
            rule = "a framework file follows controls/frameworks.py"
            raise Fault(f"{where}: {said}", rule, "correct the file") from error
        names = [clause.id for clause in framework.clauses]
        twice = sorted({name for name in names if names.count(name) > 1})
        if path.stem != framework.id or twice:
            problem = (
                f"holds {framework.id}" if path.stem != framework.id else f"has {', '.join(twice)} twice"
            )
            raise Fault(f"{where} {problem}", "one file a framework, each clause once", "rename or merge")
        found[framework.id] = framework
    return found
