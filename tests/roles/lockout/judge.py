"""What has to be true after a case: we are in, nothing waits, the node said why, and it is as it was."""

from __future__ import annotations

from typing import Any

from tests.roles.lockout.model import Case

FREE = "/etc/motd"  # what the harmless changes write; the next normal run brings it back


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What lets people in and is not as it was."""
    changed = [key for key in ("accounts", "sshd", "firewall", "shut") if before[key] != after[key]]
    old, new = ({row[0]: row for row in side["files"] if row[0] != FREE} for side in (before, after))
    return changed + sorted(path for path in {*old, *new} if old.get(path) != new.get(path))


def faults(case: Case, rows: dict[str, dict[str, Any]], base: dict[str, Any]) -> list[str]:
    """Everything that is wrong about how a case ended; empty is good."""
    row = rows.get(case.name)
    if row is None:
        return ["the run ended before this case"]
    seen = row["look"]
    if not seen["in"]:
        return [f"LOCKED OUT: {seen['said']}; Ansible said: {row['said']}"]
    found = []
    if seen["seconds"] > case.within + SLACK and (seen["event"] or {}).get("why") != AT_ONCE:
        found.append(f"access came back after {seen['seconds']:.1f} s")
    if seen["pending"]:
        found.append(f"a change still waits: {seen['pending']}")
    if case.says not in row["said"]:
        found.append(f"nobody said {case.says!r}, but: {row['said']!r}")
    if case.ends == "proven" and row["said"]:
        found.append(f"it did not hold: {row['said']}")
    found += history(case, seen["event"] or {})
    last = rows.get(f"{case.name} (after)", row)["look"]
    if not last["in"]:
        return [*found, f"LOCKED OUT afterwards: {last['said']}"]
    return found + [f"left behind: {what}" for what in differences(base, last)]


SLACK = 10.0
"""Seconds that a machine may take for the login itself when it is busy; far from the time of a revert."""
AT_ONCE = "the new connection failed"
"""Why a change was taken back before Ansible's own end: what came later was the login alone."""


def history(case: Case, event: dict[str, Any]) -> list[str]:
    """Whether the guard's own history tells the case's end; a refused change leaves none."""
    if case.role or case.preflight:
        return []
    mine = event.get("concern") == case.name
    if case.ends == "refused":
        return ["the guard's history knows a change that was refused"] if mine else []
    return [] if mine and event["event"] == case.ends else [f"the history ends with {event}"]
