"""One node: a clone of the image under a supervisor, in its own namespaces and its own control group.

A node is a directory in the home: `upper` holds everything it ever changed, so switching it off and on keeps
its disk. The supervisor is a shell that makes the wire and boots the node, again when the node rebooted. Each
boot has a mount namespace of its own: nothing is mounted on the machine, and a killed node leaves no mount.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import signal
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fault import Fault
from twin.ledger import Ledger
from twin.machines import image, ssh
from twin.machines.facts import Card
from twin.machines.wires import Wires
from twin.progress import Progress

ADMIN = 1000
"""User and group id of the login, the first ordinary ones on Debian."""
NO_ROOT_LOGIN = (
    "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command=\"echo 'Please login as the user "
    '\\"admin\\" rather than the user \\"root\\".\';echo;sleep 10;exit 142" '
)
"""What cloud-init puts in front of root's key (`disable_root_opts`)."""


@dataclass(frozen=True)
class Plan:
    """What a node is made from; a node whose plan changed is made anew."""

    card: Card
    image: Path
    ports: tuple[int, ...]

    def mark(self, wire: Sequence[str]) -> str:
        """A digest of everything that only a new node can take on."""
        text = json.dumps([self.card.address, str(self.image), self.ports, *wire])
        return hashlib.sha256(text.encode()).hexdigest()


class Node:
    """A node of a home; `start` and `power_cut` are the switch, everything else goes over ssh."""

    patience = 240.0
    """Seconds until it must answer over ssh; it takes two on an idle machine."""
    watches = True
    """Whether it takes from this machine's inotify instances, not from a kernel's of its own."""

    def __init__(self, ledger: Ledger, wires: Wires, plan: Plan) -> None:
        self.ledger, self.wires, self.plan = ledger, wires, plan
        self.name = plan.card.node
        self.directory = ledger.home / "nodes" / self.name
        self.namespace = wires.node(self.name)

    @staticmethod
    def make_image(ledger: Ledger, progress: Progress | None, release: str) -> Path:
        """The directory that such nodes are cloned from; made once and kept. Raises Fault."""
        return image.build(ledger, progress, release=release)

    @property
    def running(self) -> bool:
        """Whether the supervisor runs. Says nothing about how far the node has booted."""
        return self.ledger.running(f"node {self.name}") is not None

    def prepare(self) -> bool:
        """Clone the image unless this very node is there already; returns whether it was cloned."""
        wire = self.wires.node_wire(self.plan.card)
        done = self.directory / "plan"
        if done.exists() and done.read_text() == self.plan.mark(wire):
            return False
        self.power_cut()
        self.ledger.record("path", str(self.directory))
        if self.directory.exists():
            shutil.rmtree(self.directory)
        for part in ("upper", "work", "root"):
            (self.directory / part).mkdir(parents=True)
        self._personalise()
        (self.directory / "power").write_text(self._supervisor(wire))
        (self.directory / "boot").write_text(self._boot())
        self._complete()
        done.write_text(self.plan.mark(wire))
        return True

    def start(self) -> None:
        """Switch the node on; does nothing when it is on."""
        if self.running:
            return
        self._end_leftovers()
        # A power cut leaves overlayfs's own mark of a mount that was never ended.
        shutil.rmtree(self.directory / "work", ignore_errors=True)
        (self.directory / "work").mkdir()
        self.ledger.record("netns", self.namespace)
        self.ledger.record("cgroup", self.namespace)
        command = ["sh", str(self.directory / "power")]
        console = self.directory / "console"
        self.ledger.spawn(f"node {self.name}", command, log=console, env=_PLAIN, grace=0)

    def power_cut(self) -> None:
        """Take the power away: every process of the node dies at once; its disk stays."""
        supervisor = self.ledger.running(f"node {self.name}")
        if supervisor is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(supervisor.pid, signal.SIGKILL)
        self._end_leftovers()

    def host_keys(self) -> list[str]:
        """The public host keys the node was made with."""
        return [
            path.read_text() for path in sorted((self.directory / "upper/etc/ssh").glob("ssh_host_*.pub"))
        ]

    def console(self, lines: int = 8) -> str:
        """The end of what the node wrote to its console."""
        path = self.directory / "console"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def _end_leftovers(self) -> None:
        """Kill whatever still sits in the node's control group, until it is empty."""
        deadline = time.monotonic() + 60
        while pids := members(self.namespace):
            if time.monotonic() > deadline:
                problem = f"{self.name}: processes {', '.join(map(str, pids))} do not die"
                raise Fault(
                    problem, "a node without power has none", f"see what they wait for: {self.directory}"
                )
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def _personalise(self) -> None:
        """What cloud-init does at a first boot: name, hosts, host keys, the login's key."""
        public = Path(f"{ssh.key(self.ledger.home)}.pub").read_text()
        self._seed("etc/hostname", f"{self.name}\n")
        self._seed(
            "etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n\n::1 localhost ip6-localhost\n"
        )
        self._seed("etc/machine-id", f"{uuid.uuid4().hex}\n", mode=0o444)
        self._seed("home/admin/.ssh/authorized_keys", public, mode=0o600, owner=ADMIN)
        self._seed("root/.ssh/authorized_keys", NO_ROOT_LOGIN + public, mode=0o600)
        if self.plan.ports:
            self._seed("etc/twin-workload.ports", " ".join(map(str, self.plan.ports)) + "\n")
        ssh.make_host_keys(self.ledger, self._folder("etc/ssh"), self.name)

    def _complete(self) -> None:
        """Whatever else a node of this kind is made of."""

    def _seed(self, name: str, text: str, mode: int = 0o644, owner: int = 0) -> None:
        path = self._folder(str(Path(name).parent), owner) / Path(name).name
        path.write_text(text)
        path.chmod(mode)
        os.chown(path, owner, owner)

    def _folder(self, name: str, owner: int = 0) -> Path:
        """A directory of the upper layer, with the image's own mode and owner where the image has it."""
        path = self.directory / "upper"
        for part in Path(name).parts:
            path = path / part
            if path.exists():
                continue
            below = self.plan.image / path.relative_to(self.directory / "upper")
            path.mkdir()
            if below.exists():
                facts = below.stat()
                os.chown(path, facts.st_uid, facts.st_gid)
                path.chmod(facts.st_mode & 0o7777)
            else:
                os.chown(path, owner, owner)
                path.chmod(0o700)
        return path

    def _supervisor(self, wire: Sequence[str]) -> str:
        groups = " ".join(shlex.quote(str(group)) for group in control_groups(self.namespace))
        boot = f"unshare --mount --propagation private sh {shlex.quote(str(self.directory / 'boot'))}"
        lines = [
            "#!/bin/sh",
            f"# Supervises node {self.name}: control group, then wire and boot, again after every reboot.",
            f"for group in {groups}; do",
            '  mkdir -p "$group" && echo $$ > "$group/cgroup.procs" || exit 1',
            "done",
            "while :; do",
            *wire,
            boot,
            "[ $? = 133 ] || exit 0  # nspawn says that the node wants to boot again",
            "done",
        ]
        return "\n".join(lines) + "\n"

    def _boot(self) -> str:
        upper, work, root = (self.directory / part for part in ("upper", "work", "root"))
        layers = shlex.quote(f"lowerdir={self.plan.image},upperdir={upper},workdir={work}")
        options = [
            f"--directory={shlex.quote(str(root))} --machine={self.name}",
            # No service of the machine is asked, and no cgroup of the machine is touched but the node's own.
            "--register=no --keep-unit --kill-signal=SIGRTMIN+3 --quiet --boot --console=pipe",
            f"--network-namespace-path=/run/netns/{self.namespace}",
            # A firewall of its own. More would reach the machine: its clock, its modules.
            "--capability=CAP_NET_ADMIN",
            "--resolv-conf=off --timezone=off --link-journal=no",
        ]
        arguments = " ".join(options)
        lines = [
            "#!/bin/sh",
            "# One boot, in a mount namespace of its own: what is mounted here is gone with it.",
            "# nspawn leaves lock files behind when it is killed, so these go as well.",
            "mkdir -p /run/systemd && mount -t tmpfs -o mode=755 tmpfs /run/systemd || exit 1",
            f"mount -t overlay overlay -o {layers} {shlex.quote(str(root))} || exit 1",
            # net.* below /proc/sys is the node's own; without this it is read-only.
            "export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network",
            f"exec systemd-nspawn {arguments}",
        ]
        return "\n".join(lines) + "\n"


_PLAIN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def control_groups(name: str) -> list[Path]:
    """The directories of a control group in the hierarchies that systemd uses, whether they exist or not.

    A group of its own per node: nodes that shared one would be each other's services.
    """
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        kind, _, options = tail.split(" ", 2)
        point = Path(fields.split()[4])
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options):
            found.append(point / name)
    return list(dict.fromkeys(found))


def members(name: str) -> list[int]:
    """Pids in a control group and everything below it."""
    pids: set[int] = set()
    for top in control_groups(name):
        for directory, _, files in os.walk(top):
            if "cgroup.procs" in files:
                with contextlib.suppress(OSError):
                    pids.update(int(pid) for pid in (Path(directory) / "cgroup.procs").read_text().split())
    return sorted(pids - {0})
