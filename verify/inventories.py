"""Reads any Ansible inventory: a file, a folder, an executable; `limit` is Ansible's own host pattern."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fault import Fault

RULE = "nodes are reached as the inventory says"
_CONNECTIONS = ("ssh", "smart", "local", "ansible.builtin.ssh", "ansible.builtin.local")


def read_inventory(path: Path, limit: str | None = None) -> dict[str, dict[str, Any]]:
    """Connection variables by node name (`stockade_node`, else the host's name), group_vars and all.

    Raises Fault for a file that is no inventory, one without hosts, a limit of which a part matches nobody,
    and a kind of connection that no channel can be opened over.
    """
    if not path.exists():
        raise Fault(f"--inventory {path} does not exist", RULE, "make the inventory")
    # Imported here: 0.3 s, needed only when nodes are verified.
    from ansible.errors import AnsibleError  # noqa: PLC0415
    from ansible.inventory.manager import InventoryManager  # noqa: PLC0415
    from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415
    from ansible.vars.manager import VariableManager  # noqa: PLC0415

    loader = DataLoader()
    try:
        inventory = InventoryManager(loader=loader, sources=[str(path)])
        if not inventory.hosts:
            raise Fault(f"--inventory {path} holds no host", RULE, "correct the inventory")
        manager = VariableManager(loader=loader, inventory=inventory)
        hosts = _limited(inventory, limit)
        found = {name: values for host in hosts for name, values in [_variables(host, manager, loader)]}
    except AnsibleError as error:
        said = " ".join(str(error).split())[:300]
        raise Fault(f"--inventory {path}: {said}", "it is an Ansible inventory", "correct it") from error
    if len(found) != len(hosts):
        raise Fault(f"--inventory {path} names a node twice", "`stockade_node` is unique", "correct it")
    return found


def _limited(inventory: Any, limit: str | None) -> list[Any]:
    """Every term of the pattern has to match: Ansible itself only warns about one that does not."""
    if limit is None:
        return list(inventory.get_hosts())
    from ansible.inventory.manager import split_host_pattern  # noqa: PLC0415

    for term in split_host_pattern(limit):
        if not inventory.get_hosts(term.lstrip("!&"), ignore_limits=True):
            known = ", ".join(sorted(set(inventory.groups) - {"all", "ungrouped"})) or "none"
            raise Fault(f"--limit {limit}: {term} matches no host", f"groups are {known}", "correct it")
    hosts = list(inventory.get_hosts(limit))
    if not hosts:
        raise Fault(f"--limit {limit} matches no host", "an empty selection proves nothing", "correct it")
    return hosts


def _variables(host: Any, manager: Any, loader: Any) -> tuple[str, dict[str, Any]]:
    from ansible.template import Templar  # noqa: PLC0415

    variables = manager.get_vars(host=host, include_hostvars=False)
    templar = Templar(loader=loader, variables=variables)
    values = {key: templar.template(variables[key]) for key in variables if _is_needed(key)}
    name = str(values.get("stockade_node") or host.name)
    if (connection := str(values.get("ansible_connection", "ssh"))) not in _CONNECTIONS:
        raise Fault(
            f"{name}: ansible_connection {connection}", "a node is reached by ssh or local", "use one"
        )
    return name, values


def _is_needed(key: str) -> bool:
    return key.startswith(("ansible_", "stockade_")) or key in ("inventory_hostname", "group_names")
