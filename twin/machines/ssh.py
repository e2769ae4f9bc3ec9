"""The way in: a key pair, an ssh configuration that enters through the NOC, and what Ansible needs to use it.

The nodes have no wire to the machine itself, so ssh is proxied by a process that stands in the NOC's
namespace: what a login meets on its way is exactly what it would meet in the region.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fault import Fault
from twin.ledger import TOKEN, Ledger, prefix

USER = "admin"
KEY_TYPES = ("ed25519", "ecdsa", "rsa")
"""What cloud-init makes on Debian at first boot."""


def key(home: Path) -> Path:
    """The private key that logs in to the nodes, made now if missing; its public half is beside it."""
    path = home / "ssh_key"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".pub").unlink(missing_ok=True)
        fresh = home / "ssh_key.new"
        for leftover in (fresh, fresh.with_suffix(".new.pub")):
            leftover.unlink(missing_ok=True)
        _keygen("ed25519", fresh, "stockade twin")
        Path(f"{fresh}.pub").rename(f"{path}.pub")
        fresh.rename(path)
    return path


def make_host_keys(ledger: Ledger, directory: Path, node: str) -> None:
    """A node's own host keys, one of each type, as cloud-init makes them at first boot.

    They are made aside and moved in whole: a killed run's ssh-keygen may still be writing where that run was.
    """
    aside = ledger.home / f"keys-{uuid.uuid4().hex[:8]}"
    ledger.record("path", str(aside))
    aside.mkdir(mode=0o700)
    for kind in KEY_TYPES:
        _keygen(kind, aside / f"ssh_host_{kind}_key", f"root@{node}", ledger.token("ssh-keygen"))
    for made in aside.iterdir():
        made.replace(directory / made.name)
    aside.rmdir()


def _keygen(kind: str, path: Path, comment: str, token: str = "") -> None:
    """Run ssh-keygen; the token lets a sweep end it when we are killed meanwhile."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(path)]
    environment = {**os.environ, **({TOKEN: token} if token else {})}
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, env=environment)


def noc(region: Mapping[str, Any]) -> str:
    """The site whose people log in: the first NOC. Raises Fault when the region has none."""
    for name, site in region["sites"].items():
        if site["kind"] == "noc":
            return str(name)
    rule = "nodes are reached from a NOC's range and from nowhere else"
    raise Fault("the region has no site of kind noc", rule, "add one to the stack file")


def write_config(ledger: Ledger, region: Mapping[str, Any], namespace: str) -> Path:
    """Write ssh_config for `ssh -F`: every node by name and by address, checked against its own host key."""
    home = ledger.home
    sockets = Path("/run") / ledger.prefix
    ledger.record("path", str(sockets))
    sockets.mkdir(mode=0o700, exist_ok=True)
    hosts = "\n".join(
        f"Host {n['name']} {n['address']}\n    HostName {n['address']}\n    HostKeyAlias {n['name']}"
        for n in region["nodes"]
    )
    config = home / "ssh_config"
    config.write_text(
        f"""{hosts}

Host *
    User {USER}
    IdentityFile "{key(home)}"
    IdentitiesOnly yes
    UserKnownHostsFile "{home / "known_hosts"}"
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    PasswordAuthentication no
    KbdInteractiveAuthentication no
    LogLevel ERROR
    ConnectTimeout 30
    ServerAliveInterval 5
    ServerAliveCountMax 3
    ProxyCommand nsenter --net=/run/netns/{namespace} nc %h %p
    ControlMaster auto
    ControlPath {sockets}/%C
    ControlPersist 60
"""
    )
    return config


def write_known_hosts(home: Path, keys: Mapping[str, Iterable[str]]) -> None:
    """Pin every node's host keys: `keys` maps a node's name to its public keys."""
    lines = [f"{node} {' '.join(text.split()[:2])}" for node, texts in keys.items() for text in texts]
    (home / "known_hosts").write_text("\n".join(lines) + "\n")


def connection(home: Path, nodes: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Host variables that let Ansible, with any connection plugin that runs ssh, reach the nodes."""
    public = (home / "ssh_key.pub").read_text().strip()
    facts: dict[str, Any] = {
        # The twin logs in with a key of its own, which no stack file knows.
        "users_controller_keys": [public],
        "ansible_ssh_private_key_file": str(home / "ssh_key"),
        "ansible_ssh_common_args": f"-F {home / 'ssh_config'}",
        # Ansible's own shared connections are known by address and user, which two homes have in common.
        "ansible_control_path_dir": f"/run/{prefix(home)}",
    }
    return {name: dict(facts) for name in nodes}


def login(home: Path, node: str, command: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a command on a node over a new connection of its own; never raises for the command's own failure.

    A connection that fails or takes longer than `timeout` seconds has return code 255, as ssh itself says it.
    """
    options = ["-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "BatchMode=yes"]
    argv = ["ssh", "-F", str(home / "ssh_config"), *options, node, command]
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as expired:
        text = expired.stdout.decode(errors="replace") if isinstance(expired.stdout, bytes) else ""
        return subprocess.CompletedProcess(argv, 255, text, f"no end after {timeout:g} s")
