"""What the processes of a play say to each other, and what its own need not ask (strategy `ahead`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.utils.multiprocessing import context as processing

WAKE = 0.2  # seconds after which who waits for another process looks whether it is still there


class Turn:
    """What a worker waits for before a task that decides about access."""

    def __init__(self) -> None:
        self._said, self._come = processing.Semaphore(0), processing.RawValue("b", 0)

    def come(self) -> None:
        """Said by the play's process: it has come to the task."""
        self._come.value = 1
        self._said.release()

    def over(self) -> None:
        """Said by the play's process: it does not come to the task any more."""
        self._said.release()

    def wait(self, alone: Callable[[], bool]) -> bool:
        """In a worker: whether the turn has come; no when it is over or nobody is left to say so."""
        while not self._said.acquire(timeout=WAKE):
            if alone():
                return False
        come, self._come.value = bool(self._come.value), 0
        return come


class Variables:
    """Ansible's variable manager, which is not asked for what a worker has worked out for itself."""

    def __init__(self, plain: Any, early: dict[tuple[str, str], Any]) -> None:
        self.plain, self._early = plain, early

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def get_vars(self, play: Any = None, host: Any = None, task: Any = None, **more: Any) -> dict[str, Any]:
        """Nothing for a task that is another process's: only its name would be read with it, a plain text."""
        if host and task and (host.name, task._uuid) in self._early and "{" not in str(task.name):
            return {}
        found: dict[str, Any] = self.plain.get_vars(play=play, host=host, task=task, **more)
        return found
