"""Whether this machine's kernel has inotify instances left for the nodes that are to boot.

Root of a node in nspawn is the machine's root, so all nodes share one user's instances. A service manager
that gets none boots a node that nobody can log in to, and says `Too many open files` of files that are not
open.
"""

from __future__ import annotations

import os
from pathlib import Path

from fault import Fault

LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
PROCESSES = Path("/proc")
EACH = 8
"""Seen on a node of Debian 12: six of its service manager and one of logind stand, another comes and goes."""


def require(nodes: int) -> None:
    """Raise Fault unless so many further nodes may boot here beside what runs already."""
    limit, taken = int(LIMIT.read_text()), instances()
    needed = taken + EACH * nodes
    if nodes and needed > limit:
        fit = max(0, limit - taken) // EACH
        raise Fault(
            f"fs.inotify.max_user_instances is {limit}, {taken} are taken, nodes to boot: {nodes}",
            f"each node's service manager needs {EACH} of them, and without them it boots to nowhere",
            f"`sysctl -w fs.inotify.max_user_instances={max(1024, 2 * needed)}`"
            + (f", or --nodes with {fit} of them at most" if fit else ""),
        )


def instances() -> int:
    """How many root has now. One that was passed on to another process counts for both of them."""
    return sum(_held(folder) for folder in PROCESSES.iterdir() if folder.name.isdigit())


def _held(process: Path) -> int:
    """Of one process of root's; none of one that ends meanwhile."""
    try:
        if process.stat().st_uid != 0:
            return 0
        with os.scandir(process / "fd") as files:
            return sum(_link(Path(file.path)) == "anon_inode:inotify" for file in files)
    except OSError:
        return 0


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""  # closed meanwhile
