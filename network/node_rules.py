"""The intent as rules of each node's own firewall: plain data for the role `local_firewall`."""

from __future__ import annotations

from typing import Any

from fault import Fault
from network.intent import Endpoint, Flow, Intent


def node_rules(intent: Intent, role: str) -> dict[str, list[dict[str, Any]]]:
    """`{"inbound": [...], "outbound": [...]}` of a role's nodes.

    An entry is `{protocol, port, networks4, networks6, limit, why}`: networks are the other side's, as
    text. Other roles are known by the subnets they stand in. Entries are ordered from the narrowest
    networks to the widest, so that a customer's own limit comes before the internet's; the first that
    matches decides.
    """
    if role not in {endpoint.name for endpoint in intent.roles()}:
        raise Fault(f"role {role!r}", "rules are made for a role of the intent", "name one of its roles")
    mine = [flow for flow in intent.flows if role in (_role(flow.source), _role(flow.target))]
    inbound = sorted((f for f in mine if _role(f.target) == role), key=lambda f: _width(f.source))
    outbound = sorted((f for f in mine if _role(f.source) == role), key=lambda f: _width(f.target))
    return {
        "inbound": [_entry(flow, flow.source) for flow in inbound],
        "outbound": [_entry(flow, flow.target) for flow in outbound],
    }


def _width(endpoint: Endpoint) -> int:
    return max((network.max_prefixlen - network.prefixlen for network in endpoint.networks), default=0)


def _role(endpoint: Endpoint) -> str | None:
    return endpoint.name if endpoint.kind == "role" else None


def _entry(flow: Flow, other: Endpoint) -> dict[str, Any]:
    limit = {"connections": flow.limit.connections, "rate": flow.limit.rate} if flow.limit else None
    return {
        "protocol": flow.protocol,
        "port": flow.port,
        "networks4": [str(network) for network in other.networks if network.version == 4],
        "networks6": [str(network) for network in other.networks if network.version == 6],
        "limit": limit,
        "why": flow.why,
    }
