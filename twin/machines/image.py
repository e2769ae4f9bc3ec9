"""The nodes' image: Debian as its cloud image for EC2 carries it, made once by mmdebstrap and kept.

Deliberately not hardened: what hardens a node is the product, and has to be seen doing it. It is keyed by its
own definition, so a changed definition is a new image and an old one is never half of a new one.
"""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fault import Fault
from twin.ledger import Ledger
from twin.progress import Progress

RELEASES = ("bookworm", "trixie")
"""Debian 12 and 13. A mirror that has one has the other: this machine's apt need only know either."""
FILES = Path(__file__).parent / "image_files"
ROOM = 1 << 30
"""Bytes that must be free: the image takes 0.4 GB, and as much again while packages are unpacked."""
# What Debian's own EC2 image installs and the roles or the tests meet on a real node. A node has no kernel
# and no boot loader of its own here, and cloud-init's work is done when a node is cloned.
# fmt: off
PACKAGES = [
    "systemd-sysv", "dbus", "udev", "libpam-systemd", "openssh-server", "sudo", "python3", "python3-apt",
    "ca-certificates", "chrony", "cron", "unattended-upgrades", "nftables", "iproute2", "iputils-ping",
    "kmod", "less", "netbase", "openssl", "procps", "tzdata",
]
GROUPS = ["adm", "audio", "cdrom", "dialout", "dip", "floppy", "netdev", "plugdev", "sudo", "video"]
# fmt: on
"""The groups that cloud-init gives its default user on Debian (`/etc/cloud/cloud.cfg`)."""


def cache() -> Path:
    """Where things that outlive a checkout are kept: `STOCKADE_CACHE`, else the user's cache directory."""
    if named := os.environ.get("STOCKADE_CACHE"):
        return Path(named).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").resolve() / "stockade"


def build(
    ledger: Ledger,
    progress: Progress | None = None,
    extra: tuple[str, ...] = (),
    release: str = RELEASES[0],
) -> Path:
    """The image's directory, made now if the cache lacks it, with `extra` packages beside the usual ones.

    Raises Fault; never leaves half an image.
    """
    sources = mirrors(release)
    packages = [*PACKAGES, *extra]
    image = cache() / f"image-{definition(sources, packages, release)}"
    if image.is_dir():
        return image
    with _alone(cache()):
        if image.is_dir():
            return image
        for stale in cache().glob("image-*.partial"):
            shutil.rmtree(stale)
        _require_room(cache())
        partial = image.with_suffix(".partial")
        if progress:
            progress.note(f"building the image of Debian {release} (once)")
        try:
            _bootstrap(ledger, partial, sources, packages, release)
            _customise(partial, sources)
            partial.rename(image)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return image


def release_of(region: Mapping[str, Any]) -> str:
    """The Debian release of a region's nodes; a contract of before there was a choice means the older."""
    return str(region.get("image", {}).get("release", RELEASES[0]))


def mirrors(wanted: str = RELEASES[0]) -> list[str]:
    """A release's one-line sources, at the mirrors of this machine's apt. Raises Fault when it has none."""
    fields = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    command = ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = [line.split("|")[:3] for line in answer.stdout.splitlines()]
    for release in (wanted, *(other for other in RELEASES if other != wanted)):
        found = _sources(rows, release, wanted)
        if any(f" {wanted} main" in source for source in found):
            return found
    rule = f"nodes are made from the {wanted} mirror that this machine's own apt uses"
    fix = f"add a `deb http://… {wanted} main` source and run apt-get update; the region half needs none"
    raise Fault(f"apt knows no {wanted} source", rule, fix)


def _sources(rows: Iterable[list[str]], known: str, wanted: str) -> list[str]:
    """Where apt finds the known release, as one-line sources of the wanted one: a mirror carries both."""
    found: list[str] = []
    for uri, release, component in rows:
        pocket = release.removeprefix(known)
        if pocket not in ("", "-updates", "-security") or component != "main":
            continue
        source = f"deb {uri} {wanted}{pocket} main"
        if uri.startswith(("http://", "https://")) and source not in found:
            found.append(source)
    return found


def proxies() -> dict[str, str]:
    """The proxies that this machine's own apt uses, by scheme; empty when it goes straight to its mirrors."""
    found = {}
    for kind in ("http", "https"):
        command = ["apt-config", "dump", "--format", "%v%n", f"Acquire::{kind}::Proxy"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        if answer and answer != "DIRECT":
            found[kind] = answer.splitlines()[0]
    return found


def definition(sources: list[str], packages: list[str], release: str = RELEASES[0]) -> str:
    """A digest of everything that makes the image what it is."""
    digest = hashlib.sha256(repr((release, packages, GROUPS, sources)).encode())
    for part in (_bootstrap, _customise):
        digest.update(inspect.getsource(part).encode())
    for file in sorted(path for path in FILES.rglob("*") if path.is_file()):
        digest.update(str(file.relative_to(FILES)).encode() + file.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One build at a time on this machine; the kernel lets go of the lock when the holder dies."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require_room(directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < ROOM:
        rule = f"the node image needs {ROOM >> 20} MB"
        raise Fault(
            f"{free >> 20} MB free in {directory}", rule, "make room, or set STOCKADE_CACHE to a larger disk"
        )


def _bootstrap(ledger: Ledger, target: Path, sources: list[str], packages: list[str], release: str) -> None:
    """Run mmdebstrap in a mount namespace of its own: what it mounts is gone with it, even after kill -9."""
    log = ledger.home / "image.log"
    ledger.home.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    command = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
    ]
    command += [
        f"--include={','.join(packages)}",
        '--aptopt=Acquire::Retries "3"',
        release,
        str(target),
        *sources,
    ]
    process = ledger.spawn("image", command, log=log, grace=0)
    try:
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if code:
        raise explain(log.read_text(errors="replace"), log)


def explain(output: str, log: Path) -> Fault:
    """What mmdebstrap's output means for a person."""
    still = "the region half needs no nodes and still works: see the README"
    if "No space left on device" in output:
        rule = f"the node image needs {ROOM >> 20} MB"
        return Fault("the disk is full", rule, f"make room, or set STOCKADE_CACHE to a larger disk; {still}")
    network = (
        "Temporary failure resolving|Could not resolve|Could not connect|Failed to fetch|Unable to connect"
    )
    if found := re.search(f".*({network}).*", output):
        rule = "the package mirror of this machine's apt must answer to make the node image"
        return Fault(
            f"no packages: {found[0].strip()[:160]}", rule, f"check the network and run again; {still}"
        )
    last = next((line for line in reversed(output.splitlines()) if line.startswith("E:")), "no message")
    return Fault(
        f"mmdebstrap failed: {last}", "it must end well to make the node image", f"read {log}; {still}"
    )


def _customise(root: Path, sources: list[str]) -> None:
    """Do what Debian's cloud image and cloud-init do beyond installing packages."""
    shutil.copytree(FILES, root, dirs_exist_ok=True)
    (root / "etc/sudoers.d/90-cloud-init-users").chmod(0o440)
    # mmdebstrap leaves its own apt options behind; a later apt on the node must not inherit them.
    (root / "etc/apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
    # https mirrors become plain http to the caching proxy, which speaks TLS to the mirror itself. Signatures,
    # not the transport, are what apt trusts.
    lines = [re.sub(r"deb https://", "deb http://HTTPS///", source) for source in sources]
    (root / "etc/apt/sources.list").write_text("\n".join(lines) + "\n")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "etc/machine-id").write_text("")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text(
        "# no resolver: nodes use addresses; the package proxy resolves for them\n"
    )
    (root / "etc/hostname").unlink(missing_ok=True)
    known = {line.split(":")[0] for line in (root / "etc/group").read_text().splitlines()}
    groups = ",".join(group for group in GROUPS if group in known)
    _inside(root, "useradd", "-m", "-s", "/bin/bash", "-c", "Debian", "-G", groups, "admin")
    _inside(root, "passwd", "-l", "admin")
    _inside(root, "passwd", "-l", "root")
    _inside(root, "systemctl", "enable", "twin-workload.service")


def _inside(root: Path, *command: str) -> None:
    subprocess.run(["chroot", str(root), *command], check=True, capture_output=True)
