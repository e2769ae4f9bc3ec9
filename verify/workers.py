"""Runs groups of tests side by side, each in a forked copy of this process, and brings their reports home
in order.

A node that hangs, floods or crashes its worker costs that node's results only; forking after the
collection costs
milliseconds, where starting fresh workers would cost a second each.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

LENGTH = struct.Struct(">I")
GATHER = 0.02  # seconds: waking for each report costs this process, and the workers beside it, more than it
Send = Callable[[dict[str, Any]], None]


@dataclass
class Worker:
    """One forked process and what it has said so far."""

    name: str
    pid: int
    pipe: int
    deadline: float
    buffer: bytearray = field(default_factory=bytearray)
    ended: str = ""

    def messages(self) -> Iterator[dict[str, Any]]:
        """Whole messages received so far, each once."""
        while len(self.buffer) >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self.buffer)
            if len(self.buffer) < LENGTH.size + size:
                return
            body = bytes(self.buffer[LENGTH.size : LENGTH.size + size])
            del self.buffer[: LENGTH.size + size]
            yield json.loads(body)


def run_groups(
    names: list[str],
    work: Callable[[str, Send], None],
    at_once: int,
    seconds: float,
) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Call work(name, send) for every name in a process of its own, at most `at_once` at a time.

    Yields (name, message) for everything a worker sends and (name, reason) when it is over: "" at a good
    end, else
    why the rest of its results is missing (crashed, or took longer than `seconds` and was ended).
    """
    waiting = list(names)
    running: dict[int, Worker] = {}
    selector = selectors.DefaultSelector()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                worker = _start(waiting.pop(0), work, seconds)
                running[worker.pipe] = worker
                selector.register(worker.pipe, selectors.EVENT_READ)
            if selector.select(0.2):
                time.sleep(GATHER)
            for key, _ in selector.select(0):
                data = os.read(key.fd, 1 << 18)
                running[key.fd].buffer += data
                if not data:
                    running[key.fd].ended = "closed"
            for worker in list(running.values()):
                for message in worker.messages():
                    yield worker.name, message
                if not worker.ended and time.monotonic() > worker.deadline:
                    worker.ended = f"took longer than {seconds:.0f} s in all and was ended"
                if worker.ended:
                    selector.unregister(worker.pipe)
                    yield worker.name, _finish(running.pop(worker.pipe))
    finally:
        for worker in running.values():
            _finish(worker)
        selector.close()


def _start(name: str, work: Callable[[str, Send], None], seconds: float) -> Worker:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        return Worker(name, pid, reading, time.monotonic() + seconds)
    status = 1
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        os.close(reading)

        def send(message: dict[str, Any]) -> None:
            body = json.dumps(message, default=str).encode()
            data = LENGTH.pack(len(body)) + body
            while data:
                data = data[os.write(writing, data) :]

        work(name, send)
        status = 0
    finally:
        os._exit(status)  # no atexit handler, no pytest teardown of the parent in a copy of it


def _finish(worker: Worker) -> str:
    """Reap the worker; its whole process group ends with it, so that no ssh stays behind."""
    os.close(worker.pipe)
    closed = worker.ended == "closed"
    status: int | None = None
    for _ in range(50 if closed else 0):
        pid, code = os.waitpid(worker.pid, os.WNOHANG)
        if pid:
            status = code
            break
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker.pid, signal.SIGKILL)
    if status is None:
        os.waitpid(worker.pid, 0)
    if not closed:
        return worker.ended or "was interrupted"
    return "" if status == 0 else "ended before it was done"
