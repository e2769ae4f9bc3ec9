"""Doing things inside a network namespace without starting a process: a thread steps in and out again."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fault import Fault
from twin.ledger import Ledger

NETNS = Path("/run/netns")
_CLONE_NEWNET = 0x40000000  # linux/sched.h; Python has os.setns from 3.12 on
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Run the body of a `with` in a network namespace; only the calling thread goes there.

    A socket made inside stays inside for ever, whichever thread uses it later.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(NETNS / namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(home)


def _enter(handle: int) -> None:
    if _libc.setns(handle, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def make(ledger: Ledger, namespace: str, sysctls: Mapping[str, str]) -> bool:
    """Make a namespace unless it is there; returns whether it was made. `sysctls` are keys below net/."""
    if (NETNS / namespace).exists():
        return False
    ledger.record("netns", namespace)
    run(["ip", "netns", "add", namespace])
    with inside(namespace):
        for key, value in sysctls.items():
            (Path("/proc/sys/net") / key).write_text(value)
    batch(namespace, ["link set lo up"])
    return True


def batch(namespace: str, lines: Iterable[str], *, six: bool = False, lenient: bool = False) -> None:
    """Run `ip` commands in a namespace, in one process. `lenient` goes on after one that fails."""
    text = "\n".join(lines) + "\n"
    options = ["-6"] if six else []
    options += ["-force"] if lenient else []
    run(["ip", *options, "-n", namespace, "-batch", "-"], text=text, lenient=lenient)


def interfaces(namespace: str) -> set[str]:
    """Names of the interfaces in a namespace."""
    output = run(["ip", "-n", namespace, "-o", "link", "show"])
    return {line.split(":")[1].strip().split("@")[0] for line in output.splitlines()}


def run(command: list[str], *, text: str | None = None, lenient: bool = False) -> str:
    """Run a command of the network tools and return its output. Raises Fault with its own words."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode and not lenient:
        problem = f"{' '.join(command)}: {done.stderr.strip() or done.returncode}"
        raise Fault(problem, "the twin's wires need this to work", "`make down`, then run it again")
    return done.stdout
