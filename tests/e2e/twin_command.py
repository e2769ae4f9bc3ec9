"""`python -m twin` as a user starts it, and everything on this machine that it left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from twin.ledger import TOKEN, prefix

ROOT = Path(__file__).parents[2]


def twin(build: Path, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "STOCKADE_BUILD": str(build), **changed}
    argv = [sys.executable, "-m", "twin", *arguments]
    return subprocess.run(
        argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=3000
    )


def traces(build: Path) -> list[str]:
    """Everything on this machine that belongs to the twin of a build directory."""
    mark = prefix(build / "twin")
    spaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    found = [line for line in (spaces + links).splitlines() if mark in line]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(build) in line]
    for process in psutil.process_iter():
        try:
            if process.environ().get(TOKEN, "").startswith(mark):
                found.append(f"{process.pid} {process.cmdline()}")
        except psutil.Error:
            continue
    return found
