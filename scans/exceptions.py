"""What a scan may find and why: typed, each with its reason; one that nothing needs any more is an error."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from controls.frameworks import parse


class Allowed(BaseModel):
    """One kind of finding in some files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    finding: str = Field(description="number or type of the finding, e.g. B704, Private Key")
    path: str = Field(description="file, or a pattern of files")
    why: str = Field(min_length=12)


class Licences(BaseModel):
    """Which licences a dependency may have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allowed: tuple[str, ...] = Field(min_length=1, description="as pip-licenses names them")
    single: dict[str, str] = Field(description="package → why its licence is fine, for licences not listed")


class Exceptions(BaseModel):
    """`scans/exceptions.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    python: tuple[Allowed, ...]
    secrets: tuple[Allowed, ...]
    licences: Licences


def load(root: Path) -> Exceptions:
    """Read `<root>/scans/exceptions.yaml`; raises Fault for anything else."""
    return parse(root / "scans" / "exceptions.yaml", root, Exceptions)


def left(found: Iterable[tuple[str, str, int]], allowed: Iterable[Allowed]) -> list[str]:
    """Findings (kind, path, line) that nothing allows, and permissions that nothing needs."""
    rules = list(allowed)
    used: set[int] = set()
    lines = []
    for kind, path, line in sorted(found):
        matching = [
            i for i, rule in enumerate(rules) if rule.finding == kind and fnmatch.fnmatchcase(path, rule.path)
        ]
        used |= set(matching)
        if not matching:
            lines.append(f"{path}:{line}: {kind}")
    unneeded = [rule for i, rule in enumerate(rules) if i not in used]
    return lines + [
        f"scans/exceptions.yaml: nothing needs {rule.finding} in {rule.path}" for rule in unneeded
    ]
