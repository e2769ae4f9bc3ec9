"""The rows of the requirements: our own short titles, and why a row has no control, where it has none yet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from controls.frameworks import parse
from controls.model import Control
from fault import Fault


class Row(BaseModel):
    """One requirement."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[DME]\d{1,2}$")
    title: str = Field(min_length=8)
    procedure: bool = Field(default=False, description="a procedure between people, proven by records")
    reason: str = Field(default="", description="why no control serves it, when none does")


class Rows(BaseModel):
    """`controls/rows.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: tuple[Row, ...] = Field(min_length=1)


def load_rows(root: Path) -> tuple[Row, ...]:
    """Read `<root>/controls/rows.yaml`; raises Fault for a row that stands there twice."""
    rows = parse(root / "controls" / "rows.yaml", root, Rows).rows
    names = [row.id for row in rows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Fault(f"controls/rows.yaml has {', '.join(twice)} twice", "each row once", "remove one")
    return rows


def served(row: Row, catalogue: Mapping[str, Control]) -> list[str]:
    """The controls that serve a row, sorted."""
    return sorted(control.id for control in catalogue.values() if row.id in control.rows)


def loose_rows(rows: tuple[Row, ...], catalogue: Mapping[str, Control]) -> list[str]:
    """One line for each row without control and reason, with both, or known to controls only."""
    known = {row.id for row in rows}
    lines = [
        f"{control.id}: row {row} is not listed in controls/rows.yaml"
        for control in catalogue.values()
        for row in control.rows
        if row not in known
    ]
    for row in rows:
        names = served(row, catalogue)
        if names and row.reason:
            lines.append(f"row {row.id}: says why no control serves it, but {names[0]} does")
        if not names and not row.reason:
            lines.append(f"row {row.id}: no control serves it and no reason says why")
    return lines
