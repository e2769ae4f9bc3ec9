"""What the twin made, as the program sees it: one record per URN, written as it happens.

`state.json` is a snapshot replaced atomically; between snapshots every change is one line appended to
`state.journal.jsonl`. A process killed at any moment leaves at most one torn last line, which loading
ignores. A creation is announced (`pending`) before it starts, so that the next run can finish it instead of
making a second one.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import fault

SCHEMA = "stockade/state/1"


@dataclass
class Record:
    """One resource. `inputs` and `outputs` are sealed: no secret in clear."""

    urn: str
    type: str
    name: str
    custom: bool
    id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    dependencies: list[str] = field(default_factory=list)
    parent: str = ""
    provider: str = ""
    protect: bool = False
    retain: bool = False
    pending: str = ""  # token of a creation that was announced and not yet confirmed
    unsettled: bool = False  # created, but a later setting has not been confirmed


class State:
    """The records of one stack, of one life of the emulated account."""

    def __init__(self, folder: Path, born: str, *, salt: str = "") -> None:
        self.folder = folder
        self.born = born
        self.salt = salt or secrets.token_hex(16)
        self.records: dict[str, Record] = {}
        self.condemned: dict[str, Record] = {}  # replaced, still to be deleted; keyed by urn + "#" + id
        self._lock = threading.Lock()

    @classmethod
    def load(cls, folder: Path, born: str) -> tuple[State, str]:
        """The state of this life of the account, and a remark when an older life's state was discarded."""
        snapshot, journal = folder / "state.json", folder / "state.journal.jsonl"
        if not snapshot.exists():
            return cls(folder, born), ""
        try:
            data = json.loads(snapshot.read_text())
            if data["schema"] != SCHEMA:
                raise ValueError(data["schema"])
        except (ValueError, KeyError, TypeError) as error:
            raise fault.Fault(
                f"{snapshot}: not a state file of this version ({error})",
                "the state is written by the twin alone",
                f"remove {folder} and run again",
            ) from None
        if data["born"] != born:
            journal.unlink(missing_ok=True)
            snapshot.unlink()
            remark = (
                f"state of {len(data['resources'])} resources discarded: their emulated account has ended"
            )
            return cls(folder, born), remark
        state = cls(folder, born, salt=data["salt"])
        state.records = {item["urn"]: Record(**item) for item in data["resources"]}
        state.condemned = {key: Record(**item) for key, item in data["condemned"].items()}
        state._replay(journal)
        return state, ""

    def _replay(self, journal: Path) -> None:
        if not journal.exists():
            return
        for line in journal.read_text().splitlines():
            try:
                change = json.loads(line)
            except ValueError:
                break  # torn by a kill; nothing after it was written
            table = self.condemned if change["table"] == "condemned" else self.records
            if change["record"] is None:
                table.pop(change["key"], None)
            else:
                table[change["key"]] = Record(**change["record"])

    def put(self, record: Record) -> None:
        """Write a record at once."""
        with self._lock:
            self.records[record.urn] = record
            self._append("records", record.urn, record)

    def remove(self, urn: str) -> None:
        """Forget a record at once."""
        with self._lock:
            self.records.pop(urn, None)
            self._append("records", urn, None)

    def condemn(self, record: Record) -> None:
        """Keep a replaced resource until its successor's dependents have moved on."""
        key = f"{record.urn}#{record.id}"
        with self._lock:
            self.condemned[key] = record
            self._append("condemned", key, record)

    def released(self, record: Record) -> None:
        """A condemned resource is gone."""
        key = f"{record.urn}#{record.id}"
        with self._lock:
            self.condemned.pop(key, None)
            self._append("condemned", key, None)

    def _append(self, table: str, key: str, record: Record | None) -> None:
        body = None if record is None else asdict(record)
        line = json.dumps({"table": table, "key": key, "record": body}, separators=(",", ":"))
        with (self.folder / "state.journal.jsonl").open("a") as journal:
            journal.write(line + "\n")

    def save(self) -> None:
        """Fold the journal into the snapshot."""
        with self._lock:
            data = {
                "schema": SCHEMA,
                "born": self.born,
                "salt": self.salt,
                "resources": [asdict(record) for record in self.records.values()],
                "condemned": {key: asdict(record) for key, record in self.condemned.items()},
            }
            replace(self.folder / "state.json", json.dumps(data, indent=1))
            (self.folder / "state.journal.jsonl").unlink(missing_ok=True)


def replace(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new text, never half of one."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.touch(mode=0o600)
    part.write_text(text)
    part.replace(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One run at a time on one stack."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise fault.Fault(
                f"{folder.name}: another run is changing this stack",
                "one run at a time changes a stack",
                "wait for it to end, then run again",
            ) from None
        yield
