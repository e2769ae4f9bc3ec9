"""What the twin started, written down before it is started, and the way back to a clean machine.

A ledger is an append-only file of JSON lines in a *home* directory (the twin's is `build/twin`; a lone test
node has its own). Every line is on disk before the thing it names exists, so a `kill -9` at any moment leaves
nothing unknown:

- a process carries a token in its environment that was written down first; its pid and start time follow;
- namespaces and interfaces carry the home's prefix `stk-<8 hex>-`, derived from the home's path, so that two
  twins on one machine never touch each other's;
- a node's own processes, whose environment is clean, sit in a control group that carries the prefix as well.

A `lease` is a file that says "I use this shared thing"; giving back the last one ends the thing.

`sweep` undoes everything, then looks at the machine itself for anything left and fails if there is.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "STOCKADE_TWIN"  # noqa: S105  # the name of an environment variable, not a secret
KINDS = ("path", "mount", "interface", "netns", "cgroup", "lease", "process")
_BEGUN = 19  # starttime, counted from behind the name (proc_pid_stat(5), field 22)


class Noted(Protocol):
    """What `sweep` needs of `twin.progress.Progress`."""

    def note(self, text: str) -> None:
        """Show a remark beside the running phase."""


def build() -> Path:
    """The build directory: `STOCKADE_BUILD`, or `build/` of this checkout."""
    return Path(os.environ.get("STOCKADE_BUILD") or ROOT / "build").resolve()


def prefix(home: Path) -> str:
    """The start of every name a home puts on this machine: `stk-<8 hex>`, the same for the same path.

    Homes that share it end each other's nodes; four digits are too few for all homes of a run of the tests.
    """
    return "stk-" + hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]


def begun(pid: int) -> float:
    """When a process began, in seconds since this machine did: a clock that is set does not shift it.

    Raises psutil.NoSuchProcess.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    return int(fields[_BEGUN]) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Entry:
    """One line of a ledger. `facts` of a process: token, then pid and start_time once it runs."""

    kind: str
    name: str
    facts: Mapping[str, Any]


class Outliving(subprocess.Popen[bytes]):
    """A process that outlives us on purpose: Python must not warn when its handle is dropped."""

    def __del__(self) -> None:
        """Nothing to do; whoever wants its end waits for it or sweeps."""


class Ledger:
    """The ledger of one home. Safe for several threads; one process writes at a time."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.path = self.home / "ledger.jsonl"
        self.prefix = prefix(home)
        self._lock = threading.Lock()

    def record(self, kind: str, name: str, **facts: Any) -> Entry:
        """Write an entry and wait until it is on disk. Call it before the thing is made."""
        if kind not in KINDS:
            raise ValueError(f"ledger kind {kind!r} is none of {', '.join(KINDS)}")
        entry = Entry(kind, str(name), facts)
        line = json.dumps({"kind": kind, "name": str(name), **facts}, sort_keys=True) + "\n"
        self.home.mkdir(parents=True, exist_ok=True)
        with self._lock:
            # One write() with O_APPEND: the line is there whole, or torn and its thing was never made.
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                size = os.fstat(handle).st_size
                torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
                os.write(handle, b"\n" * torn + line.encode())
                os.fsync(handle)
            finally:
                os.close(handle)
        return entry

    def entries(self) -> list[Entry]:
        """Every entry in the order it was written; empty when there is no ledger."""
        if not self.path.exists():
            return []
        found: list[Entry] = []
        for line in self.path.read_text(errors="replace").splitlines():
            try:
                facts = json.loads(line)
                found.append(Entry(facts.pop("kind"), facts.pop("name"), facts))
            except (ValueError, KeyError, AttributeError):
                continue  # a torn line: the machine stopped while it was being written
        return found

    def token(self, name: str) -> str:
        """A new token for a process; nobody else on this machine has it."""
        return f"{self.prefix}:{name}:{uuid.uuid4().hex[:12]}"

    def spawn(  # noqa: PLR0913  # keywords of Popen
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        grace: float = 2.0,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a process that outlives this one (own session, output to `log`), written down first.

        `grace` is how many seconds `sweep` lets it end by itself before it is killed.
        """
        token = self.token(name)
        self.record("process", name, token=token, grace=grace)
        environment = {**(os.environ if env is None else env), TOKEN: token}
        with open(log or os.devnull, "ab") as output:  # noqa: PTH123  # devnull is no Path of ours
            process = Outliving(
                list(argv),
                env=environment,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=tuple(pass_fds),
            )
        facts: dict[str, Any] = {"token": token, "grace": grace, "pid": process.pid}
        try:
            facts["start_time"] = begun(process.pid)
        except psutil.NoSuchProcess:
            return process
        self.record("process", name, **facts)
        return process

    def running(self, name: str) -> psutil.Process | None:
        """The process last recorded under this name, if it still runs (same pid, start time and token)."""
        for entry in reversed(self.entries()):
            if entry.kind != "process" or entry.name != name or "pid" not in entry.facts:
                continue
            try:
                process = psutil.Process(entry.facts["pid"])
                same = begun(process.pid) == entry.facts["start_time"]
                alive = process.status() != psutil.STATUS_ZOMBIE
                return process if same and alive and token_of(process.pid) == entry.facts["token"] else None
            except psutil.Error:
                return None
        return None

    def sweep(self, progress: Noted | None = None) -> list[str]:
        """Undo everything in this ledger, newest first, and prove it.

        Returns what was removed; a second call returns nothing. Raises Fault naming what is left.
        """
        from twin import sweeping  # noqa: PLC0415  # it needs this module's names

        return sweeping.sweep(self, progress)


def token_of(pid: int) -> str | None:
    """The token in a process's environment, or None (also when this user may not look)."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    for item in environment.split(b"\0"):
        if item.startswith(TOKEN.encode() + b"="):
            return item.split(b"=", 1)[1].decode(errors="replace")
    return None


def twin() -> Ledger:
    """The ledger of this checkout's twin, `build/twin/ledger.jsonl`."""
    return Ledger(build() / "twin")


def sweep(progress: Noted | None = None) -> list[str]:
    """Undo everything this checkout's twin and its abandoned lone nodes left on this machine."""
    from twin import sweeping  # noqa: PLC0415

    return sweeping.sweep_build(build(), progress)
