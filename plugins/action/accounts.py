"""Action plugin: accounts, groups and keys change behind the same guard as files do.

An account locks people out as well as sshd's configuration does: by its groups, its shell, its dates. The
module of this name changes them; `guarded_change` snapshots, arms, proves and brings back around it.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Takes the module's arguments; the limits are the role access_guard's variables."""

    TRANSFERS_FILES = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look first: a list that holds already costs one trip and no generation."""
        super().run(tmp, task_vars)
        action = self._shared_loader_obj.action_loader.get(
            "guarded_change",
            task=self._task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        result: dict[str, Any] = action.around("accounts", dict(self._task.args), task_vars or {})
        return result
