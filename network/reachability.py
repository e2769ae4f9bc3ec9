"""The intent as a matrix: who reaches which role or load balancer on which port, and who must not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fault import Fault
from network.intent import GUARDED, Endpoint, Flow, Intent, inside


@dataclass(frozen=True)
class Reach:
    """Whether a source reaches a target on a port, and why.

    Both are `kind/name`: site/noc-mumbai, role/edge, load_balancer/front; a target is a role or a load
    balancer.
    """

    source: str
    target: str
    protocol: str
    port: int
    allowed: bool
    why: str

    @property
    def target_role(self) -> str | None:
        """The role whose nodes are the target; None when a load balancer is."""
        kind, _, name = self.target.partition("/")
        return name if kind == "role" else None


def reachability(intent: Intent, nodes: Iterable[Mapping[str, Any]]) -> list[Reach]:
    """Every source, every role that has nodes and every load balancer, every port that any of them offers,
    allowed or not.

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
    ports = sorted({(f.protocol, f.port) for f in intent.flows if f.target.kind in GUARDED})
    sources = [s for s in intent.sources() if s.kind != "role" or s.name in standing]
    return [
        _reach(intent, source, target, protocol, port)
        for target in (*intent.roles(), *intent.load_balancers())
        if target.kind == "load_balancer" or target.name in standing
        for source in sources
        for protocol, port in ports
    ]


def _reach(intent: Intent, source: Endpoint, target: Endpoint, protocol: str, port: int) -> Reach:
    offered = [f for f in intent.flows if f.target == target and (f.protocol, f.port) == (protocol, port)]
    calls_everybody = any(
        f.source == source and f.target.kind == "internet" and (f.protocol, f.port) == (protocol, port)
        for f in intent.flows
    )
    admitting = (
        [f for f in offered if f.source == source]
        or [f for f in offered if _admits(f, source)]
        # Who may call every address there is also calls what is open to every address.
        or [f for f in offered if calls_everybody and f.source.kind == "internet"]
    )
    if source.kind == "site" and target.vpc not in source.vpcs:
        admitting, why = [], f"{source.name} has no tunnel to {target.vpc}"
    else:
        why = admitting[0].why if admitting else "no rule of the intent allows it"
    return Reach(
        f"{source.kind}/{source.name}", f"{target.kind}/{target.name}", protocol, port, bool(admitting), why
    )


def _admits(flow: Flow, source: Endpoint) -> bool:
    """The flow's ranges contain the source's.

    A site that no rule names still gets through one for the internet, because its addresses are part of
    it. A role or a load balancer does not: its own outbound rules bind it.
    """
    if source.kind in GUARDED or flow.source.kind in GUARDED:
        return False
    return all(any(inside(net, outer) for outer in flow.source.networks) for net in source.networks)
