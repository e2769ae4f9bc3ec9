"""Tells who started ansible-playbook what each node is doing: JSON lines on an inherited descriptor."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: progress
type: notification
short_description: per-node progress as JSON lines
description:
  - Writes one JSON object a line to the file descriptor named by STOCKADE_PROGRESS; silent without it.
  - '{"node", "state"} while tasks run; {"node", "ok", "changed", "failed", "unreachable"} at the end.'
options: {}
"""


class CallbackModule(CallbackBase):
    """One line when a node starts a task, one when it fails, one per node at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        number = os.environ.get("STOCKADE_PROGRESS", "")
        self._stream = os.fdopen(os.dup(int(number)), "w", buffering=1) if number.isdigit() else None

    def _tell(self, **facts: object) -> None:
        if self._stream is not None:
            self._stream.write(json.dumps(facts) + "\n")

    def v2_runner_on_start(self, host, task):
        self._tell(node=host.get_name(), state=task.get_name())

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self._tell(node=result._host.get_name(), state=f"FAILED at {result._task.get_name()}")

    def v2_runner_on_unreachable(self, result):
        self._tell(node=result._host.get_name(), state="UNREACHABLE")

    def v2_playbook_on_stats(self, stats):
        for node in sorted(stats.processed):
            summary = stats.summarize(node)
            self._tell(
                node=node,
                ok=summary["ok"],
                changed=summary["changed"],
                failed=summary["failures"],
                unreachable=summary["unreachable"],
            )
