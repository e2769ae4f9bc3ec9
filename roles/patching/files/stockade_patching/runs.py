"""One run from begin to end: update, settle after a reboot, verify, or go back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from . import holds, packages, reboots, records
from .commands import Refused, attempt
from .idle import idle
from .records import Record

Configuration = dict[str, Any]
ROLLBACK_HOLD_DAYS = 14
LOG_RIGHTS = "/etc/tmpfiles.d/stockade-audit.conf"


def update(run: str, trigger: str, mode: str, configuration: Configuration, force: str) -> Record:
    """Install what is pending and keep the evidence, also of a failure. Raises Refused when it failed."""
    record = opened(run, trigger, mode, configuration, force)
    records.save(record)
    planned: dict[str, str] = {}
    problem = ""
    try:
        record |= holds.apply(configuration)
        record["repaired"] = packages.repair(configuration)
        packages.refresh(configuration)
        updates = packages.pending(mode, configuration["origins"])
        planned = {entry.name: entry.origin for entry in updates}
        if updates:
            packages.download(mode, updates, configuration)
            packages.install(mode, configuration)
            record["left"] = left(mode, configuration)
        problem = remaining(mode, record["left"])
    except (Refused, ValueError) as refused:
        problem = str(refused)
        if half := packages.unsettled():
            problem = f"{', '.join(half)} half-way: {problem}"
    # Role audit states who reads logs; apt has just made some of them anew.
    attempt(("systemd-tmpfiles", "--create", LOG_RIGHTS), 60)
    record = records.conclude(record, configuration, planned, problem)
    if problem:
        raise Refused(problem)
    return record


def opened(run: str, trigger: str, mode: str, configuration: Configuration, force: str) -> Record:
    """A fresh record that keeps what hooks have noted. Raises Refused for a run that is over."""
    record = records.begin(run, trigger, mode, configuration, force)
    if records.path(run).exists():
        earlier = records.read(run)
        if earlier["outcome"] != "running":
            raise Refused(f"run {run} is over on this node ({earlier['outcome']}); name another one", 2)
        record["checks"] = earlier["checks"]
    return record


def left(mode: str, configuration: Configuration) -> list[str]:
    """Updates that are still there to be had, as `package:architecture version`."""
    return [f"{entry.name} {entry.after}" for entry in packages.pending(mode, configuration["origins"])]


def remaining(mode: str, still: list[str]) -> str:
    """What should be done and is not, as a problem; empty when the node is as it should be.

    A full run may leave an update that would take another package away; it is named, for a person to decide.
    """
    half = packages.unsettled()
    if half:
        return f"{', '.join(half)} half-way; dpkg has to finish; read /var/log/dpkg.log and patch again"
    if mode == "security" and still:
        rule = "every security update has to be installed"
        return f"{', '.join(still)} still pending; {rule}; hold it, or read the log"
    return ""


def quiet(configuration: Configuration) -> Record | None:
    """The last record if nothing is to be done now: hardening an unchanged node writes nothing."""
    last = records.newest()
    if last is None or last["outcome"] not in ("patched", "unchanged", "rolled back"):
        return None
    packages.refresh(configuration)
    return last if idle(configuration) else None


def settle() -> Record | None:
    """After a boot: finish the record of the run that asked for it."""
    record = records.newest()
    if record is None or record["boot_id"] == reboots.boot_id() or record["reboot"]["done"]:
        return record
    left = reboots.reason()
    if record["outcome"] == "running":
        record["outcome"], record["problem"] = "failed", "the node went down in the middle of the run"
    if record["reboot"]["required"]:
        record["reboot"] |= {"done": True, "found_up": reboots.moment(), "cured": left is None}
    record["kernel"] = reboots.kernel()
    record["failed_units"]["after"] = records.failed_units()
    record["boot_id"] = reboots.boot_id()
    records.save(record)
    return record


def verify(run: str, configuration: Configuration) -> Record:
    """Judge the node after the run: packages whole, nothing newly failed, kernel as installed."""
    settle()
    record = records.read(run)
    problems = []
    if half := packages.unsettled():
        problems.append(f"{', '.join(half)} half-way")
    record["failed_units"]["after"] = records.failed_units()
    fresh = set(record["failed_units"]["after"]) - set(record["failed_units"]["before"])
    if fresh:
        problems.append(f"{', '.join(sorted(fresh))} failed since the run began")
    record["kernel"] = reboots.kernel()
    if record["reboot"]["done"] and not record["kernel"]["same"]:
        problems.append(
            f"kernel {record['kernel']['installed']} is installed, another one runs after the reboot"
        )
    record["checks"].append({"what": "packages, services and kernel", "passed": not problems})
    records.close(record, configuration)
    if problems:
        raise Refused("; ".join(problems))
    return record


def note(
    run: str, configuration: Configuration, text: str, passed: bool, integrity: Record | None = None
) -> Record:
    """Add what the controller saw (a hook, a login, a stop) to the record; begins it if need be.

    `integrity`: whether the checksums were renewed, for which paths, and what differed before the run.
    """
    exists = records.path(run).exists()
    record = records.read(run) if exists else records.begin(run, "playbook", "none", configuration, "")
    record["checks"].append({"what": text, "passed": passed})
    if integrity is not None:
        record["integrity"] = integrity
    if not passed:
        record["outcome"], record["problem"] = "failed", record["problem"] or text
    return records.close(record, configuration)


def way_back(record: Record, never: list[str]) -> tuple[dict[str, str], list[str]]:
    """({package: version to go back to}, what stands in the way, in words)."""
    wanted, problems, now = {}, [], packages.versions()
    for change in record["packages"]:
        name, before, after = change["name"], change["before"], change["after"]
        if before is None or after is None or now.get(name) == before:
            continue  # a package that came with the update stays; nothing depends on its absence
        if name.partition(":")[0] in never:
            problems.append(f"{name} never goes back (patching_rollback_never)")
        elif now.get(name) != after:
            problems.append(f"{name} is {now.get(name, 'gone')} by now, the run left {after}")
        elif not packages.available(name, before):
            problems.append(f"{name} {before} is in no source any more")
        else:
            wanted[name] = before
    return wanted, problems


@dataclass(frozen=True)
class Rollback:
    """What is taken back, why, and until when the old versions are held (empty: 14 days)."""

    back_to: str
    reason: str
    until: str


def go_back(run: str, asked: Rollback, configuration: Configuration, force: str) -> Record:
    """Bring the packages of run `back_to` to the versions before it, all or none, and hold them there."""
    old = records.read(asked.back_to)
    wanted, problems = way_back(old, configuration["rollback_never"])
    if problems or not wanted:
        what = "; ".join(problems) or f"run {asked.back_to} changed nothing that could go back"
        raise Refused(f"{what}; a rollback is whole or not at all; nothing was changed")
    day = holds.today(configuration)
    record = opened(run, "rollback", "rollback", configuration, force)
    record |= {"back_to": asked.back_to, "reason": asked.reason}
    record["reopened_cves"] = sorted(
        {cve for c in old["packages"] if c["name"] in wanted for cve in c["cves"]}
    )
    records.save(record)
    problem = ""
    try:
        packages.go_back(wanted, configuration)
        last_day = asked.until or (day + timedelta(days=ROLLBACK_HOLD_DAYS)).isoformat()
        names = [name.partition(":")[0] for name in wanted]
        holds.remember(names, f"rolled back from run {asked.back_to}: {asked.reason}", last_day, day)
        record |= holds.apply(configuration)
        if half := packages.unsettled():
            problem = f"{', '.join(half)} half-way"
    except (Refused, ValueError) as refused:
        problem = str(refused)
    record = records.conclude(record, configuration, {}, problem)
    if problem:
        raise Refused(problem)
    record["outcome"] = "rolled back"
    records.save(record)
    return record


def brief(record: Record | None) -> str:
    """One line of JSON for the caller: the record without its long lists of versions."""
    shown = {k: v for k, v in (record or {}).items() if k not in ("before", "after")}
    return json.dumps(shown)
