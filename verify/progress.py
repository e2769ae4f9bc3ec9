"""How far each node is: one live line per node on a terminal, one plain line per finished node elsewhere."""

from __future__ import annotations

import time
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from report.model import Status

_BAD = (Status.FAIL, Status.ERROR)


class Progress:
    """Counts results per group (node, or the region). No thread: it draws when it is told something."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._total: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._bad: dict[str, int] = {}
        self._notes: dict[str, str] = {}
        self._started = time.monotonic()
        self._drawn = 0.0

    def begin(self, total: dict[str, int]) -> None:
        """Start showing these groups with their numbers of tests."""
        self._total, self._started = total, time.monotonic()
        self._done = dict.fromkeys(total, 0)
        self._bad = dict.fromkeys(total, 0)
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()

    def result(self, group: str, status: Status) -> None:
        """One more result of a group."""
        self._done[group] += 1
        self._bad[group] += status in _BAD
        if self._live is not None and time.monotonic() - self._drawn > 0.1:
            self._drawn = time.monotonic()
            self._live.update(Group(*(Text(self._line(name)) for name in self._total)), refresh=True)

    def end(self, group: str, reason: str) -> None:
        """A group is over; `reason` says why it is not complete."""
        self._notes[group] = reason
        if self._live is None:
            elapsed = time.monotonic() - self._started
            self._console.print(f"  [{elapsed:6.1f} s] verify: {self._line(group)}", markup=False)

    def close(self) -> None:
        """Leave the terminal as it was found."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            for name in self._total:
                self._console.print(self._line(name), markup=False)

    def _line(self, name: str) -> str:
        done, total, bad = self._done[name], self._total[name], self._bad[name]
        state = f"{bad} not good" if bad else "good so far" if done < total else "good"
        if not done and name in self._notes:
            state = "no answer"
        note = f", {self._notes[name]}" if self._notes.get(name) else ""
        return f"{name:<18} {done:>4}/{total} tests, {state}{note}"
