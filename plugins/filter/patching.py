"""Filters of playbooks/patch.yml: the window, judged by the node's own code and the controller's clock."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path

from ansible.errors import AnsibleFilterError

SOURCE = Path(__file__).resolve().parents[2] / "roles/patching/files/stockade_patching/window.py"


def _window():
    spec = importlib.util.spec_from_file_location("stockade_patching_window", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_patching_window(window: str, zone: str) -> bool:
    """Whether it is now inside of `Sun 01:00-04:00` of a time zone."""
    try:
        return bool(_window().in_window(window, zone, datetime.now(UTC)))
    except (ValueError, KeyError) as error:
        raise AnsibleFilterError(f"patching_window, patching_timezone: {error}") from error


class FilterModule:
    """What Ansible asks for."""

    def filters(self):
        """{name: function}."""
        return {"in_patching_window": in_patching_window}
