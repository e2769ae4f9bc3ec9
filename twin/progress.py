"""Phases with elapsed time and per-node state: a live picture on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text


@dataclass
class Phase:
    """One phase under way or done. `nodes` maps a node's name to a word for what it is doing."""

    title: str
    started: float
    seconds: float | None = None
    failed: bool = False
    note: str = ""
    nodes: dict[str, str] = field(default_factory=dict)


class Progress:
    """Shows phases as they happen. Thread-safe enough for one writer per node."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.console = Console(file=stream or sys.stdout, highlight=False, soft_wrap=True)
        self.phases: list[Phase] = []
        self._live: Live | None = None

    @contextmanager
    def phase(self, title: str) -> Iterator[Phase]:
        """Open a phase; closing prints its seconds, an exception marks it failed and goes on up."""
        phase = Phase(title, time.monotonic())
        self.phases.append(phase)
        if self.console.is_terminal:
            self._live = Live(
                get_renderable=lambda: self._picture(phase),
                console=self.console,
                refresh_per_second=8,
                transient=True,
            )
            self._live.start()
        else:
            self.console.print(f"[{title}] started")
        try:
            yield phase
        except BaseException:
            phase.failed = True
            raise
        finally:
            phase.seconds = time.monotonic() - phase.started
            if self._live is not None:
                self._live.stop()
                self._live = None
            mark = "✗" if phase.failed else "✓"
            note = f"  {phase.note}" if phase.note else ""
            self.console.print(f"{mark} {title:<28}{phase.seconds:7.1f} s{note}", markup=False)

    def node(self, name: str, state: str) -> None:
        """Say what a node is doing now; a plain line when not a terminal, and only when it changed."""
        phase = self.phases[-1]
        if phase.nodes.get(name) == state:
            return
        phase.nodes[name] = state
        if self._live is None:
            elapsed = time.monotonic() - phase.started
            self.console.print(f"  [{elapsed:6.1f} s] {phase.title}: {name}: {state}", markup=False)

    def note(self, text: str) -> None:
        """Set the running phase's remark, shown beside it while it runs and when it is done."""
        self.phases[-1].note = text

    @staticmethod
    def _picture(phase: Phase) -> Group:
        head = Text.assemble(
            (phase.title, "bold"), f"  {time.monotonic() - phase.started:5.1f} s  {phase.note}"
        )
        rows = [Text(f"    {name:<18} {state}", style="dim") for name, state in sorted(phase.nodes.items())]
        return Group(Spinner("dots", text=head), *rows)
