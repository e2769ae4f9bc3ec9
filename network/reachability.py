"""The intent as a matrix: who reaches which role on which port, and who must not. Tests probe it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fault import Fault
from network.intent import Endpoint, Flow, Intent, inside


@dataclass(frozen=True)
class Reach:
    """Whether a source (`kind/name`, e.g. site/noc-mumbai) reaches nodes of a role on a port, and why."""

    source: str
    target_role: str
    protocol: str
    port: int
    allowed: bool
    why: str


def reachability(intent: Intent, nodes: Iterable[Mapping[str, Any]]) -> list[Reach]:
    """Every source, every role that has nodes, every port that any role offers, allowed or not.

    Roles are sources only when they have nodes. Raises Fault when no node is given: an empty matrix proves
    nothing.
    """
    standing = {node["role"] for node in nodes}
    known = {role.name for role in intent.roles()}
    if not standing or standing - known:
        raise Fault(
            f"nodes of role {', '.join(sorted(standing - known)) or 'none'}",
            "reachability is stated for nodes of the intent's roles",
            "give the nodes of this region",
        )
    ports = sorted({(f.protocol, f.port) for f in intent.flows if f.target.kind == "role"})
    sources = [s for s in intent.sources() if s.kind != "role" or s.name in standing]
    return [
        _reach(intent, source, target, protocol, port)
        for target in intent.roles()
        if target.name in standing
        for source in sources
        for protocol, port in ports
    ]


def _reach(intent: Intent, source: Endpoint, target: Endpoint, protocol: str, port: int) -> Reach:
    offered = [f for f in intent.flows if f.target == target and (f.protocol, f.port) == (protocol, port)]
    admitting = [f for f in offered if f.source == source] or [f for f in offered if _admits(f, source)]
    if source.kind == "site" and target.vpc not in source.vpcs:
        admitting, why = [], f"{source.name} has no tunnel to {target.vpc}"
    else:
        why = admitting[0].why if admitting else "no rule of the intent allows it"
    return Reach(f"{source.kind}/{source.name}", target.name, protocol, port, bool(admitting), why)


def _admits(flow: Flow, source: Endpoint) -> bool:
    """The flow's ranges contain the source's.

    A site that no rule names still gets through one for the internet, because its addresses are part of
    it. A role does not: its own outbound rules bind it.
    """
    if source.kind == "role" or flow.source.kind == "role":
        return False
    return all(any(inside(net, outer) for outer in flow.source.networks) for net in source.networks)
