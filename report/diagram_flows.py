"""The arrows of the region diagram: who may reach whom, each line with its protocol and port."""

from __future__ import annotations

from xml.etree import ElementTree as Tree

from report import diagram_plan as room
from report.diagram_pieces import add, clean, label, text_element
from report.diagram_plan import Flow, Plan

Pill = tuple[Tree.Element, float, float, str, str]


def draw(arrows: Tree.Element, drawn: Plan) -> None:
    """One group per (source, target); labels last, so that no line crosses a word."""
    entering = [name for name in drawn.sources if any(f.source == name for f in drawn.flows)]
    leaving = list(dict.fromkeys(f.target for f in drawn.flows if f.kind in {"role", "service"}))
    tunnels = add(arrows, "g", "d-tunnels")  # beneath every line
    pills: list[Pill] = []
    for flow in drawn.flows:
        group = add(
            arrows,
            "g",
            f"d-flow d-flow-{flow.kind}",
            data_source=clean(flow.source),
            data_target=clean(flow.target),
        )
        why = f", {'; '.join(flow.whys)}" if flow.whys else ""
        text_element(group, "title", f"{flow.source} to {flow.target}: {', '.join(flow.ports)}{why}")
        if flow.kind in {"internet", "site"}:
            track = drawn.region_x - 10 - room.PILL_W - (entering.index(flow.source) + 1) * room.TRACK
            pills += _inbound((tunnels, group), drawn, flow, track)
        else:
            base = drawn.region_x + drawn.region_w + room.PILL_W + 18
            track = base + leaving.index(flow.target) * room.TRACK
            pills += _outbound(group, drawn, flow, track)
    for group, x, y, text, kind in pills:
        _pill(group, x, y, text, kind)


def _inbound(layers: tuple[Tree.Element, Tree.Element], drawn: Plan, flow: Flow, track: float) -> list[Pill]:
    (tunnels, group), pills = layers, []
    box = drawn.sources[flow.source]
    for lane in drawn.lanes.get(flow.target, []):
        y, end = lane.port_y(lane.left_ports, flow.source), drawn.region_x + 2 * room.VPC_PAD - 1
        path = f"M{room.MARGIN + room.SOURCE_W:.1f},{box.middle:.1f} H{track:.1f} V{y:.1f} H{end:.1f}"
        if box.vpn:
            add(tunnels, "path", "d-tunnel", d=path)
        add(group, "path", "d-line", d=path, marker_end=f"url(#d-arrow-{flow.kind})")
        pills.append((group, drawn.region_x - 8 - room.PILL_W, y, _ports(flow.ports), flow.kind))
    return pills


def _outbound(group: Tree.Element, drawn: Plan, flow: Flow, track: float) -> list[Pill]:
    pills: list[Pill] = []
    edge = drawn.region_x + drawn.region_w - room.VPC_PAD
    for lane in drawn.lanes.get(flow.source, []):
        start = f"M{edge:.1f},{lane.port_y(lane.right_ports, f'>{flow.target}'):.1f} H{track:.1f}"
        if flow.kind == "service":
            box = drawn.targets[flow.target]
            path = f"{start} V{box.middle:.1f} H{drawn.width - room.MARGIN - room.TARGET_W - 1:.1f}"
            add(group, "path", "d-line", d=path, marker_end="url(#d-arrow-service)")
            continue
        for other in drawn.lanes.get(flow.target, []):
            y = other.port_y(other.right_ports, f"<{flow.source}")
            add(
                group,
                "path",
                "d-line",
                d=f"{start} V{y:.1f} H{edge + 1:.1f}",
                marker_end="url(#d-arrow-role)",
            )
            pills.append((group, drawn.region_x + drawn.region_w + 6, y, _ports(flow.ports), flow.kind))
    return pills


def _ports(ports: list[str]) -> str:
    return ports[0] if len(ports) == 1 else f"{ports[0]} +{len(ports) - 1}"


def _pill(group: Tree.Element, x: float, y: float, text: str, kind: str) -> None:
    add(group, "rect", f"d-pill d-pill-{kind}", x=x, y=y - 7.5, width=room.PILL_W - 4, height=15.0, rx=7.5)
    label(group, (x + room.PILL_W / 2 - 2, y + 3.5), text, "d-pill-text d-mid", room.PILL_W - 8)
