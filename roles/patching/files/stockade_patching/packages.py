"""What apt and dpkg are asked to do: bounded in time, tried again, waiting for locks, repaired first.

Which updates are pending is python-apt's answer; who installs security updates is unattended-upgrade, in the
playbook's run as in the timer's, so both obey the same origins.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .commands import PAUSE, Refused, attempt, run

STAMP = Path("/var/lib/apt/periodic/update-success-stamp")
JOURNAL = Path("/var/lib/dpkg/updates")
TRIES = 3
LOCKED = re.compile(r"could not get lock|lock could not be acquired|locked by another process", re.IGNORECASE)
# Status letters of dpkg for a package that is neither whole nor gone: half-installed, unpacked, and so on.
UNSETTLED = "HUFWtT"
FIELDS = {"o": "origin", "l": "label", "a": "archive", "suite": "archive", "n": "codename"}


@dataclass(frozen=True)
class Update:
    """One pending update; `origin` is `<origin>:<label>:<archive>` of its source, `unknown` without one."""

    name: str
    before: str
    after: str
    origin: str


def apt(*arguments: str, seconds: float, lock_seconds: float, tries: int = TRIES) -> str:
    """Run an apt program; a lock is waited for, any other failure is tried again."""
    deadline = time.monotonic() + lock_seconds
    left = tries
    while True:
        code, out, err = attempt(arguments, seconds)
        if code == 0:
            return out
        said = err.strip() or out.strip()
        if LOCKED.search(out + err) and time.monotonic() < deadline:
            time.sleep(PAUSE)
            continue
        left -= 1
        if left <= 0:
            tail = " | ".join(line.strip() for line in said.splitlines()[-4:])
            raise Refused(f"`{' '.join(arguments[:8])}` ended with {code}: {tail}")
        time.sleep(PAUSE)


def versions() -> dict[str, str]:
    """{package:architecture: version} of everything installed."""
    lines = run(
        "dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}${Package}:${Architecture} ${Version}\n"
    )
    found = (
        line[3:].split(" ", 1)
        for line in lines.splitlines()
        if line[1:2] not in ("n", "c") and " " in line[3:]
    )
    return {name: version for name, version in found if version}


def unsettled() -> list[str]:
    """Packages that dpkg left half-way, sorted."""
    lines = run("dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}${binary:Package}\n").splitlines()
    return sorted(line[3:] for line in lines if line[1:2] in UNSETTLED or line[2:3] == "R")


def repair(configuration: dict[str, Any]) -> list[str]:
    """Finish what an interrupted run left; the packages that still are half-way afterwards.

    A package whose own script fails is no reason to stop here: the update that is pending may be its cure.
    """
    if not unsettled() and not any(entry.name.isdigit() for entry in JOURNAL.glob("*")):
        return []
    limits = configuration["limits"]
    for command in (
        ("dpkg", "--force-confdef", "--force-confold", "--configure", "-a"),
        ("apt-get", "-q", "-y", "--no-remove", "--fix-broken", "install"),
    ):
        try:
            apt(*command, seconds=limits["install"], lock_seconds=limits["lock"], tries=1)
        except Refused:
            continue
    return unsettled()


def refresh(configuration: dict[str, Any]) -> None:
    """Fetch the package index if it is older than the configuration allows; any failed source is an error."""
    minutes, limits = configuration["index_minutes"], configuration["limits"]
    if STAMP.exists() and time.time() - STAMP.stat().st_mtime <= minutes * 60:
        return
    update = ("apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update")
    apt(*update, seconds=limits["download"], lock_seconds=limits["lock"])
    STAMP.parent.mkdir(parents=True, exist_ok=True)
    STAMP.touch()


def matches(pattern: str, origin: dict[str, str]) -> bool:
    """Whether a source fits `origin=Debian,label=Debian-Security`; an unknown field fits nothing."""
    fields = [field.partition("=")[::2] for field in pattern.split(",")]
    return bool(fields) and all(
        fnmatch.fnmatchcase(origin.get(FIELDS.get(key.strip(), key.strip()), "\0"), value.strip())
        for key, value in fields
    )


def _sources(version: Any) -> list[dict[str, str]]:
    """Where a version can be had; what is only installed (archive `now`) comes from nowhere."""
    keys = ("origin", "label", "archive", "codename", "site")
    return [{k: str(getattr(o, k)) for k in keys} for o in version.origins if o.archive != "now"]


def _named(sources: list[dict[str, str]]) -> str:
    return ", ".join(sorted({f"{s['origin']}:{s['label']}:{s['archive']}" for s in sources})) or "unknown"


def _key(package: Any) -> str:
    return f"{package.shortname}:{package.installed.architecture}"


def _installed() -> list[Any]:
    """What is installed; making an object of each of the 60,000 that exist took longest of all here."""
    import apt as python_apt  # type: ignore[import-not-found]  # noqa: PLC0415  # on the node only

    cache = python_apt.Cache()
    return [cache[raw.get_fullname(pretty=True)] for raw in cache._cache.packages if raw.current_ver]


def topmost(policy: str) -> int:
    """How many packages of `apt-cache policy` have nothing above the installed version in their table."""
    lines = policy.splitlines()
    return sum(
        line.strip() == "Version table:" and below.startswith(" *** ")
        for line, below in itertools.pairwise(lines)
    )


def nothing_newer() -> bool:
    """Whether no source has a newer version of anything installed; false where that is not sure.

    python-apt first works out what apt would do with everything there is, which costs ten times as much.
    """
    lines = run("dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}${binary:Package}\n").splitlines()
    names = [line[3:] for line in lines if line[1:2] not in ("n", "c")]
    code, out, _ = attempt(("apt-cache", "policy", *names), 60)
    return bool(names) and code == 0 and topmost(out) == len(names)


def pending(mode: str, patterns: list[str]) -> list[Update]:
    """Updates that are there to be installed, sorted by name: held ones are not.

    `security`: the newest version from a source that fits one of the patterns. `full`: what apt itself would
    upgrade to.
    """
    if nothing_newer():
        return []
    import apt_pkg  # type: ignore[import-not-found]  # noqa: PLC0415  # on the node only

    found = []
    for package in _installed():
        if package._pkg.selected_state == apt_pkg.SELSTATE_HOLD:
            continue
        offered = [v for v in package.versions if v > package.installed]
        if mode == "security":
            offered = [v for v in offered if any(matches(p, s) for p in patterns for s in _sources(v))]
        else:
            offered = [v for v in offered if v == package.candidate]
        if offered:
            best = max(offered)
            found.append(
                Update(_key(package), package.installed.version, best.version, _named(_sources(best)))
            )
    return sorted(found, key=lambda update: update.name)


def origins(names: list[str]) -> dict[str, str]:
    """{package:architecture: source} of installed packages."""
    wanted, found = set(names), {}
    for package in _installed():
        if _key(package) in wanted:
            found[_key(package)] = _named(_sources(package.installed))
    return found


def argument(name: str, version: str) -> str:
    """`name[:architecture]=version` as apt-get wants it; `all` is no architecture to apt-get."""
    return f"{name.removesuffix(':all')}={version}"


# What apt would bring without taking anything away; what cannot be had so is left and named.
FULL = ("apt-get", "-q", "-y", "--no-remove", "--with-new-pkgs", "upgrade")


def download(mode: str, updates: list[Update], configuration: dict[str, Any]) -> None:
    """Fetch everything before anything is installed: a source that vanishes leaves the node as it was."""
    wanted = [argument(update.name, update.after) for update in updates]
    command = {
        "security": ("apt-get", "-q", "-y", "--no-remove", "--download-only", "install", *wanted),
        "full": (*FULL, "--download-only"),
    }[mode]
    limits = configuration["limits"]
    apt(*command, seconds=limits["download"], lock_seconds=limits["lock"])


def install(mode: str, configuration: dict[str, Any]) -> None:
    """Install the pending updates from what was downloaded; never removes a package."""
    limits = configuration["limits"]
    command = {"security": ("unattended-upgrade", "-v"), "full": FULL}[mode]
    apt(*command, seconds=limits["install"], lock_seconds=limits["lock"], tries=1)


def available(name: str, version: str) -> bool:
    """Whether apt could install exactly this version now: from a source, or from what it keeps downloaded."""
    plain = name.removesuffix(":all")
    lines = run("apt-cache", "policy", plain).splitlines()
    at = [
        i
        for i, line in enumerate(lines)
        if line.split()[:1] == [version] or line.split()[:2] == ["***", version]
    ]
    # Under a version its sources are listed; dpkg's own status file is none.
    for line in lines[at[0] + 1 :] if at else []:
        fields = line.split()
        if not fields or not fields[0].lstrip("-").isdigit():
            return False
        if len(fields) > 1 and fields[1] != "/var/lib/dpkg/status":
            return True
    return False


def go_back(wanted: dict[str, str], configuration: dict[str, Any]) -> None:
    """Install exactly these versions, older ones included; everything is downloaded first."""
    arguments = [argument(name, version) for name, version in sorted(wanted.items())]
    command = ("apt-get", "-q", "-y", "--no-remove", "--allow-downgrades", "--allow-change-held-packages")
    limits = configuration["limits"]
    bounds = {"lock_seconds": limits["lock"]}
    apt(*command, "--download-only", "install", *arguments, seconds=limits["download"], **bounds)
    apt(*command, "install", *arguments, seconds=limits["install"], tries=1, **bounds)
