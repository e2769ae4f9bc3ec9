#!/usr/bin/env python3
"""Dynamic inventory: `ansible-playbook -i inventory/region.py …`.

Reads the region contract named by STOCKADE_REGION, or the only build/region/<stack>/region.json. Hosts are
reached at their own address; say otherwise in group_vars or with -e.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Ansible runs this file by its path: the repository is not on the module path then, but its inventory/ is.
sys.path[0] = str(ROOT)

import fault  # noqa: E402
from inventory.build import build  # noqa: E402


def find_contract(root: Path, named: str | None) -> Path:
    """The region contract to use.

    Raises Fault when the named one is missing, or none or several lie there.
    """
    if named:
        path = Path(named)
        if not path.is_file():
            raise fault.Fault(
                f"STOCKADE_REGION={named}", "it names a region contract (region.json)", "correct or unset it"
            )
        return path
    found = sorted(root.glob("build/region/*/region.json"))
    if len(found) == 1:
        return found[0]
    raise fault.Fault(
        f"{len(found)} region contracts: {', '.join(p.parent.name for p in found) or 'none'}",
        "the inventory is of one region",
        "set STOCKADE_REGION=build/region/<stack>/region.json"
        if found
        else "bring a region up first, or set STOCKADE_REGION",
    )


def read_contract(path: Path) -> dict[str, Any]:
    """The contract as data. Raises Fault when it is not JSON."""
    try:
        data = json.loads(path.read_text())
    except ValueError as error:
        raise fault.Fault(
            f"{path.name}: {error}", "a region contract is JSON", "write it again: bring the region up"
        ) from error
    if not isinstance(data, dict):
        raise fault.Fault(path.name, "a region contract is a JSON object", "bring the region up again")
    return data


def script_data(inventory: dict[str, Any]) -> dict[str, Any]:
    """The same inventory in the shape of Ansible's script protocol (groups flat, `_meta.hostvars`)."""
    data: dict[str, Any] = {"_meta": {"hostvars": {}}}

    def walk(name: str, group: dict[str, Any]) -> None:
        entry = data.setdefault(name, {"hosts": [], "children": [], "vars": {}})
        entry["vars"].update(group.get("vars", {}))
        for host, variables in group.get("hosts", {}).items():
            entry["hosts"].append(host)
            data["_meta"]["hostvars"][host] = variables
        for child, content in group.get("children", {}).items():
            if child not in entry["children"]:
                entry["children"].append(child)
            walk(child, content)

    walk("all", inventory["all"])
    return data


def run(arguments: list[str] | None = None) -> int:
    """Answer `--list` or `--host NAME`."""
    parser = argparse.ArgumentParser(description="Ansible inventory of one region")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--list", action="store_true", help="all groups and hosts")
    asked.add_argument("--host", help="variables of one host")
    given = parser.parse_args(arguments)
    contract = find_contract(ROOT, os.environ.get("STOCKADE_REGION"))
    data = script_data(build(read_contract(contract), {}))
    if given.host:
        variables = data["_meta"]["hostvars"]
        if given.host not in variables:
            raise fault.Fault(
                f"host {given.host!r}", "a host is a node of the region", f"{', '.join(variables)}"
            )
        data = variables[given.host]
    print(json.dumps(data, indent=1))
    return fault.GOOD


if __name__ == "__main__":
    fault.main(run)
