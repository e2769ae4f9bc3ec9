"""Typed model of the control catalogue: one YAML file per control, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fault import Fault

AREAS = {
    "node": ("SSH", "USR", "KRN", "FWL", "PAT", "AUD", "TIM", "SVC", "FIL"),
    "region": (
        "NET",
        "SGR",
        "VPN",
        "KMS",
        "BKT",
        "IAM",
        "ACC",
        "CMP",
        "LOG",
        "REG",
        "EDG",
        "DET",
        "MON",
        "BAK",
    ),
    "procedure": ("PRC",),
}


# libyaml's reader is eight times as fast where PyYAML was built with it.
YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Control(BaseModel):
    """One thing that is proven. Sentences are our own; references carry ids and numbers only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^STK-[A-Z]{3}-\d{3}$")
    title: str = Field(min_length=8, max_length=120, description="the state, as a plain sentence")
    why: str = Field(min_length=20, description="what goes wrong without it")
    severity: Literal["low", "medium", "high", "critical"]
    layer: Literal[
        "infrastructure",
        "region",
        "vpc",
        "iam",
        "os",
        "security group",
        "object storage",
        "data",
        "access",
        "periphery",
        "network",
        "services",
        "process",
        "people",
        "audit",
    ]
    applies_to: tuple[str, ...] = Field(
        min_length=1, description="server roles, `nodes`, or resource types (bucket, vpc, …)"
    )
    rows: tuple[str, ...] = Field(min_length=1, description="rows of the requirements, e.g. M5, D6")
    provided_by: str = Field(description="component class or role/task that brings the state about")
    references: tuple[str, ...] = Field(
        default=(), description="framework, version and number, e.g. 'CIS Debian 12 1.1: 5.1.20'"
    )
    profile: Literal["cis-l1", "cis-l2", "strict"] = Field(
        default="cis-l1", description="the lowest profile of a node that asks for it; profiles are cumulative"
    )
    verified_by: tuple[str, ...] = Field(
        default=(),
        description="tests that judge it, as <file>::<test>; written by `python -m controls claim`",
    )
    evidence: str = Field(min_length=6, description="what is read to judge it: command or API")
    rollback: str = Field(min_length=12, description="how the state is taken back, and what that costs")
    owner: str = Field(default="", description="of a procedure: the role that answers for it, never a person")
    cadence_days: int | None = Field(
        default=None, ge=1, le=1100, strict=True, description="of a procedure: days until it is due again"
    )

    @model_validator(mode="after")
    def _procedure(self) -> Control:
        """A procedure has an owner and a cadence; nothing else has."""
        procedure = self.id.split("-")[1] in AREAS["procedure"]
        if procedure != bool(self.owner) or procedure != bool(self.cadence_days):
            raise ValueError("owner and cadence_days belong to procedures (STK-PRC-…), both of them")
        return self


def load(root: Path) -> dict[str, Control]:
    """Read `<root>/controls/catalogue/**.yaml` to {id: Control}, sorted by id.

    Raises Fault (exit code 2) naming the file and the key for an unknown key, a duplicate id or a file in
    the wrong room.
    """
    found: dict[str, Control] = {}
    for path in sorted((root / "controls" / "catalogue").glob("*/*.yaml")):
        where = path.relative_to(root)
        try:
            control = Control.model_validate(yaml.load(path.read_text(), Loader=YAML))  # noqa: S506 - safe
        except (ValidationError, yaml.YAMLError) as error:
            first = (
                error.errors()[0]
                if isinstance(error, ValidationError)
                else {"loc": ("yaml",), "msg": str(error)}
            )
            raise Fault(
                f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}",
                "a control file follows controls/model.py",
                "correct the key",
            ) from error
        if path.stem != control.id or control.id.split("-")[1] not in AREAS.get(path.parent.name, ()):
            raise Fault(
                f"{where} holds {control.id}", "a control lies in <area>/<id>.yaml", "rename or move the file"
            )
        found[control.id] = control
    if not found:
        raise Fault(
            f"no control under {root / 'controls/catalogue'}",
            "an empty catalogue proves nothing",
            "run inside the repository",
        )
    return found
