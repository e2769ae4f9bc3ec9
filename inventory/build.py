"""From the region contract (docs/contracts.md, 3) to Ansible inventory data. Knows no Pulumi and no twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controls.profiles import variables
from fault import Fault
from network.intent import Intent, from_data
from network.renderings import node_rules
from settings.facts import ADMIN_PORT

SCHEMA = "stockade/region/1"
# Debian's cloud images create this user, key only, with sudo.
LOGIN = "admin"
_ADMIN_KINDS = ("noc", "service_centre")


def build(region: Mapping[str, Any], connection: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Inventory in the shape of Ansible's YAML inventory: `{"all": {"children": …, "vars": …}}`.

    Groups: one per server role, `nodes` above them, and the stack's name with `_` for `-`. `connection`
    holds more host variables per node name (an ssh key, a jump host); they win over the defaults. Raises
    Fault for a contract of another schema, without nodes, or a connection of a node that does not exist.
    """
    names = expected_nodes(region)
    strangers = sorted(set(connection) - set(names))
    if strangers:
        raise Fault(
            f"connection details for {', '.join(strangers)}",
            f"a connection belongs to a node of {region['stack']}",
            f"nodes are {', '.join(names)}",
        )
    intent = from_data(region["intent"])
    rules = {role: _rules(intent, role) for role in {node["role"] for node in region["nodes"]}}
    shared = _shared(region)
    roles: dict[str, dict[str, Any]] = {}
    for node in sorted(region["nodes"], key=lambda n: str(n["name"])):
        own = _host(node, rules[node["role"]])
        roles.setdefault(node["role"], {})[node["name"]] = {
            **own,
            **shared,
            **connection.get(node["name"], {}),
        }
    children = {role: {"hosts": hosts} for role, hosts in sorted(roles.items())}
    return {
        "all": {
            "children": {
                "nodes": {"children": children},
                group_name(region["stack"]): {"children": {"nodes": {}}},
            },
            "vars": {"ansible_user": LOGIN, "ansible_become": True, "ansible_become_user": "root"},
        }
    }


def expected_nodes(region: Mapping[str, Any]) -> list[str]:
    """Names of all nodes of a region, sorted.

    Raises Fault when there are none: nothing would be hardened or checked.
    """
    if region.get("schema") != SCHEMA:
        raise Fault(
            f"region contract of schema {region.get('schema')!r}",
            f"this version reads {SCHEMA}",
            "write it again with this version",
        )
    names = sorted(str(node["name"]) for node in region.get("nodes", ()))
    if not names or len(set(names)) != len(names):
        raise Fault(
            f"nodes {', '.join(names) or 'none'}",
            "a region has nodes, each name once",
            "write the region contract again",
        )
    return names


def group_name(stack: str) -> str:
    """The stack as an Ansible group: letters, digits and underscores."""
    return stack.replace("-", "_")


def _rules(intent: Intent, role: str) -> dict[str, Any]:
    rules = node_rules(intent, role)
    return {
        "local_firewall_inbound": rules["inbound"],
        "local_firewall_outbound": rules["outbound"],
        "local_firewall_admin_networks": _admin_networks(intent, role),
    }


def _host(node: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    # A contract of before there were kinds and levels means what the settings' defaults mean.
    kind, profile = str(node.get("kind", "app")), str(node.get("profile", "cis-l2"))
    return {
        "ansible_host": node["address"],
        "stockade_node": node["name"],
        "stockade_role": node["role"],
        "stockade_zone": node["zone"],
        "stockade_tier": node["tier"],
        "stockade_kind": kind,
        "stockade_profile": profile,
        **variables(kind, profile),
        **rules,
    }


def _shared(region: Mapping[str, Any]) -> dict[str, Any]:
    """Variables that all nodes of a region share; on the host, so that group_vars cannot shadow them."""
    services, patching = region["services"], region["patching"]
    proxy = services["package_proxy"]
    return {
        "time_sync_servers": [dict(server) for server in services["time_servers"]],
        "patching_proxy": {"address": proxy["address"], "port": proxy["port"]},
        "patching_window": patching["window"],
        "patching_timezone": patching["timezone"],
        "patching_reboot": patching["reboot"],
        "audit_retention_days": region["retention"]["node_logs_days"],
        "ssh_server_listen_port": ADMIN_PORT,
        **_accounts(region),
        **forwarding(region),
    }


def forwarding(region: Mapping[str, Any]) -> dict[str, Any]:
    """Where the journals go, and by whose certificate the collector is known; nothing without a collector.

    The nodes' own certificates and keys are in no contract; the role has `audit_forward_identities`.
    """
    collector = region["services"].get("log_collector")
    if not collector:
        return {}
    url = f"https://{collector['address']}:{collector['port']}"
    return {"audit_forward": {"url": url, "ca": collector["authority"]}}


def _accounts(region: Mapping[str, Any]) -> dict[str, Any]:
    """Who opens the image's account, and which accounts become root without a password until when."""
    stated = sorted(region.get("administrators", {}).items())
    entries = [
        {"name": name, "owner": one["owner"], "why": one["why"], "expires": str(one["until"])}
        for name, one in sorted(region.get("automation", {}).items())
    ]
    # None stated: the role's own list, which has an end of its own.
    return {
        "users_administrators": [{"name": name, "key": one["key"]} for name, one in stated],
        **({"users_automation": entries} if entries else {}),
    }


def _admin_networks(intent: Intent, role: str) -> list[str]:
    """Ranges of the NOCs and service centres that the intent lets administer the role, each once.

    Not simply all of them: what the intent denies, the node's own firewall must refuse as well.
    """
    networks = [
        str(network)
        for flow in intent.flows
        if flow.source.site_kind in _ADMIN_KINDS
        and (flow.target.kind, flow.target.name) == ("role", role)
        and (flow.protocol, flow.port) == ("tcp", ADMIN_PORT)
        for network in flow.source.networks
    ]
    if not networks:
        raise Fault(
            f"role {role} has no admin network",
            f"every role is administered from a NOC by tcp {ADMIN_PORT}, or it locks everybody out",
            "add the rule to the firewall intent and write the region contract again",
        )
    return list(dict.fromkeys(networks))
