"""Why a node has to be rebooted, computed and recorded; what a reboot did not cure leads to no second one."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .commands import STATE, write

REASON = STATE / "reboot-reason.json"
REBOOTS = STATE / "reboots.jsonl"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Replaced files of these kinds are not code of a package: shared memory, anonymous files, temporary files.
NOT_CODE = ("/memfd:", "/dev/", "/SYSV", "/tmp/", "/var/tmp/", "/run/", "/[")  # noqa: S108


def boot_id() -> str:
    """The kernel's name of this boot."""
    return BOOT_ID.read_text().strip()


def moment() -> str:
    """Now, in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")  # noqa: UP017  # nodes may have Python 3.10


def replaced_code(maps: str) -> bool:
    """Whether a process (text of /proc/PID/maps) still executes a file that a package has replaced."""
    for line in maps.splitlines():
        fields = line.split(None, 5)
        executable = len(fields) == 6 and "x" in fields[1]
        if executable and fields[5].endswith(" (deleted)") and not fields[5].startswith(NOT_CODE):
            return True
    return False


def stale_services() -> list[str]:
    """Units whose processes run code that was replaced on disk; user sessions end by themselves."""
    units = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            if replaced_code(maps.read_text(errors="replace")):
                cgroup = (maps.parent / "cgroup").read_text().strip().splitlines()[-1]
                found = re.findall(r"([^/]+\.service)(?:/|$)", cgroup)
                units.add("init" if maps.parent.name == "1" else found[-1] if found else "")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we looked
    # This very run may be the unit that replaced its own interpreter; it ends by itself as well.
    ending = ("user@", "apt-daily-upgrade.service")
    return sorted(unit for unit in units if unit and not unit.startswith(ending))


def kernel() -> dict[str, Any]:
    """{running, installed, same, own}: the newest installed kernel of the running flavour.

    In a container the kernel is its host's: `own` is false, nothing is installed and nothing can differ.
    """
    running = os.uname().release
    if subprocess.run(["systemd-detect-virt", "--container", "--quiet"], check=False).returncode == 0:
        return {"running": running, "installed": None, "same": True, "own": False}
    flavour = running.rsplit("-", 1)[-1]
    newest = running
    for path in Path("/boot").glob(f"vmlinuz-*-{flavour}"):
        release = path.name.removeprefix("vmlinuz-")
        if subprocess.run(["dpkg", "--compare-versions", release, "gt", newest], check=False).returncode == 0:
            newest = release
    return {"running": running, "installed": newest, "same": newest == running, "own": True}


def causes() -> list[str]:
    """Every cause for a reboot there is now, in stable words."""
    found = []
    if Path("/run/reboot-required").exists():
        packages = Path("/run/reboot-required.pkgs")
        names = sorted(set(packages.read_text().split())) if packages.exists() else []
        found.append(f"a package asks for it: {', '.join(names) or 'unnamed'}")
    now = kernel()
    if not now["same"]:
        found.append(f"kernel {now['installed']} is installed, {now['running']} is running")
    services = stale_services()
    if services:
        found.append(f"replaced code is still running: {', '.join(services)}")
    return found


def judge(found: list[str], before: dict[str, Any] | None, boot: str, now: str) -> dict[str, Any] | None:
    """The record to keep, None without a cause.

    `cured_by_reboot` false: the same causes were there before the last boot, so another reboot would not
    help; it is left to a person instead of rebooting for ever.
    """
    if not found:
        return None
    same = before is not None and before["causes"] == found
    return {
        "causes": found,
        "since": before["since"] if same and before else now,
        "boot_id": before["boot_id"] if same and before else boot,
        "cured_by_reboot": not (same and before and before["boot_id"] != boot),
    }


def reason() -> dict[str, Any] | None:
    """Compute the reason, keep it in REASON, and write a finished reboot to REBOOTS."""
    before = json.loads(REASON.read_text()) if REASON.exists() else None
    boot, now = boot_id(), moment()
    record = judge(causes(), before, boot, now)
    if before is not None and before["boot_id"] != boot and before.get("cured_by_reboot", True):
        STATE.mkdir(parents=True, exist_ok=True)
        with REBOOTS.open("a") as stream:
            outcome = {"causes": before["causes"], "since": before["since"], "found": now}
            stream.write(json.dumps({**outcome, "cured": record is None}) + "\n")
    if record is None:
        REASON.unlink(missing_ok=True)
    elif record != before:
        write(REASON, json.dumps(record, indent=1))
    return record


def wanted(configuration: dict[str, Any], record: dict[str, Any] | None) -> bool:
    """Policy and reason allow a reboot; the window is the caller's question."""
    return (
        configuration["reboot"] == "when_required" and record is not None and bool(record["cured_by_reboot"])
    )
