"""From `pulumi preview --json` to planned resources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fault import Fault
from guardrails.model import Planned

# Pulumi's marks inside a plan: a secret's wrapping, and a value that only creation will tell.
_SIGNATURE, _WRAPPED = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def read(path: Path) -> list[Planned]:
    """The resources of a preview written by `pulumi preview --json`, those that are to be deleted left out.

    Raises Fault when the file is no such preview, or the preview itself failed.
    """
    try:
        data = json.loads(path.read_text())
        steps = data["steps"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Fault(
            f"{path}: {type(error).__name__}: not a preview",
            "a plan is what `pulumi preview --json` prints",
            "write it with: pulumi preview --json > plan.json",
        ) from error
    wrong = [d["message"] for d in data.get("diagnostics", []) if d.get("severity") == "error"]
    if wrong:
        first = str(wrong[0]).splitlines()[0]
        raise Fault(
            f"{path}: the preview failed: {first}", "only a whole plan is judged", "repair it, run it again"
        )
    return [_planned(step["newState"]) for step in steps if step.get("newState")]


def _planned(state: dict[str, Any]) -> Planned:
    return Planned(
        type=state["type"],
        name=state["urn"].rpartition("::")[2],
        urn=state["urn"],
        inputs=_plain(state.get("inputs") or {}),
        provider=state.get("provider", ""),
        parent=state.get("parent", ""),
        depends={key: list(urns or ()) for key, urns in (state.get("propertyDependencies") or {}).items()},
        protect=bool(state.get("protect")),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _WRAPPED:
            return "[secret]"
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return "(known after creation)" if value == _UNKNOWN else value
