"""Whether nothing is to be updated, worked out once for each state of the node that the answer follows from.

apt's cache takes half a second of a processor to read, on a node on which nothing has changed since.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from . import packages

FOLLOWS_FROM = (
    *(Path("/var/lib/dpkg/status"), Path("/var/lib/dpkg/arch"), Path("/var/lib/apt/lists"), Path("/etc/apt")),
    Path(__file__).parent,
)
KEPT = Path("/run/stockade/patching-idle")


def idle(configuration: dict[str, Any]) -> bool:
    """Every package is whole, and no security update is pending."""
    if packages.unsettled():
        return False
    now = mark(configuration["origins"])  # before the question: what changes meanwhile makes it a new one
    if now == _kept():
        return True
    if packages.pending("security", configuration["origins"]):
        return False
    KEPT.parent.mkdir(mode=0o755, exist_ok=True)
    KEPT.write_text(now, encoding="ascii")
    return True


def mark(origins: list[str]) -> str:
    """Tells a state of packages, sources, apt's settings and this program from others, by no clock."""
    seen = [repr(origins)]
    for place in FOLLOWS_FROM:
        files = [Path(folder, name) for folder, _, names in os.walk(place) for name in names]
        for path in sorted(files) or [place]:
            try:
                found = path.stat()
            except FileNotFoundError:
                continue  # apt's own passing files; and nodes of one architecture name no other
            seen.append(f"{path} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}")
    return hashlib.sha256("\n".join(seen).encode(errors="surrogateescape")).hexdigest()


def _kept() -> str:
    try:
        return KEPT.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
