"""Which nodes are expected (the region contract) and how each is reached (the inventory).

The expected nodes never come from the inventory: a node that somebody forgot to list must turn the run red.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault import Fault
from verify.channel import BOOTSTRAP

SCHEMA = "stockade/region/1"
_SSH = ("ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5")
_SSH_QUIET = ("-o", "ServerAliveCountMax=3", "-o", "LogLevel=ERROR")


@dataclass(frozen=True)
class Fleet:
    """Expected nodes by name, the argv that opens a channel to each, and what is wrong between the two
    lists."""

    nodes: dict[str, dict[str, Any]]
    argv: dict[str, list[str]]
    missing: tuple[str, ...]
    extra: tuple[str, ...]


def read_contract(path: Path | None) -> dict[str, Any]:
    """Read region.json (docs/contracts.md section 3); raises Fault when it is not one or expects no node."""
    rule, fix = (
        "the expected region comes from the region contract",
        "give --region build/region/STACK/region.json",
    )
    if path is None:
        raise Fault("--region is missing", rule, fix)
    try:
        contract = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise Fault(f"--region {path}: {error}", rule, fix) from error
    if not isinstance(contract, dict) or contract.get("schema") != SCHEMA:
        raise Fault(f"--region {path} is no {SCHEMA} document", rule, fix)
    nodes = contract.get("nodes")
    if not isinstance(nodes, list) or not nodes:
        raise Fault(
            f"--region {path} expects no node", "an empty fleet proves nothing", "provision the stack first"
        )
    names = [node["name"] for node in nodes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Fault(
            f"--region {path} names {', '.join(twice)} twice", "a node has one name", "correct the contract"
        )
    return contract


def read_fleet(contract: dict[str, Any], inventory: Path | None) -> Fleet:
    """Join the contract's nodes with the inventory's hosts (a host's name, or its `stockade_node`, is the
    node's name).

    Without an inventory every node is reached at its address as `admin`, by the caller's own ssh
    configuration.
    """
    nodes = {node["name"]: node for node in sorted(contract["nodes"], key=lambda node: str(node["name"]))}
    if inventory is None:
        found = {
            name: {"ansible_host": node["address"], "ansible_user": "admin"} for name, node in nodes.items()
        }
    else:
        found = _read_inventory(inventory)
    argv = {name: channel_argv(variables) for name, variables in found.items() if name in nodes}
    missing = tuple(name for name in nodes if name not in found)
    return Fleet(nodes, argv, missing, tuple(sorted(set(found) - set(nodes))))


def channel_argv(variables: dict[str, Any]) -> list[str]:
    """The argv that starts the agent on a host with these Ansible connection variables."""
    user = str(variables.get("ansible_user") or "")
    python = str(variables.get("ansible_python_interpreter") or "python3")
    if python.startswith("auto"):
        python = "python3"
    remote = [python, "-I", "-u", "-c", BOOTSTRAP]
    if variables.get("ansible_connection") == "local":
        return remote
    if user != "root":
        remote = ["sudo", "-n", "--", *remote]
    argv = [*_SSH, *_SSH_QUIET]
    for key in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        argv += shlex.split(str(variables.get(key) or ""))
    for option, key in (
        ("-p", "ansible_port"),
        ("-i", "ansible_ssh_private_key_file"),
        ("-l", "ansible_user"),
    ):
        if variables.get(key):
            argv += [option, str(variables[key])]
    return [*argv, str(variables.get("ansible_host") or variables["inventory_hostname"]), shlex.join(remote)]


def _read_inventory(path: Path) -> dict[str, dict[str, Any]]:
    """Every host's variables, read by Ansible itself: static files, executables and group_vars all count."""
    if not path.exists():
        raise Fault(
            f"--inventory {path} does not exist",
            "nodes are reached as the inventory says",
            "make the inventory",
        )
    # Imported here: 0.3 s, needed only when nodes are verified.
    from ansible.errors import AnsibleError  # noqa: PLC0415
    from ansible.inventory.manager import InventoryManager  # noqa: PLC0415
    from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415
    from ansible.template import Templar  # noqa: PLC0415
    from ansible.vars.manager import VariableManager  # noqa: PLC0415

    loader = DataLoader()
    found: dict[str, dict[str, Any]] = {}
    try:
        inventory = InventoryManager(loader=loader, sources=[str(path)])
        manager = VariableManager(loader=loader, inventory=inventory)
        for host in inventory.get_hosts():
            variables = manager.get_vars(host=host, include_hostvars=False)
            templar = Templar(loader=loader, variables=variables)
            values = {key: templar.template(variables[key]) for key in variables if _is_connection(key)}
            found[str(values.get("stockade_node") or host.name)] = values
    except AnsibleError as error:
        raise Fault(
            f"--inventory {path}: {error}", "it is an Ansible inventory", "correct the inventory"
        ) from error
    return found


def _is_connection(key: str) -> bool:
    return key.startswith("ansible_") or key in ("stockade_node", "inventory_hostname")
