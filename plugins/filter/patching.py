"""Filters of playbooks/patch.yml: the window, judged by the node's own code and the controller's clock."""

from __future__ import annotations

import importlib.util
from datetime import UTC, date, datetime
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

SOURCE = Path(__file__).resolve().parents[2] / "roles/patching/files/stockade_patching/window.py"


def _window() -> Any:
    loader = SourceFileLoader("stockade_patching_window", str(SOURCE))
    module = importlib.util.module_from_spec(ModuleSpec(loader.name, loader))
    loader.exec_module(module)
    return module


def in_patching_window(window: str, zone: str) -> bool:
    """Whether it is now inside of `Sun 01:00-04:00` of a time zone."""
    try:
        return bool(_window().in_window(window, zone, datetime.now(UTC)))
    except (ValueError, KeyError) as error:
        raise AnsibleFilterError(f"patching_window, patching_timezone: {error}") from error


def patching_problems(window: str, zone: str, holds: list[dict[str, str]]) -> list[str]:
    """What is wrong with a window, its time zone and the holds, a line each; empty when nothing is."""
    code, found = _window(), []
    try:
        code.times(window)
        code.in_window(window, zone, datetime.now(UTC))
    except ValueError as error:
        found.append(f"patching_window: {error}")
    except (KeyError, OSError):
        found.append(f"patching_timezone {zone!r}; a time zone is one of IANA's; write it as Asia/Kolkata")
    for hold in holds:
        name, reason, until = (str(hold.get(key) or "").strip() for key in ("name", "reason", "until"))
        try:
            date.fromisoformat(until)
            dated = len(until) == len("2027-01-31")
        except ValueError:
            dated = False
        if not dated:
            found.append(f"patching_holds: {name} until {until!r}; a hold ends on a day; write 2027-01-31")
        if not reason:
            found.append(f"patching_holds: {name} has no reason; a report names one; write why")
    return found


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Any]:
        """{name: function}."""
        return {"in_patching_window": in_patching_window, "patching_problems": patching_problems}
