"""Amazon's end of a VPN connection on this machine: a second strongSwan in a network namespace of its own.

Its programs come from Debian through the twin's package proxy into a layer over the node image, made once and
kept. It runs from there in mount and network namespaces of its own; its pre-shared keys exist in its memory
and in a tmpfs of that mount namespace only, never on a disk.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fault import Fault
from twin.ledger import Ledger
from twin.machines import image, services, tunnel_terms
from twin.sweeping import holding

# fmt: off
PACKAGES = [
    "charon-systemd", "strongswan-swanctl", "libstrongswan-standard-plugins", "libcharon-extra-plugins",
]
# fmt: on
# More than a strict end needs: what is refused has to be refused by its terms, not for lack of a plug-in.
PLUGINS = (
    "random nonce aes sha1 sha2 md5 hmac kdf gcm openssl kernel-libipsec kernel-netlink socket-default vici"
)
PATIENCE = 60.0


class Peer:
    """Amazon's end. `start` with what the account says; `log`, `up` and `control` to look and to act."""

    def __init__(self, ledger: Ledger, namespace: str, root: Path) -> None:
        self.ledger, self.namespace, self.root = ledger, namespace, root
        self.home = ledger.home / "tunnel-peer"
        self.layer = programs(ledger, root)

    def start(self, described: Mapping[str, Any], customer: str, keys: Mapping[str, str]) -> None:
        """Start it with exactly the options found in the account. Raises Fault when it does not answer."""
        for part in ("upper", "work", "root"):
            (self.home / part).mkdir(parents=True, exist_ok=True)
        (self.home / "log").touch()
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", self._script(described)]
        self.ledger.spawn("tunnel peer", command, log=self.home / "console", grace=0)
        self._await()
        text = tunnel_terms.secrets(described, customer, keys) + "\n"
        text += tunnel_terms.connections(described, customer) + "\n"
        self._inside(["sh", "-c", "umask 077; cat > /run/swanctl.conf"], text)
        self.control("--load-all", "--noprompt", "--file", "/run/swanctl.conf")

    def log(self) -> str:
        """Everything it said about its negotiations."""
        return (self.home / "log").read_text(errors="replace")

    def up(self) -> set[str]:
        """Outside addresses of the tunnels that carry traffic."""
        found, outside = set(), ""
        for line in self.control("--list-sas").splitlines():
            if line.startswith("  local "):
                outside = line.split("'")[1]
            elif ", INSTALLED," in line:
                found.add(outside)
        return found

    def control(self, *arguments: str) -> str:
        """Run swanctl against it; returns what it said. Raises Fault with its words when it refuses."""
        return self._inside(["swanctl", *arguments], None)

    def _inside(self, command: list[str], text: str | None) -> str:
        process = self.ledger.running("tunnel peer")
        if process is None:
            raise Fault("the tunnel peer does not run", "it runs while its premises do", f"read {self.home}")
        enter = ["nsenter", f"--target={process.pid}", "--mount", "--net", "--root", "--wd=/"]
        done = subprocess.run(
            [*enter, *command], input=text, capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise Fault(f"{command[0]}: {said}", "the tunnel peer takes its terms", f"read {self.home}")
        return done.stdout

    def _script(self, described: Mapping[str, Any]) -> str:
        upper, work, root = (self.home / part for part in ("upper", "work", "root"))
        layers = shlex.quote(f"lowerdir={self.layer}:{self.root},upperdir={upper},workdir={work}")
        inside, log = shlex.quote(str(root)), shlex.quote(str(self.home / "log"))
        return (
            f"mount -t overlay overlay -o {layers} {inside}"
            f" && mount -t tmpfs -o mode=755 tmpfs {inside}/run && mount --rbind /dev {inside}/dev"
            f" && touch {inside}/run/log && mount --bind {log} {inside}/run/log"
            f" && printf '%s' {shlex.quote(self._configuration(described))} > {inside}/run/strongswan.conf"
            f" && exec nsenter --net=/run/netns/{self.namespace} chroot {inside}"
            " env STRONGSWAN_CONF=/run/strongswan.conf /usr/sbin/charon-systemd"
        )

    def _configuration(self, described: Mapping[str, Any]) -> str:
        waits = tunnel_terms.patience(described)
        lines = [
            "charon-systemd {",
            "load_modular = no",
            f"load = {PLUGINS}",
            f"retransmit_base = 1\nretransmit_tries = {waits['tries']}",
            f"retransmit_timeout = {waits['timeout']:.2f}",
            "filelog {\nlog {\npath = /run/log\ndefault = 1\nflush_line = yes\n}\n}",
            "}",
            "swanctl {\nload = random\n}",
        ]
        return "\n".join(lines) + "\n"

    def _await(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.control("--version")
                self.control("--list-conns")
            except Fault:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return


def programs(ledger: Ledger, root: Path) -> Path:
    """The layer over the node image that holds strongSwan, made now if the cache lacks it. Raises Fault."""
    digest = hashlib.sha256(repr((root.name, PACKAGES)).encode()).hexdigest()[:12]
    layer = image.cache() / f"tunnel-peer-{digest}"
    if layer.is_dir():
        return layer
    with holding(image.cache() / "tunnel-peer"):
        if layer.is_dir():
            return layer
        partial = layer.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        for part in ("upper", "work", "root"):
            (partial / part).mkdir(parents=True)
        _install(ledger, root, partial)
        (partial / "upper").rename(layer)
        shutil.rmtree(partial, ignore_errors=True)
    return layer


def _install(ledger: Ledger, root: Path, partial: Path) -> None:
    """apt-get in the image, in mount namespaces of its own, with the twin's package cache as its proxy."""
    inside = shlex.quote(str(partial / "root"))
    layers = shlex.quote(f"lowerdir={root},upperdir={partial / 'upper'},workdir={partial / 'work'}")
    apt = f"apt-get -q -y -o Acquire::Retries=3 -o Acquire::http::Proxy={services.package_cache(ledger)}"
    script = (
        f"mount -t overlay overlay -o {layers} {inside} && mount -t tmpfs tmpfs {inside}/run"
        f" && mount -t proc proc {inside}/proc && mount -t tmpfs tmpfs {inside}/tmp"  # noqa: S108
        f" && mount -t tmpfs tmpfs {inside}/var/cache/apt && mkdir -p {inside}/var/cache/apt/archives/partial"
        f" && mount -t tmpfs tmpfs {inside}/var/lib/apt/lists"
        f" && mount --rbind /dev {inside}/dev"
        f" && printf '#!/bin/sh\\nexit 101\\n' > {inside}/usr/sbin/policy-rc.d"
        f" && chmod 755 {inside}/usr/sbin/policy-rc.d"
        f" && chroot {inside} {apt} update"
        f" && chroot {inside} {apt} --no-install-recommends install {' '.join(PACKAGES)}"
    )
    log = ledger.home / "tunnel-peer-install.log"
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    process = ledger.spawn(
        "tunnel peer install",
        command,
        log=log,
        env={"PATH": image_path(), "DEBIAN_FRONTEND": "noninteractive"},
    )
    if process.wait():
        raise image.explain(log.read_text(errors="replace"), log)


def image_path() -> str:
    """Where Debian keeps its programs."""
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
