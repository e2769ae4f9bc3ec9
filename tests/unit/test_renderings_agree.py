"""Security groups, network ACLs, node rules and the matrix are renderings of one intent: they must agree.

Over generated regions: any tiers, roles, sites and load balancers, with rules of any kind.
"""

from __future__ import annotations

import hypothesis
from hypothesis import given

from network.renderings import endpoint_security_groups
from tests.unit.intent_sample import regions
from tests.unit.rendering_judges import CLIENT_PORTS, OURS, Region, acl_admits, group_admits, node_admits


@hypothesis.settings(deadline=None, max_examples=60)
@given(loaded=regions())
def test_the_renderings_agree_on_every_source_target_and_port(loaded):
    region = Region(loaded)
    assert any(r.allowed for r in region.matrix) and not all(r.allowed for r in region.matrix)
    for reach in region.matrix:
        for source, target, here, there in region.packets(reach):
            packet = (reach, source, target, here, there)
            if reach.allowed:
                assert region.groups_admit(*packet), packet
                assert region.acls_admit(*packet), packet
                assert region.nodes_admit(*packet), packet
            elif source.kind != "site" or target.vpc in source.vpcs:
                assert not region.groups_admit(*packet), packet
                # A load balancer shares its subnets with nodes and has no firewall but its group.
                if "load_balancer" not in (source.kind, target.kind):
                    assert not region.nodes_admit(*packet), packet


@hypothesis.settings(deadline=None, max_examples=40)
@given(loaded=regions())
def test_every_flow_out_of_the_region_is_admitted_on_its_way_and_back(loaded):
    region = Region(loaded)
    outside = [
        f for f in region.intent.flows if f.source.kind in OURS and f.target.kind in ("service", "site")
    ]
    assert outside
    for flow in outside:
        acl = region.acls[flow.source.vpc, flow.source.tier]
        for there in region.addresses(flow.target):
            what = ("egress", flow.protocol, flow.port)
            assert group_admits(region.groups[flow.source.kind, flow.source.name], what, there), flow
            assert node_admits(region.nodes[flow.source.name]["outbound"], flow.protocol, flow.port, there), (
                flow
            )
            assert acl_admits(acl, "egress", flow.protocol, flow.port, there), flow
            assert all(acl_admits(acl, "ingress", flow.protocol, p, there) for p in CLIENT_PORTS), flow


@hypothesis.settings(deadline=None, max_examples=40)
@given(loaded=regions())
def test_endpoints_admit_exactly_the_roles_that_may_use_them(loaded):
    region = Region(loaded)
    groups = endpoint_security_groups(region.intent)
    wanted = {
        (f.target.name, f.source.name, f.protocol, f.port)
        for f in region.intent.flows
        if f.target.kind == "aws_endpoints"
    }
    got = {(vpc, r.peer, r.protocol, r.port) for vpc, rules in groups.items() for r in rules}
    assert got == wanted
    for vpc, role, protocol, port in wanted:
        assert vpc == loaded.server_roles[role].vpc
        egress = {
            (r.peer_kind, r.peer)
            for r in region.groups["role", role]
            if (r.protocol, r.port) == (protocol, port)
        }
        assert ("aws_endpoints", vpc) in egress


@hypothesis.settings(deadline=None, max_examples=40)
@given(loaded=regions())
def test_numbers_and_names_are_unique_and_legal(loaded):
    region = Region(loaded)
    for rules in region.groups.values():
        assert len({r.key for r in rules}) == len(rules)
    for entries in region.acls.values():
        assert len({(e.direction, e.number) for e in entries}) == len(entries)
        assert len({e.key for e in entries}) == len(entries)
        assert all(1 <= e.number <= 32766 for e in entries)
