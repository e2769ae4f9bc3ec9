"""Which nodes are expected (the region contract) and how each is reached (the inventory).

The expected nodes never come from the inventory: a node that somebody forgot to list must turn the run red.
"""

from __future__ import annotations

import fnmatch
import json
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fault import Fault
from verify.channel import BOOTSTRAP

SCHEMA = "stockade/region/1"
CONNECT_SECONDS = 10  # ssh's own limit, until the node has said who it is
_CONNECT = "ConnectTimeout={}".format
_SSH = ("ssh", "-T", "-o", "BatchMode=yes", "-o", _CONNECT(CONNECT_SECONDS), "-o", "ServerAliveInterval=5")
_SSH_QUIET = ("-o", "ServerAliveCountMax=3", "-o", "LogLevel=ERROR")
# A connection of its own: as somebody's master, its end would take other people's sessions along.
_SSH_ALONE = ("-o", "ControlMaster=no", "-o", "ControlPath=none")


@dataclass(frozen=True)
class Fleet:
    """Expected nodes by name, the argv that opens a channel to each, and what is wrong between the two
    lists."""

    nodes: dict[str, dict[str, Any]]
    argv: dict[str, list[str]]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    expected_by: str = "the region contract"
    shared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # address → expected nodes there


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
        said = " ".join(str(error).split())
        raise Fault(f"--region {path}: {said}", rule, fix) from error
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


def read_fleet(
    contract: dict[str, Any],
    found: Mapping[str, dict[str, Any]] | None,
    expected_by: str = "the region contract",
) -> Fleet:
    """Join the contract's nodes with the inventory's hosts (`verify.inventories.read_inventory`).

    Without an inventory every node is reached at its address as `admin`, by the caller's own ssh
    configuration.
    """
    nodes = {node["name"]: node for node in sorted(contract["nodes"], key=lambda node: str(node["name"]))}
    if found is None:
        found = {
            name: {"ansible_host": node["address"], "ansible_user": "admin"} for name, node in nodes.items()
        }
    argv = {name: channel_argv(variables) for name, variables in found.items() if name in nodes}
    missing = tuple(name for name in nodes if name not in found)
    extra = tuple(sorted(set(found) - set(nodes)))
    return Fleet(nodes, argv, missing, extra, expected_by, _shared({n: found[n] for n in argv}))


def _shared(found: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Nodes whose names lead to one place: one would be verified twice, and the others never.

    The same address behind another jump host, or in another ssh configuration, is another place.
    """
    keys = ("ansible_port", "ansible_ssh_common_args", "ansible_ssh_extra_args")
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, variables in sorted(found.items()):
        if variables.get("ansible_connection") != "local":
            place = _address(variables)
            places[(place, *(str(variables.get(key) or "") for key in keys))].append(name)
    return {place[0]: tuple(names) for place, names in places.items() if len(names) > 1}


def _address(variables: Mapping[str, Any]) -> str:
    return str(variables.get("ansible_host") or variables["inventory_hostname"])


def choose(fleet: Fleet, pattern: str | None) -> list[str]:
    """Names of the nodes that `--nodes` means: names, patterns or server roles, with commas between them.

    Raises Fault for a word that matches no node.
    """
    chosen: set[str] = set()
    for word in (pattern or "*").split(","):
        found = {
            name
            for name, node in fleet.nodes.items()
            if fnmatch.fnmatchcase(name, word.strip()) or node["role"] == word.strip()
        }
        if not found:
            known = ", ".join(fleet.nodes)
            part = "" if word == pattern else f": {word}"
            raise Fault(
                f"--nodes {pattern}{part} matches no node",
                f"the region expects {known}",
                "correct the pattern",
            )
        chosen |= found
    return [name for name in fleet.nodes if name in chosen]


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
    argv = [*_SSH, *_SSH_QUIET, *_SSH_ALONE]
    for key in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        argv += shlex.split(str(variables.get(key) or ""))
    for option, key in (
        ("-p", "ansible_port"),
        ("-i", "ansible_ssh_private_key_file"),
        ("-l", "ansible_user"),
    ):
        if variables.get(key):
            argv += [option, str(variables[key])]
    return [*argv, _address(variables), shlex.join(remote)]


def patiently(argv: Iterable[str], patience: int) -> list[str]:
    """The same argv, in which ssh waits `patience` times as long for a node's first word."""
    plain, patient = _CONNECT(CONNECT_SECONDS), _CONNECT(CONNECT_SECONDS * patience)
    return [patient if word == plain else word for word in argv]
