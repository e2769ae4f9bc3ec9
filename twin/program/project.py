"""Pulumi.yaml and Pulumi.<stack>.yaml as the program's process wants them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import fault


@dataclass(frozen=True)
class Project:
    """Name, program file, and configuration as text by fully qualified key."""

    name: str
    program: Path
    config: dict[str, str]


def load(root: Path, stack: str) -> Project:
    """Read both files. Raises Fault when one is missing or holds an encrypted value."""
    declared = _mapping(
        root / "Pulumi.yaml", "a Pulumi project has a Pulumi.yaml", "run in the project's folder"
    )
    stacks = ", ".join(sorted(p.name[7:-5] for p in root.glob("Pulumi.*.yaml"))) or "none"
    chosen = _mapping(root / f"Pulumi.{stack}.yaml", "a stack has a file", f"stacks here: {stacks}")
    name = str(declared.get("name") or "")
    if not name:
        raise fault.Fault(f"{root / 'Pulumi.yaml'}: no name", "a project has a name", "add `name:`")
    config: dict[str, str] = {}
    for key, entry in (declared.get("config") or {}).items():
        given = entry.get("value", entry.get("default")) if isinstance(entry, dict) else entry
        if given is not None:
            config[_qualified(key, name)] = _text(given)
    for key, value in (chosen.get("config") or {}).items():
        if isinstance(value, dict) and set(value) == {"secure"}:
            raise fault.Fault(
                f"{stack}: {key} is encrypted",
                "the twin has no passphrase",
                "give the twin its own stack file with a throw-away value",
            )
        config[_qualified(key, name)] = _text(value)
    folder = root / str(declared.get("main") or ".")
    return Project(name, (folder / "__main__.py").resolve(), config)


def _mapping(path: Path, rule: str, fix: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise fault.Fault(f"{path.name}: not found in {path.parent}", rule, fix) from None
    except yaml.YAMLError as error:
        raise fault.Fault(
            f"{path.name}: {' '.join(str(error).split())}", "it is YAML", "correct the line"
        ) from None
    if not isinstance(data, dict):
        raise fault.Fault(f"{path.name}: not a mapping", "it is a mapping", "see Pulumi's documentation")
    return data


def _qualified(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)
