"""Commands with a bound in time, and files that are replaced as a whole. Standard library only."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

STATE = Path("/var/lib/stockade")
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "NEEDRESTART_SUSPEND": "1"}
PAUSE = 2  # seconds between two attempts


class Refused(Exception):
    """Wrong configuration (code 2) or a step that failed (code 1), in one line."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


def attempt(command: tuple[str, ...], seconds: float) -> tuple[int, str, str]:
    """(return code, output, errors) of a command without a terminal.

    After `seconds` the whole family of processes is ended and the code is 124: apt's own helpers outlive apt.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **ENVIRONMENT},
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            out, err = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        return 124, out, f"{err}\nno end within {seconds:.0f} s"
    return process.returncode, out, err


def run(*command: str, seconds: float = 60, tries: int = 1) -> str:
    """Output of a command; what fails `tries` times is an error that names command, code and last words."""
    for left in reversed(range(tries)):
        code, out, err = attempt(command, seconds)
        if code == 0:
            return out
        if left:
            time.sleep(PAUSE)
    tail = " | ".join(line.strip() for line in (err.strip() or out.strip()).splitlines()[-4:])
    raise Refused(f"`{' '.join(command)}` ended with {code}: {tail}")


def write(path: Path, text: str) -> None:
    """Replace a file as a whole, durably, readable by root only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(text + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
