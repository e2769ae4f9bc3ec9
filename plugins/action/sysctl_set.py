"""Action plugin: kernel parameters change behind the same guard as files do.

A parameter of the network cuts a node off as well as the packet filter does (a time to live of 1, a strict
reverse path where answers leave by another interface), at once and at every boot. The module of this name
sets them; `guarded_change` snapshots the running values, arms, proves and brings back around it.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import action_loader


class ActionModule(ActionBase):
    """Takes the module's arguments; the limits are the role access_guard's variables."""

    TRANSFERS_FILES = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look first: parameters that hold already cost one trip and no generation."""
        super().run(tmp, task_vars)
        action = action_loader.get("guarded_change", class_only=True).beside(self)
        result: dict[str, Any] = action.around("sysctl_set", dict(self._task.args), task_vars or {})
        return result
