"""What the region diagram shows, and where: geometry over the region contract (contracts.md, section 3)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from report.model import Report, Status
from report.reach import named
from report.verdict import WORDS, worst

MARGIN, SOURCE_W, TARGET_W, ZONE_W, ROLE_W = 12.0, 184.0, 148.0, 158.0, 96.0
PORT, TRACK, PILL_W, VPC_PAD, HEAD = 18.0, 12.0, 82.0, 12.0, 34.0
NODE_H, LINE_H, CHIP = 38.0, 20.0, 22.0
NAMED, CHIPPED, GROUP_SITES_FROM = 8, 32, 7
VPC_SERVICES = "VPC services"
BOUND_SOURCES = "bound sources"
_INSIDE = ("role", "load_balancer")
_TIERS = ("public", "private", "isolated")


# The statuses of each node of the contract, and the names of those that were judged at all.
States = tuple[dict[str, list[Status]], set[str]]


@dataclass(frozen=True)
class Node:
    name: str
    address: str
    zone: str
    status: Status  # of a node without a result: error, in a run over the region only not applicable
    judged: bool = True

    @property
    def words(self) -> str:
        """The status as a reader understands it."""
        if self.judged:
            return WORDS[self.status]
        return "no result" if self.status is Status.ERROR else "not verified in this run"


@dataclass
class Lane:
    """One server role, or one load balancer, in one tier of one VPC: a row across the zones.

    A load balancer has no nodes of ours: its row is one bar through the tier's subnets.
    """

    role: str
    vpc: str
    tier: str
    cells: dict[str, list[Node]]
    balancer: bool = False
    y: float = 0.0
    height: float = 0.0
    left_ports: list[str] = field(default_factory=list)  # sources
    right_ports: list[str] = field(
        default_factory=list
    )  # ">" + target for an exit, "<" + source for an entry

    def port_y(self, ports: list[str], name: str) -> float:
        middle = self.y + self.height / 2
        return middle + (ports.index(name) - (len(ports) - 1) / 2) * PORT


@dataclass
class Tier:
    name: str
    subnets: dict[str, tuple[str, str]]  # zone → (subnet name, CIDR)
    lanes: list[Lane]
    y: float = 0.0
    height: float = 0.0


@dataclass
class Vpc:
    name: str
    data: dict[str, Any]
    tiers: list[Tier]
    y: float = 0.0
    height: float = 0.0


@dataclass
class Outside:
    """A box beside the region: the internet, a site (or all sites of one kind), or a service."""

    name: str
    title: str
    lines: list[str]
    kind: str
    vpn: bool = False
    y: float = 0.0
    height: float = 0.0

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


@dataclass
class Flow:
    """Everything one source may open to one target, drawn as one arrow."""

    source: str
    target: str
    kind: str  # internet | site | role | service
    ports: list[str] = field(default_factory=list)
    whys: list[str] = field(default_factory=list)


@dataclass
class Plan:
    zones: list[str]
    vpcs: list[Vpc]
    lanes: dict[str, list[Lane]]
    sources: dict[str, Outside]
    targets: dict[str, Outside]
    flows: list[Flow]
    width: float = 0.0
    height: float = 0.0
    region_x: float = 0.0
    region_w: float = 0.0
    region_y: float = 0.0
    region_h: float = 0.0


_KINDS = {"noc": "NOC", "service_centre": "Service centre", "customer": "Customer"}


def plan(region: dict[str, Any], report: Report) -> Plan:
    """Place everything the region contract names; nothing it names is left out."""
    statuses: dict[str, list[Status]] = defaultdict(list)
    for result in report.results:
        statuses[result.subject].append(result.status)
    zones = sorted(
        {
            str(s.get("zone", "?"))
            for v in region.get("vpcs", {}).values()
            for s in v.get("subnets", {}).values()
        }
        | {str(node.get("zone", "?")) for node in region.get("nodes", [])}
    )
    unjudged = Status.NOT_APPLICABLE if report.run.scope == "region only" else Status.ERROR
    known = {str(node["name"]): statuses[node["name"]] or [unjudged] for node in region.get("nodes", [])}
    judged = {name for name, found in statuses.items() if found}
    vpcs = [_vpc(name, data, region, (known, judged)) for name, data in _all_vpcs(region).items()]
    lanes: dict[str, list[Lane]] = defaultdict(list)
    for lane in (lane for vpc in vpcs for tier in vpc.tiers for lane in tier.lanes):
        lanes[lane.role].append(lane)
    flows = _flows(region, set(lanes))
    drawn = Plan(zones, vpcs, dict(lanes), _sources(region, flows), _targets(flows, set(lanes)), flows)
    _attach_ports(drawn)
    _place(drawn)
    return drawn


def _all_vpcs(region: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Those of the contract, and any that only a node names: a misplaced node must be seen."""
    found = dict(region.get("vpcs", {}))
    for node in region.get("nodes", []):
        found.setdefault(str(node.get("vpc", "no VPC")), {})
    return found


def _vpc(name: str, data: dict[str, Any], region: dict[str, Any], states: States) -> Vpc:
    subnets = data.get("subnets", {})
    nodes = [node for node in region.get("nodes", []) if str(node.get("vpc", "no VPC")) == name]
    order = [*(str(s.get("tier", "?")) for s in subnets.values()), *(str(n.get("tier", "?")) for n in nodes)]
    tiers = []
    for tier in sorted(dict.fromkeys(order), key=_from_outside):
        cells = {
            str(s["zone"]): (key, str(s.get("cidr", "")))
            for key, s in subnets.items()
            if s.get("tier") == tier
        }
        here = [node for node in nodes if str(node.get("tier", "?")) == tier]
        lanes = []
        for role in dict.fromkeys(str(node.get("role", "?")) for node in here):
            lane_cells: dict[str, list[Node]] = defaultdict(list)
            for node in here:
                if str(node.get("role", "?")) == role:
                    label, address = str(node["name"]), str(node.get("address", ""))
                    zone, status = str(node.get("zone", "?")), worst(states[0][label])
                    lane_cells[zone].append(Node(label, address, zone, status, label in states[1]))
            lanes.append(Lane(role, name, tier, dict(lane_cells)))
        lanes = [Lane(one, name, tier, {}, True) for one in _balancers(region, name, tier)] + lanes
        tiers.append(Tier(tier, cells, lanes))
    return Vpc(name, data, tiers)


def _balancers(region: dict[str, Any], vpc: str, tier: str) -> list[str]:
    """Load balancers of the intent that stand in a tier, in its order."""
    ends = [
        end for flow in region.get("intent", {}).get("flows", []) for end in (flow["source"], flow["target"])
    ]
    ours = [
        e for e in ends if e.get("kind") == "load_balancer" and (e.get("vpc"), e.get("tier")) == (vpc, tier)
    ]
    return list(dict.fromkeys(named(end) for end in ours))


def _endpoint(end: dict[str, Any], region: dict[str, Any]) -> str:
    """The box an endpoint belongs to: one for what VPCs offer by themselves, one per kind of many sites."""
    name = named(end)
    sites = region.get("sites", {})
    if end.get("kind") == "platform":
        return VPC_SERVICES
    if end.get("kind") == "source":
        return BOUND_SOURCES
    if end.get("kind") == "site" and len(sites) >= GROUP_SITES_FROM:
        return str(sites.get(name, {}).get("kind", name))
    return name


def _from_outside(tier: str) -> int:
    """The internet-facing tier on top, whatever the order of the contract; an unknown tier last."""
    return _TIERS.index(tier) if tier in _TIERS else len(_TIERS)


def _flows(region: dict[str, Any], roles: set[str]) -> list[Flow]:
    found: dict[tuple[str, str], Flow] = {}
    for flow in region.get("intent", {}).get("flows", []):
        source, target = _endpoint(flow["source"], region), _endpoint(flow["target"], region)
        kind = str(flow["source"].get("kind"))
        if kind == "source":
            kind = "internet"  # whence it comes; the box says that it is bound
        if kind in _INSIDE:
            kind = "role" if target in roles and flow["target"].get("kind") in _INSIDE else "service"
        arrow = found.setdefault((source, target), Flow(source, target, kind))
        port, why = f"{flow.get('protocol', '')} {flow.get('port', '')}".strip(), str(flow.get("why", ""))
        arrow.ports += [port] if port not in arrow.ports else []
        arrow.whys += [why] if why and why not in arrow.whys else []
    return list(found.values())


def _sources(region: dict[str, Any], flows: list[Flow]) -> dict[str, Outside]:
    boxes: dict[str, Outside] = {}
    entering = {flow.source for flow in flows if flow.kind == "internet"}
    if entering - {BOUND_SOURCES}:
        boxes["internet"] = Outside("internet", "Internet", ["any address"], "internet")
    if BOUND_SOURCES in entering:
        ends = [e for e in region["intent"].get("endpoints", []) if e.get("kind") == "source"]
        lines = [f"ranges on the internet: {sum(len(end['networks']) for end in ends)}"]
        lines.append(f"customers: {len(ends)}")
        boxes[BOUND_SOURCES] = Outside(BOUND_SOURCES, "Bound sources", lines, "internet")
    sites = region.get("sites", {})
    peers: dict[str, list[str]] = defaultdict(list)
    for connection in region.get("vpn", {}):
        site, _, vpc = connection.partition("/")
        peers[site].append(vpc)
    if len(sites) >= GROUP_SITES_FROM:
        for kind, number in Counter(str(site.get("kind")) for site in sites.values()).items():
            members = [name for name, site in sites.items() if str(site.get("kind")) == kind]
            tunnels = sum(len(peers[name]) for name in members)
            lines = [f"{number} sites", f"VPN: {tunnels} connections" if tunnels else "no VPN"]
            boxes[kind] = Outside(kind, f"{_KINDS.get(kind, kind)}s", lines, "site", tunnels > 0)
    else:
        for name, site in sorted(sites.items(), key=lambda item: item[1].get("kind") != "customer"):
            ranges = ", ".join(map(str, site.get("ranges", [])))
            lines = [_KINDS.get(str(site.get("kind")), str(site.get("kind"))), ranges]
            lines.append(f"VPN: {', '.join(peers[name])}" if peers[name] else "no VPN")
            boxes[name] = Outside(name, name, lines, "site", bool(peers[name]))
    for flow in flows:
        if flow.kind in {"internet", "site"} and flow.source not in boxes:
            boxes[flow.source] = Outside(flow.source, flow.source, [], flow.kind)
    return boxes


def _targets(flows: list[Flow], roles: set[str]) -> dict[str, Outside]:
    boxes: dict[str, Outside] = {}
    for flow in flows:
        if flow.target not in roles:
            title = flow.target.replace("_", " ")
            title, _, place = title.partition(" of ")
            lines = [f"in VPC {place}"] if place else []
            box = boxes.setdefault(flow.target, Outside(flow.target, title, lines, "service"))
            box.lines += [port for port in flow.ports if port not in box.lines]
    return boxes


def _attach_ports(drawn: Plan) -> None:
    """Every arrow gets its own place on the edge of each lane it touches."""
    for flow in drawn.flows:
        if flow.kind in {"internet", "site"}:
            for lane in drawn.lanes.get(flow.target, []):
                lane.left_ports.append(flow.source)
            continue
        for lane in drawn.lanes.get(flow.source, []):
            lane.right_ports.append(f">{flow.target}")
        for lane in drawn.lanes.get(flow.target, []) if flow.kind == "role" else []:
            lane.right_ports.append(f"<{flow.source}")


def cell_height(nodes: list[Node]) -> float:
    """Room for the nodes of one zone: boxes for two, lines for a few, chips for many, one sum for a crowd."""
    if len(nodes) <= 2:
        return len(nodes) * (NODE_H + 4)
    if len(nodes) <= NAMED:
        return len(nodes) * LINE_H
    if len(nodes) <= CHIPPED:
        per_row = int((ZONE_W - 20) // CHIP)
        return -(-len(nodes) // per_row) * CHIP
    return NODE_H


def _place(drawn: Plan) -> None:
    inbound = len({flow.source for flow in drawn.flows if flow.kind in {"internet", "site"}})
    drawn.region_x = MARGIN + SOURCE_W + 16 + inbound * TRACK + PILL_W + 10
    drawn.region_w = 2 * VPC_PAD + 2 * VPC_PAD + ROLE_W + ZONE_W * max(1, len(drawn.zones))
    drawn.region_y = MARGIN
    y = drawn.region_y + 62
    for vpc in drawn.vpcs:
        vpc.y, y = y, y + HEAD
        for tier in vpc.tiers:
            tier.y, y = y, y + 24
            for lane in tier.lanes:
                ports = max(len(lane.left_ports), len(lane.right_ports), 2) * PORT + 4
                lane.height = max([ports, *(cell_height(nodes) + 4 for nodes in lane.cells.values())])
                lane.y, y = y, y + lane.height + 6
            y += 0 if tier.lanes else 4
            tier.height = y - tier.y
            y += 8
        vpc.height = y - vpc.y
        y += 12
    drawn.region_h = y + 2 - drawn.region_y
    exits = len({flow.target for flow in drawn.flows if flow.kind in {"role", "service"}})
    right = drawn.region_x + drawn.region_w + (PILL_W + 22 if exits else 0) + exits * TRACK + 12
    drawn.width = right + (TARGET_W if drawn.targets else 0) + MARGIN
    _stack(list(drawn.sources.values()), drawn)
    _stack(list(drawn.targets.values()), drawn)
    bottoms = [box.y + box.height for box in (*drawn.sources.values(), *drawn.targets.values())]
    drawn.height = max(drawn.region_y + drawn.region_h, *bottoms, 0) + 64


def _stack(boxes: list[Outside], drawn: Plan) -> None:
    """Spread the boxes evenly over the height of the region, in their order."""
    for box in boxes:
        box.height = 30 + 16 * len(box.lines)
    free = drawn.region_h - sum(box.height for box in boxes)
    gap = max(12.0, free / (len(boxes) + 1)) if boxes else 0
    y = drawn.region_y + gap
    for box in boxes:
        box.y, y = y, y + box.height + gap
