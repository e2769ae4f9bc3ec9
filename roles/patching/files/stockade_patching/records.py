"""The evidence of one run on one node: /var/lib/stockade/patching/<run>.json, replaced as a whole."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import changelogs, holds, packages, reboots
from .commands import STATE, Refused, write
from .window import in_window

RECORDS = STATE / "patching"
SCHEMA = "stockade/patching/1"
RUN = re.compile(r"\d{8}T\d{6}Z(-[a-z0-9][a-z0-9-]{0,30})?")

Record = dict[str, Any]


def now() -> datetime:
    """The node's clock, in UTC."""
    return datetime.now(timezone.utc)  # noqa: UP017  # nodes may have Python 3.10


def new_run(trigger: str) -> str:
    """A name for a run that nobody named: `20261122T013000Z-unattended`."""
    return f"{now():%Y%m%dT%H%M%SZ}-{trigger}"


def path(run: str) -> Path:
    """Where the run's record is kept. Raises Refused for a name that could lead elsewhere."""
    if not RUN.fullmatch(run):
        raise Refused(f"run {run!r}; a run is named by its time; write it as 20261122T013000Z", 2)
    return RECORDS / f"{run}.json"


def read(run: str) -> Record:
    """The record of a run. Raises Refused when there is none."""
    try:
        record: Record = json.loads(path(run).read_text())
    except FileNotFoundError as error:
        known = ", ".join(sorted(p.stem for p in RECORDS.glob("*.json"))) or "none"
        raise Refused(f"run {run}; this node has no record of it; it has {known}", 2) from error
    return record


def newest() -> Record | None:
    """The record of the last run, None before the first one."""
    names = sorted(p.stem for p in RECORDS.glob("*.json") if RUN.fullmatch(p.stem))
    return read(names[-1]) if names else None


def save(record: Record) -> None:
    """Keep the record as it is now."""
    write(path(record["run"]), json.dumps(record, indent=1))


def failed_units() -> list[str]:
    """Units that systemd counts as failed now."""
    command = ["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--full"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return sorted(line.split()[0] for line in lines if line.strip())


def _inside(configuration: dict[str, Any], moment: datetime) -> bool:
    return in_window(configuration["window"], configuration["timezone"], moment)


def begin(run: str, trigger: str, mode: str, configuration: dict[str, Any], force: str) -> Record:
    """The record before anything is changed: a run that is cut off leaves `outcome` at `running`."""
    begun, day = now(), holds.today(configuration)
    inside = _inside(configuration, begun)
    return {
        "schema": SCHEMA,
        "run": run,
        "node": os.uname().nodename,
        "trigger": trigger,
        "mode": mode,
        "started": begun.isoformat(timespec="seconds"),
        "finished": None,
        "outcome": "running",
        "problem": "",
        "window": {
            "window": configuration["window"],
            "timezone": configuration["timezone"],
            "inside_at_start": inside,
            "kept": None,
            "forced": force or None,
        },
        "holds": [
            {**hold, "active": holds.active(hold, day)}
            for hold in configuration["holds"] + holds.after_rollback(day)
        ],
        "before": packages.versions(),
        "after": {},
        "packages": [],
        "left": [],
        "repaired": [],
        "kernel": reboots.kernel(),
        "reboot": {"required": False, "causes": [], "policy": configuration["reboot"], "done": False},
        "boot_id": reboots.boot_id(),
        "failed_units": {"before": failed_units(), "after": []},
        "checks": [],
    }


def changes(before: dict[str, str], after: dict[str, str], planned: dict[str, str]) -> list[dict[str, Any]]:
    """What differs, with source and fixed CVEs; `planned` are sources known before the installation."""
    differing = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    known = packages.origins([n for n in differing if n in after and n not in planned]) if differing else {}
    found = []
    for name in differing:
        old, new = before.get(name), after.get(name)
        cves, changelog = changelogs.fixed(name, old, new) if old and new else ([], "not read")
        origin = planned.get(name) or known.get(name, "unknown")
        found.append(
            {
                "name": name,
                "before": old,
                "after": new,
                "origin": origin,
                "cves": cves,
                "changelog": changelog,
            }
        )
    return found


def conclude(record: Record, configuration: dict[str, Any], planned: dict[str, str], problem: str) -> Record:
    """What there is now, whatever happened in between."""
    after = packages.versions()
    reason = reboots.reason()
    wanted = reboots.wanted(configuration, reason)
    # What outlasts its window does not end in a reboot in working hours; the next unattended run does it.
    late = wanted and not record["window"]["forced"] and not _inside(configuration, now())
    record["after"] = after
    record["packages"] = changes(record["before"], after, planned)
    record["kernel"] = reboots.kernel()
    record["reboot"] |= {
        "required": reason is not None,
        "causes": reason["causes"] if reason else [],
        "wanted": wanted and not late,
        "left_to": "the next window" if late else "you" if reason and not wanted else None,
    }
    record["failed_units"]["after"] = failed_units()
    record["problem"] = problem
    record["outcome"] = "failed" if problem else "patched" if record["packages"] else "unchanged"
    return close(record, configuration)


def close(record: Record, configuration: dict[str, Any]) -> Record:
    """The end of a step: its time, and whether the window was kept until then."""
    ended = now()
    record["finished"] = ended.isoformat(timespec="seconds")
    record["window"]["kept"] = bool(record["window"]["inside_at_start"] and _inside(configuration, ended))
    save(record)
    return record
