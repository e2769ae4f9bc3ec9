"""What a preview found, as one model: the changes, the gates, the controls that the plan provides."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

_DERIVED = ("counts", "closed", "exit_code")
SCHEMA: Literal["stockade/preview/1"] = "stockade/preview/1"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Change(_Model):
    """One resource and what would happen to it; `inputs` names what differs for an update or replacement."""

    step: Literal["create", "update", "replace", "delete", "same"]
    urn: str
    type: str
    name: str
    component: str = Field(description="its innermost component, e.g. storage:Bucket")
    inputs: tuple[str, ...] = ()


class Found(_Model):
    """One finding of a gate."""

    rule: str
    urn: str
    problem: str
    fix: str


class GateResult(_Model):
    """One guardrail; closed when it found something."""

    area: str
    name: str
    sentence: str
    findings: tuple[Found, ...]


class Provision(_Model):
    """One control of the catalogue and what in the plan brings it about.

    `planned` counts the resources of the components that provide it; None for what the program as such
    provides. 0 means that this stack does without the component.
    """

    control: str
    title: str
    layer: str
    severity: str
    rows: tuple[str, ...]
    provided_by: str
    planned: int | None


class Preview(_Model):
    """One preview of one stack."""

    schema_: Literal["stockade/preview/1"] = Field(default=SCHEMA, alias="schema")
    stack: str
    region: str
    account: str
    jurisdiction: str
    allowed_regions: tuple[str, ...]
    made: AwareDatetime
    seconds: float
    against: str = Field(description="what the plan is compared with")
    changes: tuple[Change, ...]
    gates: tuple[GateResult, ...]
    controls: tuple[Provision, ...]
    contract: dict[str, Any] = Field(description="the region contract as far as it is known before creation")

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @property
    def counts(self) -> dict[str, int]:
        """Resources by step, e.g. {"create": 300}."""
        return dict(sorted(Counter(change.step for change in self.changes).items()))

    @property
    def closed(self) -> tuple[GateResult, ...]:
        """The gates that found something."""
        return tuple(gate for gate in self.gates if gate.findings)

    def exit_code(self) -> int:
        """0 when every gate is open, else 1. No gate at all is never open."""
        return 1 if self.closed or not self.gates else 0

    def save(self, path: Path) -> None:
        """Write it as JSON, with the counts and the verdict beside what they are counted from."""
        path.parent.mkdir(parents=True, exist_ok=True)
        data = self.model_dump(mode="json", by_alias=True)
        derived = {"counts": self.counts, "closed": len(self.closed), "exit_code": self.exit_code()}
        path.write_text(json.dumps(data | derived, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Preview:
        """Read what `save` wrote."""
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls.model_validate({key: value for key, value in data.items() if key not in _DERIVED})
