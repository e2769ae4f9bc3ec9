"""Tells who started ansible-playbook what a role changes or would change: JSON lines on a descriptor."""

from __future__ import annotations

import json
import os
import re

from ansible.playbook.handler import Handler
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: differences
type: notification
short_description: tasks that change something, with their diff, as JSON lines
description:
  - Writes one JSON object a line to the file descriptor named by STOCKADE_DIFFERENCES; silent without it.
  - '{"node", "role", "task", "state", "text"} per task, and {"node", "state"} per node at the end.'
  - A state is changed, failed, unreachable or done; a task with no_log shows nothing of its content.
options: {}
"""
LIMIT = 8000
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class CallbackModule(CallbackBase):
    """One line per task that is not as it was, one per node at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "differences"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        number = os.environ.get("STOCKADE_DIFFERENCES", "")
        self._stream = os.fdopen(os.dup(int(number)), "w", buffering=1) if number.isdigit() else None

    def _tell(self, **facts: object) -> None:
        if self._stream is not None:
            self._stream.write(json.dumps(facts) + "\n")

    def _say(self, result, state: str, text: str) -> None:
        role = result._task._role.get_name() if result._task._role else ""
        task = result._task.name or result._task.action
        self._tell(node=result._host.get_name(), role=role, task=task, state=state, text=text[:LIMIT])

    def v2_runner_on_ok(self, result):
        facts = result._result
        if not facts.get("changed") or isinstance(result._task, Handler):
            return  # a handler only follows what another task has changed
        parts = facts.get("results") or [facts]
        shown = [self._get_diff(part["diff"]) for part in parts if part.get("changed") and part.get("diff")]
        self._say(result, "changed", COLOUR.sub("", "\n".join(map(str, shown))).strip())

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self._say(result, "failed", str(result._result.get("msg", "")))

    def v2_runner_on_unreachable(self, result):
        self._say(result, "unreachable", str(result._result.get("msg", "")))

    def v2_playbook_on_stats(self, stats):
        for node in sorted(stats.processed):
            self._tell(node=node, state="done")
