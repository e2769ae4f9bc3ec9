"""The way back: ends what a ledger names, removes what it made, then searches the machine for more."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Container, Iterator
from pathlib import Path

import psutil

from fault import Fault
from twin.ledger import Entry, Ledger, Noted, begun, token_of

NETNS = Path("/run/netns")
Undo = Callable[[Ledger, str], bool]
PATIENCE = 60.0
"""Seconds that a killed process may take to be gone: the kernel tears a node's namespaces down first."""


def sweep(ledger: Ledger, progress: Noted | None = None) -> list[str]:
    """See `Ledger.sweep`."""
    entries = ledger.entries()
    done = [f"process {name}" for name in _end_processes(ledger, entries)]
    undoing = {
        "netns": _drop_netns,
        "cgroup": _drop_cgroup,
        "interface": _drop_interface,
        "mount": _unmount,
        "lease": _return_lease,
    }
    for kind, undo in undoing.items():
        done += [f"{kind} {name}" for name in _undo_kind(ledger, entries, kind, undo)]
    for entry in reversed(_unique(entries, "path")):
        if _remove_path(ledger, Path(entry.name)):
            done.append(f"path {entry.name}")
    left = remains(ledger)
    if left:
        rule = "nothing that the twin started may outlive it"
        fix = f"look at them, then run `make down` again; {ledger.path} lists what was started"
        raise Fault("still there: " + ", ".join(left), rule, fix)
    ledger.path.unlink(missing_ok=True)
    if progress and done:
        progress.note(f"{len(done)} things removed")
    return done


def sweep_build(build: Path, progress: Noted | None = None) -> list[str]:
    """Sweep the twin's home and every lone home whose owner is gone."""
    done: list[str] = []
    for home in sorted((build / "lone").glob("*")) if (build / "lone").is_dir() else []:
        if not owner_alive(Ledger(home)):
            done += sweep(Ledger(home), progress)
            shutil.rmtree(home, ignore_errors=True)
    with contextlib.suppress(OSError):
        (build / "lone").rmdir()
    return done + sweep(Ledger(build / "twin"), progress)


def owner_alive(ledger: Ledger) -> bool:
    """Whether the process that owns a lone home (its first entry) still runs."""
    for entry in ledger.entries():
        if "owner_pid" in entry.facts:
            try:
                return begun(entry.facts["owner_pid"]) == float(entry.facts["owner_start"])
            except psutil.Error:
                return False
    return False


def remains(ledger: Ledger) -> list[str]:
    """What carries this ledger's mark and is on the machine now, whether the ledger knows it or not."""
    left = [f"process {pid} ({_title(pid)})" for pid in marked(ledger)]
    left += [f"netns {name}" for name in _our_netns(ledger)]
    left += [f"control group {top}" for top in _our_cgroups(ledger)]
    left += [f"mount {point}" for point in _mounts_under(ledger.home)]
    left += [f"interface {name}" for name in _interfaces() if name.startswith(f"{ledger.prefix}-")]
    left += [f"path {entry.name}" for entry in _unique(ledger.entries(), "path") if _exists(Path(entry.name))]
    return left


def marked(ledger: Ledger) -> list[int]:
    """The pids that are this ledger's: by token, by network namespace, or by control group."""
    inodes = {inode for name in _our_netns(ledger) if (inode := _inode(NETNS / name))}
    spare = _lineage()
    return [
        pid
        for pid in psutil.pids()
        if pid not in spare and not _zombie(pid) and _is_ours(ledger, pid, inodes)
    ]


def _is_ours(ledger: Ledger, pid: int, inodes: Container[tuple[int, int] | None]) -> bool:
    token = token_of(pid)
    if token is not None and token.startswith(f"{ledger.prefix}:"):
        return True
    if _inode(Path(f"/proc/{pid}/ns/net")) in inodes:
        return True
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False
    return any(line.split(":", 2)[2].startswith(f"/{ledger.prefix}-") for line in groups.splitlines())


def _end_processes(ledger: Ledger, entries: list[Entry]) -> list[str]:
    """End every marked process; those that the ledger gave a grace get a SIGTERM first. Returns names."""
    names = {entry.facts.get("token"): entry for entry in entries if entry.kind == "process"}
    asked: list[psutil.Process] = []
    ended: dict[str, None] = {}
    pids = marked(ledger)
    for process in _processes(pids):
        entry = names.get(token_of(process.pid))
        if entry is None:
            continue
        ended[entry.name] = None
        if float(entry.facts.get("grace", 0)) > 0 and _owns(entry, process):
            with contextlib.suppress(psutil.Error):
                process.terminate()
                asked.append(process)
    graces = [float(entry.facts.get("grace", 0)) for entry in names.values()]
    polite = time.monotonic() + max(graces, default=0.0)
    # Looked at, never waited for: whoever started one of them may still want its exit status.
    while any(not _zombie(process.pid) for process in asked) and time.monotonic() < polite:
        time.sleep(0.02)
    deadline = time.monotonic() + PATIENCE
    while (pids := marked(ledger)) and time.monotonic() < deadline:
        for process in _processes(pids):
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.02)
    return list(ended)


def _owns(entry: Entry, process: psutil.Process) -> bool:
    """Whether the entry is about this very process, not about one of its children (they share the token)."""
    if "pid" not in entry.facts:
        return True  # killed between start and record: the token alone tells
    try:
        return process.pid == entry.facts["pid"] and begun(process.pid) == float(entry.facts["start_time"])
    except psutil.Error:
        return False


def _undo_kind(ledger: Ledger, entries: list[Entry], kind: str, undo: Undo) -> Iterator[str]:
    named = [entry.name for entry in reversed(_unique(entries, kind))]
    if kind == "netns":
        named += [name for name in _our_netns(ledger) if name not in named]
    elif kind == "cgroup":
        named += [top.name for top in _our_cgroups(ledger) if top.name not in named]
    elif kind == "mount":
        named += [point for point in _mounts_under(ledger.home) if point not in named]
    for name in named:
        if kind in ("netns", "cgroup", "interface") and not name.startswith(f"{ledger.prefix}-"):
            continue  # not our name: never touch it, whatever the file says
        if undo(ledger, name):
            yield name


def _drop_netns(_ledger: Ledger, name: str) -> bool:
    if not (NETNS / name).exists():
        return False
    return subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False).returncode == 0


def _drop_cgroup(ledger: Ledger, name: str) -> bool:
    tops = [top for top in _our_cgroups(ledger) if top.name == name]
    for top in tops:
        for directory, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)  # noqa: PTH106  # a control group holds files that go with it
    return bool(tops)


def _drop_interface(_ledger: Ledger, name: str) -> bool:
    if name not in _interfaces():
        return False
    return subprocess.run(["ip", "link", "del", name], capture_output=True, check=False).returncode == 0


def _unmount(ledger: Ledger, point: str) -> bool:
    if point not in _mounts_under(ledger.home):
        return False
    return subprocess.run(["umount", "--lazy", point], capture_output=True, check=False).returncode == 0


def _return_lease(_ledger: Ledger, name: str) -> bool:
    """Give a lease back; when no living home holds one any more, what it was for is swept as well."""
    lease = Path(name)
    shared = Ledger(lease.parent.parent)
    if not shared.home.is_dir():
        return False
    with holding(shared.home):
        had = lease.exists()
        lease.unlink(missing_ok=True)
        for other in lease.parent.glob("*"):
            if not Path(other.read_text().strip() or "/nowhere").exists():
                other.unlink(missing_ok=True)
        if lease.parent.is_dir() and not any(lease.parent.iterdir()):
            sweep(shared)
    return had


@contextlib.contextmanager
def holding(home: Path) -> Iterator[None]:
    """Alone with a home, among all processes; the kernel lets go when the holder dies."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_path(ledger: Ledger, path: Path) -> bool:
    """Remove a file or tree that the ledger names, if it lies where the twin may write at all."""
    allowed = (
        path.is_absolute()
        and ".." not in path.parts
        and (
            (path.is_relative_to(ledger.home) and path != ledger.home)
            or path.is_relative_to(Path("/run") / ledger.prefix)
        )
    )
    if not allowed or not _exists(path):
        return False
    if path.is_dir() and not path.is_symlink():
        _remove_tree(path)
    else:
        path.unlink()
    return True


def _remove_tree(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return shutil.rmtree(path)
        except PermissionError:
            if time.monotonic() > deadline:
                raise
            # A hardened node may have made files immutable; they live on in the overlay's upper directory.
            subprocess.run(["chattr", "-R", "-i", "-a", str(path)], capture_output=True, check=False)
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)  # the kernel is still letting go of the node's file system


def _unique(entries: list[Entry], kind: str) -> list[Entry]:
    return list({entry.name: entry for entry in entries if entry.kind == kind}.values())


def _our_netns(ledger: Ledger) -> list[str]:
    if not NETNS.is_dir():
        return []
    return sorted(path.name for path in NETNS.iterdir() if path.name.startswith(f"{ledger.prefix}-"))


def _our_cgroups(ledger: Ledger) -> list[Path]:
    """Control groups with our prefix, at the top of every hierarchy."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        if tail.startswith(("cgroup ", "cgroup2 ")):
            found += [p for p in Path(fields.split()[4]).glob(f"{ledger.prefix}-*") if p.is_dir()]
    return found


def _mounts_under(home: Path) -> list[str]:
    points = [
        line.split()[4].replace("\\040", " ")
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    ]
    return [point for point in reversed(points) if Path(point).is_relative_to(home)]


def _interfaces() -> list[str]:
    return os.listdir("/sys/class/net") if Path("/sys/class/net").is_dir() else []  # noqa: PTH208


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _lineage() -> set[int]:
    """This process and its ancestors: whoever asks for the sweep is never its victim."""
    me = psutil.Process()
    return {0, 1, me.pid, *(parent.pid for parent in me.parents())}


def _processes(pids: list[int]) -> Iterator[psutil.Process]:
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            yield psutil.Process(pid)


def _zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def _title(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline()[:3])[:60]
    except psutil.Error:
        return "gone"
