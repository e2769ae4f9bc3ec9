"""The region diagram shows every node once and every permitted connection, whatever the contract holds."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as Tree

import pytest

from report import diagram
from report.model import Status
from report.reach import reach
from tests.unit import report_sample as sample

SVG = "{http://www.w3.org/2000/svg}"


def draw(region: dict[str, Any]) -> Tree.Element:
    return Tree.fromstring(diagram.svg(region, sample.report(contract=region), standalone=True))


def attributes(root: Tree.Element, name: str) -> list[str]:
    return [element.attrib[name] for element in root.iter() if name in element.attrib]


@pytest.mark.parametrize("counts", [None, {"edge": 18, "app": 14, "archive": 8}, {"edge": 3}])
def test_each_node_is_drawn_exactly_once(counts: dict[str, int] | None) -> None:
    region = sample.region(counts=counts)
    assert sorted(attributes(draw(region), "data-node")) == sorted(node["name"] for node in region["nodes"])


def test_a_crowd_is_summed_up_and_its_number_is_true() -> None:
    region = sample.region(counts={"edge": 300, "app": 200, "archive": 100})
    root = draw(region)
    named, summed = attributes(root, "data-node"), attributes(root, "data-nodes")
    assert len(named) + sum(map(int, summed)) == 600
    assert len(summed) == 8 or len(summed) == 9


def test_every_flow_between_server_roles_has_an_arrow_with_its_port() -> None:
    region = sample.region()
    root = draw(region)
    arrows = {
        (g.attrib["data-source"], g.attrib["data-target"]): g
        for g in root.iter(f"{SVG}g")
        if "data-source" in g.attrib
    }
    flows = [f for f in region["intent"]["flows"] if f["source"]["kind"] == f["target"]["kind"] == "role"]
    assert flows
    for flow in flows:
        arrow = arrows[(flow["source"]["name"], flow["target"]["name"])]
        title = arrow.findtext(f"{SVG}title") or ""
        assert f"{flow['protocol']} {flow['port']}" in title
        assert flow["why"] in title
        assert [p for p in arrow.iter(f"{SVG}path") if p.attrib.get("marker-end")]
        assert f"{flow['protocol']} {flow['port']}" in [t.text for t in arrow.iter(f"{SVG}text")]


def test_every_inbound_flow_has_an_arrow_and_none_is_invented() -> None:
    region = sample.region()
    root = draw(region)
    drawn = {
        (g.attrib["data-source"], g.attrib["data-target"])
        for g in root.iter(f"{SVG}g")
        if "data-source" in g.attrib
    }
    wanted = {(f["source"]["name"], f["target"]["name"]) for f in region["intent"]["flows"]}
    inward = {pair for pair in wanted if pair[1] in {"edge", "app", "archive"}}
    assert {pair for pair in drawn if pair[1] in {"edge", "app", "archive"}} == inward


def test_without_a_flow_there_is_no_arrow() -> None:
    region = sample.region()
    region["intent"]["flows"] = []
    assert attributes(draw(region), "data-source") == []


def test_subnets_vpcs_sites_and_gateways_are_shown() -> None:
    region = sample.region()
    root = draw(region)
    text = " ".join("".join(t.itertext()) for t in root.iter(f"{SVG}text"))
    titles = " ".join(t.text or "" for t in root.iter(f"{SVG}title"))
    for name, vpc in region["vpcs"].items():
        assert f"VPC {name}" in text
        assert vpc["vpn_gateway"] in text
        for key, subnet in vpc["subnets"].items():
            assert subnet["cidr"] in text
            assert f"subnet {key} {subnet['cidr']}" in titles
    assert set(region["sites"]) <= set(attributes(root, "data-outside"))


def test_the_internet_facing_tier_is_on_top_whatever_the_order_of_the_contract() -> None:
    region = sample.region()
    for vpc in region["vpcs"].values():
        vpc["subnets"] = dict(sorted(vpc["subnets"].items()))
    heights = {
        t.text: float(t.attrib["y"])
        for t in draw(region).iter(f"{SVG}text")
        if t.text in {"edge", "app", "archive"}
    }
    assert heights["edge"] < heights["app"] < heights["archive"]


def test_many_customers_share_one_box_with_their_number() -> None:
    region = sample.region()
    region["sites"] |= {f"customer-{i}": region["sites"]["acme-bank"] for i in range(20)}
    boxes = attributes(draw(region), "data-outside")
    assert {"noc", "service_centre", "customer"} <= set(boxes)
    assert "customer-3" not in boxes


def test_a_node_outside_every_known_subnet_is_still_drawn() -> None:
    region = sample.region()
    region["nodes"][0] |= {"vpc": "nowhere", "zone": "ap-south-1z", "tier": "unknown", "subnet": "?"}
    assert region["nodes"][0]["name"] in attributes(draw(region), "data-node")


def test_a_node_without_a_result_is_not_drawn_as_good() -> None:
    region = sample.region()
    report = sample.report(contract=region, good=True)
    silent = report.model_copy(update={"results": tuple(r for r in report.results if r.subject != "app-a-1")})
    root = Tree.fromstring(diagram.svg(region, silent, standalone=True))
    node = next(g for g in root.iter(f"{SVG}g") if g.attrib.get("data-node") == "app-a-1")
    assert "d-is-error" in node.attrib["class"]
    assert "no result" in (node.findtext(f"{SVG}title") or "")


def test_a_run_over_the_region_only_says_that_nodes_were_not_verified() -> None:
    region = sample.region()
    full = sample.report(contract=region, good=True)
    resources = {s.id for s in full.subjects if s.kind == "resource"}
    report = full.model_copy(
        update={
            "run": full.run.model_copy(update={"scope": "region only"}),
            "results": tuple(r for r in full.results if r.subject in resources),
        }
    )
    root = Tree.fromstring(diagram.svg(region, report, standalone=True))
    nodes = [g for g in root.iter(f"{SVG}g") if "data-node" in g.attrib]
    assert len(nodes) == 6
    assert all("d-is-not_applicable" in g.attrib["class"] for g in nodes)
    assert all("not verified in this run" in (g.findtext(f"{SVG}title") or "") for g in nodes)
    assert "not verified in this run" in [t.text for t in root.iter(f"{SVG}text")]


def test_a_node_shows_its_worst_result() -> None:
    report = sample.report(good=True)
    index, first = next((i, r) for i, r in enumerate(report.results) if r.subject == "archive-a-1")
    results = list(report.results)
    results[index] = first.model_copy(update={"status": Status.FAIL})
    root = Tree.fromstring(
        diagram.svg(report.region, report.model_copy(update={"results": tuple(results)}), standalone=True)
    )
    states = {
        g.attrib["data-node"]: "d-is-fail" in g.attrib["class"]
        for g in root.iter(f"{SVG}g")
        if "data-node" in g.attrib
    }
    assert [name for name, failed in states.items() if failed] == ["archive-a-1"]


@pytest.mark.parametrize("region", [{}, {"vpcs": {}}, {"region": "x", "nodes": [], "vpcs": {"a": {}}}])
def test_a_poor_contract_still_gives_a_picture(region: dict[str, Any]) -> None:
    assert draw(region).tag == f"{SVG}svg"


def test_hostile_names_stay_text() -> None:
    region = sample.region()
    hostile = "</svg><script>alert(1)</script>\x00"
    region["nodes"][0]["name"] = hostile
    region["region"] = hostile
    root = draw(region)
    assert not list(root.iter(f"{SVG}script"))
    assert hostile.replace("\x00", "\ufffd") in attributes(root, "data-node")


def test_the_table_names_every_flow_of_the_intent() -> None:
    region = sample.region()
    rows = reach(region)
    assert len(rows) == len(region["intent"]["flows"])
    first = rows[0]
    assert (first.source, first.target, first.protocol, first.port) == ("internet", "edge", "tcp", "443")
    assert first.limit == "50 connections per source, 30 new per second per source"


def test_a_load_balancer_is_one_bar_in_its_tier_between_the_internet_and_its_targets() -> None:
    region = sample.region()
    here = {"vpc": "customer", "tier": "public", "vpcs": []}
    front = {"kind": "load_balancer", "name": "front", "networks": ["10.20.0.0/21"], **here}
    rest = {"protocol": "tcp", "limit": None}
    internet = next(f["source"] for f in region["intent"]["flows"] if f["source"]["kind"] == "internet")
    app = next(f["target"] for f in region["intent"]["flows"] if f["target"]["name"] == "app")
    region["intent"]["flows"] += [
        {"source": internet, "target": front, "port": 443, "why": "browsers", **rest},
        {"source": front, "target": app, "port": 8443, "why": "onward", **rest},
    ]
    root = draw(region)
    assert attributes(root, "data-balancer") == ["front"]
    arrows = {
        (g.attrib["data-source"], g.attrib["data-target"]): g
        for g in root.iter(f"{SVG}g")
        if "data-source" in g.attrib
    }
    for ends in (("internet", "front"), ("front", "app")):
        assert [p for p in arrows[ends].iter(f"{SVG}path") if p.attrib.get("marker-end")], ends
    tall = draw(sample.region()).attrib["viewBox"]
    assert root.attrib["viewBox"] != tall, "the bar takes room of its own"
