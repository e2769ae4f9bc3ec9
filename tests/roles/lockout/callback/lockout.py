"""Callback of the lock-out tests: looks at the node from outside at marked tasks, or dies at one on purpose.

A look is a login of its own with ssh's command line, so it shares nothing with the code that it judges.
Environment: STOCKADE_LOOKS (file for one JSON line per case), STOCKADE_SSH (ssh configuration),
STOCKADE_NODE; STOCKADE_STOP_AT (number of a task; before it the run kills itself, or waits when
STOCKADE_STOPPED names a file).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: lockout
type: aggregate
short_description: Independent logins between the cases of the lock-out tests
description: [See the module's text.]
"""
PATIENCE = 150.0
LOOK = "sudo -n /usr/bin/python3 /var/lib/lockout-look"


def look(seconds: float = PATIENCE) -> dict[str, Any]:
    """Log in and become root until it works; what the node says, and after how many seconds it did."""
    command = ["ssh", "-F", os.environ["STOCKADE_SSH"], "-o", "ControlPath=none", "-o", "ControlMaster=no"]
    command += ["-o", "BatchMode=yes"]
    start, said = time.monotonic(), "no answer"
    while (passed := time.monotonic() - start) < seconds:
        # Short, for a dropped packet tells nothing; longer once the machine may be what takes so long.
        limit = ["-o", f"ConnectTimeout={2 if passed < 20 else 20}", os.environ["STOCKADE_NODE"], LOOK]
        try:
            done = subprocess.run([*command, *limit], capture_output=True, text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            continue
        if done.returncode == 0:
            return {"in": True, "seconds": time.monotonic() - start, **json.loads(done.stdout)}
        said = done.stderr
        time.sleep(0.2)
    return {"in": False, "seconds": seconds, "said": said}


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible is untyped
    """Collects what Ansible says per case; a task named `look: CASE` closes the case."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "lockout"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.changed = 0
        self.since = time.monotonic()
        self.number = 0

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002
        """Stop before a task, or look after a case."""
        name = str(task.get_name())
        if "Validating arguments" not in name:
            self.number += 1
            if str(self.number) == os.environ.get("STOCKADE_STOP_AT"):
                self._stop()
        if name.startswith("look: ") and "STOCKADE_LOOKS" in os.environ:
            took = time.monotonic() - self.since
            row = {"case": name.removeprefix("look: "), "took": took, "said": "\n".join(self.said)}
            row |= {"changed": self.changed, "look": look()}
            with Path(os.environ["STOCKADE_LOOKS"]).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            self.said, self.changed, self.since = [], 0, time.monotonic()

    def _stop(self) -> None:
        if "STOCKADE_STOPPED" not in os.environ:
            os.killpg(os.getpgid(0), signal.SIGKILL)
        Path(os.environ["STOCKADE_STOPPED"]).touch()
        time.sleep(600)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002
        """A failure's own words."""
        self.said.append(
            str(result._result.get("msg") or result._result.get("module_stderr") or result._result)
        )

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """So is a node that is out of reach."""
        self.said.append(f"unreachable: {result._result.get('msg')}")

    def v2_runner_on_ok(self, result: Any) -> None:
        """Changes count; the marks and the preparation of a case do not."""
        if result._result.get("changed") and result._task.action not in ("ansible.builtin.shell", "shell"):
            self.changed += 1
