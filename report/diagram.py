"""The region as one SVG: VPCs, tiers, zones, nodes with their status, and who may reach whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Tree

from report import diagram_flows
from report import diagram_plan as room
from report.diagram_pieces import WIDE, Point, add, clean, label, markers, text_element
from report.diagram_plan import Lane, Node, Outside, Plan, Tier, Vpc, cell_height
from report.model import Report
from report.verdict import SYMBOLS, URGENCY, count, worst

_TEMPLATES = Path(__file__).parent / "templates"


def svg(region: dict[str, Any], report: Report, *, standalone: bool = False) -> str:
    """Draw the region contract, in the page's CSS variables; a standalone picture brings its own."""
    drawn = room.plan(region, report)
    name = f"Region {region.get('region', 'unknown')}, stack {region.get('stack', 'unknown')}"
    if not drawn.vpcs:
        drawn.width, drawn.height = 640, 80
    root = Tree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "region-diagram",
            "viewBox": f"0 0 {drawn.width:.0f} {drawn.height:.0f}",
            "width": f"{drawn.width:.0f}",
            "height": f"{drawn.height:.0f}",
            "role": "img",
            "aria-labelledby": "diagram-title diagram-text",
        },
    )
    text_element(root, "title", name, id="diagram-title")
    text_element(root, "desc", _description(drawn, region), id="diagram-text")
    if standalone:
        text_element(root, "style", (_TEMPLATES / "diagram.css").read_text(encoding="utf-8"))
        add(root, "rect", "d-paper", width=drawn.width, height=drawn.height)
    markers(root)
    if drawn.vpcs:
        _draw(root, drawn, region)
    else:
        label(root, (24, 46), "The results hold no region contract: there is nothing to draw.", "d-note", 592)
    return Tree.tostring(root, encoding="unicode", short_empty_elements=True)


def _draw(root: Tree.Element, drawn: Plan, region: dict[str, Any]) -> None:
    _region_box(root, drawn, region)
    for vpc in drawn.vpcs:
        _vpc(root, drawn, vpc)
    arrows = Tree.SubElement(root, "g", {"class": "d-flows"})
    diagram_flows.draw(arrows, drawn)
    for vpc in drawn.vpcs:
        for lane in (lane for tier in vpc.tiers for lane in tier.lanes):
            _lane(root, drawn, lane)
    for box in drawn.sources.values():
        _outside(root, box, room.MARGIN, room.SOURCE_W)
    for box in drawn.targets.values():
        _outside(root, box, drawn.width - room.MARGIN - room.TARGET_W, room.TARGET_W)
    _legend(root, drawn)


def _description(drawn: Plan, region: dict[str, Any]) -> str:
    nodes = len(region.get("nodes", []))
    parts = [count(len(drawn.vpcs), "VPC"), count(len(drawn.zones), "zone"), count(nodes, "node")]
    return f"{', '.join(parts)}. The table below names every permitted connection; all others are refused."


def _region_box(root: Tree.Element, drawn: Plan, region: dict[str, Any]) -> None:
    x, y, w = drawn.region_x, drawn.region_y, drawn.region_w
    add(root, "rect", "d-region", x=x, y=y, width=w, height=drawn.region_h, rx=14.0)
    label(root, (x + 16, y + 25), f"Region {region.get('region', 'unknown')}", "d-title", w / 2)
    place = (
        f"account {region.get('account', 'unknown')}, data stays in {region.get('jurisdiction', 'unknown')}"
    )
    label(root, (x + w - 16, y + 24), place, "d-small d-end", w / 2 - 24)
    for index, zone in enumerate(drawn.zones):
        label(root, (_zone_x(drawn, index) + room.ZONE_W / 2, y + 51), zone, "d-note d-mid", room.ZONE_W - 8)


def _zone_x(drawn: Plan, index: int) -> float:
    return drawn.region_x + 2 * room.VPC_PAD + room.ROLE_W + index * room.ZONE_W


def _vpc(root: Tree.Element, drawn: Plan, vpc: Vpc) -> None:
    x, w = drawn.region_x + room.VPC_PAD, drawn.region_w - 2 * room.VPC_PAD
    box = add(root, "g", "d-vpc-group", data_vpc=vpc.name)
    add(box, "rect", "d-vpc", x=x, y=vpc.y, width=w, height=vpc.height, rx=10.0)
    cidr = vpc.data.get("cidr", "not in the region contract")
    label(box, (x + 12, vpc.y + 22), f"VPC {vpc.name}  {cidr}", "d-head", w / 2)
    if gateway := vpc.data.get("vpn_gateway"):
        label(box, (x + w - 12, vpc.y + 21), f"VPN gateway {gateway}", "d-small d-end", w / 2 - 30)
    for tier in vpc.tiers:
        _tier(box, drawn, tier)


def _tier(box: Tree.Element, drawn: Plan, tier: Tier) -> None:
    label(
        box, (drawn.region_x + 2 * room.VPC_PAD, tier.y + 15), tier.name, "d-small d-strong", room.ROLE_W - 8
    )
    for index, zone in enumerate(drawn.zones):
        if zone in tier.subnets:
            name, cidr = tier.subnets[zone]
            x, w = _zone_x(drawn, index) + 3, room.ZONE_W - 6
            add(box, "rect", f"d-subnet d-{tier.name}", x=x, y=tier.y, width=w, height=tier.height, rx=6.0)
            label(box, (x + 8, tier.y + 15), cidr or name, "d-small", w - 14)
            text_element(box[-2], "title", f"subnet {name} {cidr}")


def _lane(root: Tree.Element, drawn: Plan, lane: Lane) -> None:
    if lane.balancer:
        _balancer(root, drawn, lane)
        return
    group = add(root, "g", "d-lane", data_role=lane.role)
    x, nodes = drawn.region_x + 2 * room.VPC_PAD, [n for cell in lane.cells.values() for n in cell]
    state = worst([node.status for node in nodes])
    add(
        group,
        "rect",
        f"d-role d-is-{state.value}",
        x=x,
        y=lane.y,
        width=room.ROLE_W - 8,
        height=lane.height,
        rx=6.0,
    )
    middle = lane.y + lane.height / 2
    label(group, (x + 12, middle - 3), lane.role, "d-name d-strong", room.ROLE_W - 26)
    label(group, (x + 12, middle + 13), count(len(nodes), "node"), "d-small", room.ROLE_W - 26)
    for zone, cell in lane.cells.items():
        cell_x = _zone_x(drawn, drawn.zones.index(zone)) + 9
        top = middle - cell_height(cell) / 2
        _cell(group, cell_x, top, cell)


def _balancer(root: Tree.Element, drawn: Plan, lane: Lane) -> None:
    """A bar through every zone: AWS runs it in all of them, and no single machine of it is ours to show."""
    group = add(root, "g", "d-lane d-balancer", data_balancer=lane.role)
    text_element(group, "title", f"load balancer {lane.role}, in every {lane.tier} subnet of {lane.vpc}")
    x = drawn.region_x + 2 * room.VPC_PAD
    width = room.ROLE_W - 8 + room.ZONE_W * max(1, len(drawn.zones))
    add(group, "rect", "d-role d-bar", x=x, y=lane.y, width=width, height=lane.height, rx=6.0)
    middle = lane.y + lane.height / 2
    label(group, (x + 12, middle - 3), lane.role, "d-name d-strong", room.ROLE_W - 26)
    label(group, (x + 12, middle + 13), "load balancer", "d-small", width - 26)


def _cell(group: Tree.Element, x: float, y: float, cell: list[Node]) -> None:
    width = room.ZONE_W - 18
    if len(cell) > room.CHIPPED:
        return _crowd(group, x, y, cell)
    for index, node in enumerate(cell):
        if len(cell) <= 2:
            box = _node(group, node, (x, y + 2 + index * (room.NODE_H + 4)), (width, room.NODE_H))
            label(box, (x + 30, y + 18 + index * (room.NODE_H + 4)), node.name, "d-name", width - 34)
            label(box, (x + 30, y + 33 + index * (room.NODE_H + 4)), node.address, "d-small", width - 34)
        elif len(cell) <= room.NAMED:
            box = _node(group, node, (x, y + 1 + index * room.LINE_H), (width, room.LINE_H - 3))
            label(box, (x + 24, y + 14 + index * room.LINE_H), node.name, "d-small", width - 28)
        else:
            per_row = int((room.ZONE_W - 20) // room.CHIP)
            row, column = divmod(index, per_row)
            side = room.CHIP - 3
            _node(group, node, (x + column * room.CHIP, y + 1 + row * room.CHIP), (side, side))
    return None


def _node(group: Tree.Element, node: Node, at: Point, size: Point) -> Tree.Element:
    (x, y), (w, h) = at, size
    state = node.status
    box = add(group, "g", f"d-node d-is-{state.value}", data_node=clean(node.name))
    text_element(box, "title", f"{node.name} {node.address}: {node.words}")
    add(box, "rect", "d-box", x=x, y=y, width=w, height=h, rx=5.0)
    centre = x + (15 if h > 24 else w / 2 if w < 30 else 12)
    if h > 24:
        add(box, "circle", "d-dot", cx=centre, cy=y + h / 2, r=8.5)
    mark = add(box, "text", "d-mark" if h > 24 else "d-mark d-bare", x=float(centre), y=y + h / 2 + 4)
    mark.text = SYMBOLS[state]
    return box


def _crowd(group: Tree.Element, x: float, y: float, cell: list[Node]) -> None:
    """More nodes than a zone can show: how many, and how many of each status."""
    states = [node.status for node in cell]
    box = add(group, "g", f"d-node d-is-{worst(states).value}", data_nodes=len(cell))
    add(box, "rect", "d-box", x=x, y=y, width=room.ZONE_W - 18, height=room.NODE_H, rx=5.0)
    label(box, (x + 10, y + 16), count(len(cell), "node"), "d-name", room.ZONE_W - 34)
    sums = "  ".join(f"{SYMBOLS[s]} {states.count(s)}" for s in URGENCY if s in states)
    label(box, (x + 10, y + 31), sums, "d-small", room.ZONE_W - 34)


def _outside(root: Tree.Element, box: Outside, x: float, width: float) -> None:
    group = add(root, "g", f"d-outside d-out-{box.kind}", data_outside=clean(box.name))
    text_element(group, "title", "; ".join([box.title, *box.lines]))
    add(group, "rect", "d-out", x=x, y=box.y, width=width, height=box.height, rx=8.0)
    label(group, (x + 12, box.y + 20), box.title, "d-name d-strong", width - 20)
    for index, line in enumerate(box.lines):
        label(group, (x + 12, box.y + 37 + index * 16), line, "d-small", width - 20)


def _legend(root: Tree.Element, drawn: Plan) -> None:
    """Only what the picture uses, and the sentence that makes it complete."""
    group = add(root, "g", "d-legend")
    y, x = drawn.height - 32, room.MARGIN
    words = {
        "internet": "from the internet",
        "site": "from a site",
        "role": "between server roles",
        "service": "to a service",
    }
    for kind in [kind for kind in words if any(flow.kind == kind for flow in drawn.flows)]:
        line = add(group, "g", f"d-flow d-flow-{kind}")
        add(
            line,
            "path",
            "d-line",
            d=f"M{x:.1f},{y - 4:.1f} H{x + 30:.1f}",
            marker_end=f"url(#d-arrow-{kind})",
        )
        label(group, (x + 38, y), words[kind], "d-small", 160)
        x += 38 + len(words[kind]) * 10.5 * WIDE + 22
    if any(box.vpn for box in drawn.sources.values()):
        add(group, "path", "d-tunnel d-tunnel-key", d=f"M{x:.1f},{y - 4:.1f} H{x + 30:.1f}")
        label(group, (x + 38, y), "inside an IPsec VPN", "d-small", 160)
    refused = "The intent refuses every connection that is not drawn."
    label(group, (drawn.width - room.MARGIN, y), refused, "d-small d-end d-strong", 400)
    _status_legend(group, drawn)


def _status_legend(group: Tree.Element, drawn: Plan) -> None:
    lanes = [lane for found in drawn.lanes.values() for lane in found]
    words = {n.status: n.words for lane in lanes for cell in lane.cells.values() for n in cell}
    x, y = room.MARGIN, drawn.height - 12
    if words:
        label(group, (x, y), "Nodes by their worst result", "d-small", 220)
        x += 196
    for status in (status for status in URGENCY if status in words):
        mark = add(group, "text", f"d-mark d-bare d-is-{status.value}", x=x + 6, y=y)
        mark.text = SYMBOLS[status]
        label(group, (x + 18, y), words[status], "d-small", 220)
        x += 18 + len(words[status]) * 10.5 * WIDE + 22
