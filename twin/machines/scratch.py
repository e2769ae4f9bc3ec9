"""One node without a region, for tests of roles: its own NOC, service centre and internet."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

import settings
from settings.calendar import today
from twin import ledger as books
from twin.ledger import Ledger, begun
from twin.machines import fleet, sketch
from twin.machines.nodes import Node
from twin.machines.wires import OUTSIDE
from twin.sweeping import owner_alive, sweep

NODE = "edge-a-1"
# An authority that nobody has the key of, as in the stack files: every twin makes its own.
AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBkTCCARegAwIBAgIUUHoQEzESb4VXGw3dlXZgiNFNS2gwCgYIKoZIzj0EAwMw
HjEcMBoGA1UEAwwTbG9ncy5jZW50cmUuZXhhbXBsZTAeFw0yNjAxMDEwMDAwMDBa
Fw00NjAxMDEwMDAwMDBaMB4xHDAaBgNVBAMME2xvZ3MuY2VudHJlLmV4YW1wbGUw
djAQBgcqhkjOPQIBBgUrgQQAIgNiAAT2pqdYAoXjgubYfk3jg/ArgmlOJOHijUEJ
UWiZHZlHhM6j+pLbbSeAsFZrdHJP/SRLS5finatB2bNTjeV5RKQePmWh94S0dtJD
EYrBPE2n6wN0d01J2bpmOB8xd0+++xSjFjAUMBIGA1UdEwEB/wQIMAYBAf8CAQAw
CgYIKoZIzj0EAwMDaAAwZQIwGZZUB89B3wsUNxCQAUPCNs7Cp/QSgaXP7OOais9h
xkN3PmtXdD5wTxcjCxWRpJxvAjEA/1UR7/4dAey5wTfpUlyH5mrE1cfiYaW8ITBS
L9FyHC+6ArfP6NaDZW+DUyKswUeF
-----END CERTIFICATE-----
"""
SETTINGS: dict[str, Any] = {
    "region": "eu-central-1",
    "account": "111122223333",
    "owner": "tests",
    "residency": {"jurisdiction": "DE", "allowed_regions": ["eu-central-1"]},
    "zones": ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
    "vpcs": {"customer": {"cidr": "10.90.0.0/16", "tiers": ["public", "private"]}},
    "server_roles": {"edge": {"vpc": "customer", "tier": "public", "count": 1, "instance_type": "m7i.large"}},
    "image": {"id": "ami-00000000000000000", "owner": "136693071363"},
    # Nobody has the private half: lone nodes trust a key of their own.
    "administrators": {
        "nobody": {"key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOoEPTcjHq2fngg0Ld0P/7+J2hwofpWF6laQntzxParZ"}
    },
    "sites": {
        "noc": {
            "kind": "noc",
            "gateway": "203.0.113.10",
            "ranges": ["172.30.10.0/24", "fd00:30:10::/64"],
            "vpcs": ["customer"],
            "asn": 65010,
        },
        "centre": {
            "kind": "service_centre",
            "gateway": "203.0.113.20",
            "ranges": ["172.30.20.0/24"],
            "vpcs": ["customer"],
            "asn": 65020,
        },
    },
    "services": {
        "package_proxy": {"address": "172.30.20.10", "port": 3142},
        "time_servers": [
            {"address": "172.30.20.11", "name": "ntp.centre.example", "source": "this machine", "nts": False}
        ],
        "log_collector": {
            "address": "172.30.20.12",
            "port": 19532,
            "operator": "this machine",
            "authority": AUTHORITY,
        },
    },
    "firewall": [
        {
            "from": ["internet"],
            "to": ["edge"],
            "protocol": "tcp",
            "port": 443,
            "why": "customers upload over TLS",
            "limit": {"connections": 50, "rate": 30},
            # Open to everybody, as no region of ours is: what a node withstands then is what is tried here.
            "accepted": {
                "owner": "platform-engineering",
                "why": "a lone node has no customers whose sources could be bound",
                "change": "CHG-1",
                "until": (today() + timedelta(days=30)).isoformat(),
            },
        },
        {
            "from": ["noc", "service_centre"],
            "to": ["edge"],
            "protocol": "tcp",
            "port": 22,
            "why": "administration",
        },
        {
            "from": ["edge"],
            "to": ["package_proxy"],
            "protocol": "tcp",
            "port": 3142,
            "why": "signed packages",
        },
        {"from": ["edge"], "to": ["time_servers"], "protocol": "udp", "port": 123, "why": "time"},
        {"from": ["edge"], "to": ["log_collector"], "protocol": "tcp", "port": 19532, "why": "journals"},
        {"from": ["edge"], "to": ["aws_endpoints"], "protocol": "tcp", "port": 443, "why": "its records"},
    ],
    "retention": {
        "flow_logs_days": 400,
        "access_logs_days": 400,
        "noncurrent_days": 90,
        "node_logs_days": 180,
        "archive_days": 400,
    },
    "patching": {"window": "Sun 01:00-04:00", "timezone": "Etc/UTC", "reboot": "when_required"},
    "access": {
        "organisation": "o-0000000000",
        "identity_account": "222233334444",
        "trusted_ranges": {"noc": ["203.0.113.10/32"]},
        "teams": {"operations": {"hours": "always"}},
    },
    "data_classes": {"records": {"writers": ["edge"], "readers": [], "retention_days": 400}},
    "backup": {"at": "02:30", "timezone": "Etc/UTC", "keep_days": 35},
}


class Lone:
    """A lone node. `inventory` is its Ansible inventory as data, `inventory_file` the same as a file."""

    def __init__(self, machines: fleet.Machines) -> None:
        self.machines = machines
        self.name = NODE
        self.inventory_file = machines.inventory
        self.inventory: dict[str, Any] = yaml.safe_load(machines.inventory.read_text())

    @property
    def address(self) -> str:
        """Its address in its subnet."""
        return self.machines.nodes[NODE].plan.card.address

    @property
    def address6(self) -> str:
        """Its IPv6 address, reachable from the NOC."""
        return str(self.machines.nodes[NODE].plan.card.address6)

    @property
    def public_address(self) -> str:
        """The address under which the internet reaches it."""
        return str(self.machines.nodes[NODE].plan.card.public)

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`."""
        return self.machines.home / "ssh_config"

    @property
    def outside(self) -> str:
        """The address of somebody on the internet, as the node sees it."""
        return OUTSIDE

    def ssh(self, command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a shell command as `admin` over a new ssh connection; return code 255 when out of reach."""
        return self.machines.ssh(NODE, command, timeout)

    def sudo(self, command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command as root, given as one argument to `sudo sh -c`."""
        quoted = command.replace("'", "'\\''")
        return self.ssh(f"sudo sh -c '{quoted}'", timeout)

    def probe(
        self, source: str, protocol: str, port: int, target: str | None = None, timeout: float = 1
    ) -> bool:
        """Whether the node answers on a port, from `noc`, `centre` or `internet` (at its public address)."""
        own = self.public_address if source == "internet" else self.address
        return self.machines.probe(source, target or own, protocol, port, timeout)

    def power_cut(self) -> None:
        """Take its power away."""
        self.machines.power_cut(NODE)

    def start(self) -> None:
        """Switch it on and wait for ssh."""
        self.machines.start(NODE)

    def reboot(self) -> None:
        """Reboot it and wait for ssh; proven by its boot_id."""
        self.machines.reboot(NODE)


@contextmanager
def lone(name: str, run: type[Node] = Node, **stated: Any) -> Iterator[Lone]:
    """A fresh node for the body of a `with`; `name` keeps it apart from others, `run` is how it is run.

    `stated` is what the node's settings say beside `SETTINGS`: `release`, or the role's `kind` and
    `profile`. Raises Fault like `up`.
    """
    with passing(name) as home:
        yield Lone(fleet.up(contract(**stated), home=home, kind=run))


def contract(release: str = "bookworm", **role: str) -> dict[str, Any]:
    """The region contract of a lone node: a release, and the kind and profile of its role."""
    stated = {
        **SETTINGS,
        "image": {**SETTINGS["image"], "release": release},
        "server_roles": {"edge": {**SETTINGS["server_roles"]["edge"], **role}},
    }
    return sketch.region(settings.parse(stated), "lone")


@contextmanager
def passing(name: str) -> Iterator[Path]:
    """A home that is swept and removed at the end; what killed processes left of theirs is removed first."""
    directory = books.build() / "lone"
    directory.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(directory / f"{name}-{os.getpid()}")
    # One at a time: two would take the same tree apart, or one that has no owner yet.
    with directory.with_name("lone.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in directory.iterdir():
            if not owner_alive(Ledger(left)):
                let_go(left)
        owner = os.getpid()
        ledger.record("path", str(ledger.home / "nodes"), owner_pid=owner, owner_start=begun(owner))
    try:
        yield ledger.home
    finally:
        let_go(ledger.home)


def let_go(home: Path) -> None:
    """Sweep a passing home and remove it."""
    sweep(Ledger(home))
    shutil.rmtree(home, ignore_errors=True)
