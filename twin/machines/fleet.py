"""All nodes of a region on this machine: up, down, what they are doing, and packets between them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

import inventory
from fault import UNREACHABLE, Fault
from twin import ledger as books
from twin.ledger import Ledger
from twin.machines import collector, image, probing, reading, services, sketch, ssh, watches
from twin.machines.facts import Account, Card
from twin.machines.nodes import Node, Plan
from twin.machines.wires import OUTSIDE, Wires, site_addresses
from twin.progress import Progress
from twin.sweeping import holding

TOGETHER = 4
"""Nodes that are cloned and watched at once; booting itself is the kernel's to schedule."""
TOOLS = ("systemd-nspawn", "mmdebstrap", "nft", "ip", "ssh", "ssh-keygen", "nc", "unshare", "nsenter")
FACTS = "machines.json"

Region = Mapping[str, Any]
Say = Callable[[str, str], None]


class Machines:
    """The nodes of one region. Make it with `up`, or with `attach` when they are up already."""

    def __init__(
        self, ledger: Ledger, region: Region, account: Account, root: Path, kind: type[Node] = Node
    ) -> None:
        self.ledger, self.region, self.account = ledger, region, account
        self.wires = Wires(ledger, region, account)
        ports = _workload_ports(region)
        self.nodes = {
            card.node: kind(ledger, self.wires, Plan(card, root, ports.get(_role(region, card.node), ())))
            for card in account.cards
        }

    @property
    def home(self) -> Path:
        """Where inventory.yml, ssh_config and the nodes' disks are."""
        return self.ledger.home

    @property
    def inventory(self) -> Path:
        """The static Ansible inventory of the nodes."""
        return self.home / "inventory.yml"

    def ssh(self, node: str, command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a shell command on a node as `admin`, over a new ssh connection from the NOC."""
        self._node(node)
        return ssh.login(self.home, node, command, timeout)

    def power_cut(self, node: str) -> None:
        """Take a node's power away."""
        self._node(node).power_cut()

    def start(self, node: str) -> None:
        """Switch a node on and wait until it answers over ssh."""
        self._node(node).start()
        self.wait(node)

    def reboot(self, node: str) -> None:
        """Ask a node to reboot and wait until it is back. Raises Fault when its boot_id stays the same."""
        before = self.boot_id(node)
        if not before:
            rule = "a node that is to reboot answers first"
            raise Fault(f"{node} does not answer over ssh", rule, self._advice(node), UNREACHABLE)
        self.ssh(node, "sudo systemctl reboot")
        patience = self._node(node).patience
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if (now := self.boot_id(node, patience / 18)) and now != before:
                return
            time.sleep(0.1)
        raise Fault(f"{node} did not reboot", "its boot_id changes", self._advice(node), UNREACHABLE)

    def boot_id(self, node: str, timeout: float = 30) -> str:
        """The node's boot_id; empty when it does not answer. In nspawn it is per boot of the node."""
        return self.ssh(node, "cat /proc/sys/kernel/random/boot_id", timeout).stdout.strip()

    def probe(self, source: str, target: str, protocol: str, port: int, timeout: float = 1.0) -> bool:
        """Whether `target` (an address) answers, by a real packet from `source`.

        `source` is a site's name, a node's name, `internet`, or `source/<customer>` for an address on the
        internet that is bound to that customer. Raises Fault for any other.
        """
        address: str | None = None
        if source.startswith("source/"):
            namespace, address = self.wires.bound_source(source.partition("/")[2])
        elif source == "internet":
            namespace, address = self.wires.internet, OUTSIDE if ":" not in target else None
        elif source in self.region["sites"]:
            namespace = self.wires.site(source)
            same = [a for a in site_addresses(self.region, source) if (":" in a) == (":" in target)]
            address = same[0] if same else None
        else:
            namespace = self._node(source).namespace
        return probing.answers(namespace, address, target, protocol, port, timeout)

    def wait(self, node: str) -> float:
        """Wait until a node takes a login; returns the seconds it took. Raises Fault, code 3."""
        started = time.monotonic()
        patience = self.nodes[node].patience
        while time.monotonic() - started < patience:
            if self._banner(node) and self.ssh(node, "true", patience / 9).returncode == 0:
                return time.monotonic() - started
            if not self.nodes[node].running:
                problem = f"{node} stopped while booting: {self.nodes[node].console(3)}"
                raise Fault(problem, "every node must boot", self._advice(node), UNREACHABLE)
            time.sleep(0.1)
        problem = f"{node} does not answer over ssh after {patience:.0f} s"
        raise Fault(problem, "every node must be reachable from the NOC", self._advice(node), UNREACHABLE)

    def _banner(self, node: str) -> bool:
        """A cheap look, so that not every try costs a whole ssh."""
        return self.probe(ssh.noc(self.region), self.nodes[node].plan.card.address, "tcp", 22, 1.0)

    def _node(self, name: str) -> Node:
        if name not in self.nodes:
            choice = ", ".join(sorted(self.nodes))
            raise Fault(f"node '{name}' is not here", "a node is named by the region", f"one of {choice}")
        return self.nodes[name]

    def _advice(self, node: str) -> str:
        return f"read {self.nodes[node].directory / 'console'}"

    def raise_up(self, say: Say) -> None:
        """Make or complete everything; what runs already is left alone."""
        watches.require(sum(node.watches and not node.running for node in self.nodes.values()))
        self._drop_strangers(say)
        self.wires.raise_up()
        _write_facts(self.ledger, self.region)
        config = ssh.write_config(self.ledger, self.region, self.wires.site(ssh.noc(self.region)))
        root = next(iter(self.nodes.values())).plan.image
        services.start(self.ledger, self.region, self.wires, root)
        ssh.key(self.home)
        with ThreadPoolExecutor(TOGETHER) as pool:
            list(pool.map(lambda node: self._switch_on(node, say), self.nodes.values()))
        ssh.write_known_hosts(self.home, {n.name: n.host_keys() for n in self.nodes.values()})
        with ThreadPoolExecutor(TOGETHER) as pool:
            list(pool.map(lambda node: self._await(node, say), self.nodes))
        forwarding = collector.variables(self.home, self.region)
        connection = {
            name: {**facts, **forwarding} for name, facts in ssh.connection(self.home, self.nodes).items()
        }
        text = yaml.safe_dump(inventory.build(self.region, connection), sort_keys=False)
        self.inventory.write_text(text)
        for name in ("inventory.yml", "known_hosts", "ssh_key", "ssh_key.pub", config.name):
            self.ledger.record("path", str(self.home / name))

    def _switch_on(self, node: Node, say: Say) -> None:
        if node.running and not node.prepare():
            say(node.name, "running")
            return
        say(node.name, "cloning")
        node.prepare()
        say(node.name, "booting")
        node.start()

    def _await(self, node: str, say: Say) -> None:
        seconds = self.wait(node)
        say(node, f"answers over ssh ({seconds:.1f} s)")

    def _drop_strangers(self, say: Say) -> None:
        """Nodes of an earlier run that the region no longer has lose power and disk."""
        directory = self.home / "nodes"
        for path in directory.iterdir() if directory.is_dir() else []:
            if path.name not in self.nodes:
                say(path.name, "removed")
                card = Card(path.name, "", "", "0.0.0.0", ())  # noqa: S104  # no address: it is only switched off
                Node(self.ledger, self.wires, Plan(card, path, ())).power_cut()
                shutil.rmtree(path, ignore_errors=True)


def up(
    region: Region,
    progress: Progress | None = None,
    endpoint: str | None = None,
    home: Path | None = None,
    kind: type[Node] = Node,
) -> Machines:
    """Bring up every node of a region (docs/contracts.md, 3); return when each answers over ssh from the NOC.

    `endpoint` is the emulated account that decides which packets pass; without one, the region's own firewall
    intent does. `kind` is how they are run: in nspawn, or each with a kernel of its own (`virtual`).
    Converges when nodes are up already. Raises Fault.
    """
    if reason := obstacle():
        raise Fault(reason, "nodes are booted by systemd-nspawn", "the region half works without nodes")
    ledger = Ledger(home or books.build() / "twin")
    with holding(ledger.home):
        account = reading.read(region, endpoint) if endpoint else sketch.account(region)
        root = kind.make_image(ledger, progress, image.release_of(region))
        machines = Machines(ledger, region, account, root, kind)
        machines.raise_up(progress.node if progress else lambda _node, _state: None)
    return machines


def down(progress: Progress | None = None, home: Path | None = None) -> list[str]:
    """End the nodes and everything else in the home's ledger. Returns what was removed."""
    return Ledger(home or books.build() / "twin").sweep(progress)


def attach(home: Path | None = None) -> Machines:
    """The nodes that are up, for tests and tools. Raises Fault when there are none."""
    ledger = Ledger(home or books.build() / "twin")
    region = _facts(ledger)
    root = image.build(ledger, release=image.release_of(region))
    return Machines(ledger, region, sketch.placed(region), root)


def asked_for(home: Path | None = None) -> list[str]:
    """Names of the nodes that the last `up` was asked for, whether they run or not. Raises Fault."""
    region = _facts(Ledger(home or books.build() / "twin"))
    return [str(node["name"]) for node in region["nodes"]]


def states(home: Path | None = None) -> dict[str, str]:
    """What every node of the last `up` is doing: running or off. Empty when there was none."""
    try:
        machines = attach(home)
    except Fault:
        return {}
    return {name: "running" if node.running else "off" for name, node in machines.nodes.items()}


def obstacle() -> str | None:
    """Why this machine cannot boot nodes, or None when it can."""
    if os.geteuid() != 0:
        return "booting nodes needs root"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if not services.RELAY.exists():
        missing.append(services.RELAY.name)
    if missing:
        return f"{', '.join(missing)} missing (./bootstrap machine installs them)"
    if "overlay" not in Path("/proc/filesystems").read_text().split():
        subprocess.run(["modprobe", "overlay"], capture_output=True, check=False)
        if "overlay" not in Path("/proc/filesystems").read_text().split():
            return "this kernel has no overlayfs"
    trial = subprocess.run(
        ["unshare", "--mount", "--net", "--propagation", "private", "true"], capture_output=True, check=False
    )
    return None if trial.returncode == 0 else "this machine may not make namespaces (a plain container?)"


def _role(region: Region, node: str) -> str:
    return next(str(n["role"]) for n in region["nodes"] if n["name"] == node)


def _workload_ports(region: Region) -> dict[str, tuple[int, ...]]:
    """Per role, the TCP ports that the intent opens to it, without ssh: the application's."""
    ports: dict[str, set[int]] = {}
    for flow in region["intent"]["flows"]:
        target = flow["target"]
        if target["kind"] == "role" and flow["protocol"] == "tcp" and flow["port"] != 22:
            ports.setdefault(target["name"], set()).add(int(flow["port"]))
    return {role: tuple(sorted(found)) for role, found in ports.items()}


def _facts(ledger: Ledger) -> dict[str, Any]:
    path = ledger.home / FACTS
    if not path.exists():
        raise Fault("no nodes are up", "this needs running nodes", "`make up` first")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _write_facts(ledger: Ledger, region: Region) -> None:
    path = ledger.home / FACTS
    ledger.record("path", str(path))
    path.write_text(json.dumps(region, indent=1) + "\n")
