"""Action plugin: compares a value of the node with what the controller recorded of it; records the first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

DOCUMENTATION = r"""
module: recorded_off_node
short_description: Compares a value of the node with what the controller recorded of it
description:
  - The record is a file of the controller, so whoever changes the node cannot change it as well.
  - Nothing is recorded in check mode, and an empty value is never recorded.
options:
  path: {type: path, required: true, description: File of the controller.}
  value: {type: str, required: true, description: What the node has now; empty when it has none.}
  what: {type: str, required: true, description: What the value is of, for the message.}
  renew: {type: bool, default: false, description: Record the value whatever was recorded before.}
author: Stockade
"""

EXAMPLES = r"""
- name: The database is the one that was recorded
  recorded_off_node:
    path: build/integrity/edge-a-1
    value: "{{ sha256 }}"
    what: /var/lib/aide/aide.db
"""


class ActionModule(ActionBase):
    """Runs on the controller alone; the node is not asked."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Compare, record. A record is no change of the node, so `changed` stays false."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        path, value = Path(self._task.args["path"]), str(self._task.args["value"])
        renew, what = bool(self._task.args.get("renew", False)), self._task.args["what"]
        recorded = path.read_text().strip() if path.is_file() else ""
        if recorded and recorded != value and not renew:
            raise AnsibleActionFail(
                f"{what} is {value[:16] or 'gone'}, recorded was {recorded[:16]}; Stockade alone makes it; "
                "look at what changed on the node, then make and record a new one (integrity_renew=true)"
            )
        if value and value != recorded and not self._task.check_mode:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f"{path.name}.{os.getpid()}")
            fresh.write_text(f"{value}\n")
            fresh.chmod(0o600)
            fresh.replace(path)
        result.update(changed=False, recorded=recorded)
        return result
