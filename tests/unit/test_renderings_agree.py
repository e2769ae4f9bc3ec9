"""Security groups, network ACLs, node rules and the matrix are renderings of one intent: they must agree.

Over generated regions: any tiers, roles, sites and load balancers, with rules of any kind.
"""

from __future__ import annotations

import hypothesis
from hypothesis import given

from network.intent import Flow, egress_vpcs
from network.renderings import endpoint_security_groups
from tests.unit.intent_sample import regions
from tests.unit.rendering_judges import (
    CLIENT_PORTS,
    OURS,
    Address,
    Region,
    acl_admits,
    group_admits,
    node_admits,
)


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
    elsewhere = ("service", "site", "internet")
    outside = [f for f in region.intent.flows if f.source.kind in OURS and f.target.kind in elsewhere]
    assert outside
    for flow in outside:
        acl = region.acls[flow.source.vpc, flow.source.tier]
        families = {network.version for network in flow.target.networks}
        for there in (a for a in region.addresses(flow.target) if a.version in families):
            what = ("egress", flow.protocol, flow.port)
            assert group_admits(region.groups[flow.source.kind, flow.source.name], what, there), flow
            assert node_admits(region.nodes[flow.source.name]["outbound"], flow.protocol, flow.port, there), (
                flow
            )
            assert acl_admits(acl, "egress", flow.protocol, flow.port, there), flow
            assert all(acl_admits(acl, "ingress", flow.protocol, p, there) for p in CLIENT_PORTS), flow
            if flow.target.kind == "internet" and there.version == 4:
                assert _passes_the_nat_gateway(region, flow, there), flow


def _passes_the_nat_gateway(region: Region, flow: Flow, there: Address) -> bool:
    """Through the public tier's ACL, where the gateway stands: in, out, and the answer in and out again."""
    acl = region.acls[flow.source.vpc, "public"]
    return all(
        acl_admits(acl, "ingress", flow.protocol, flow.port, here)
        and acl_admits(acl, "egress", flow.protocol, flow.port, there)
        and all(acl_admits(acl, "ingress", flow.protocol, port, there) for port in CLIENT_PORTS)
        and all(acl_admits(acl, "egress", flow.protocol, port, here) for port in CLIENT_PORTS)
        for here in region.addresses(flow.source)
    )


@hypothesis.settings(deadline=None, max_examples=60)
@given(loaded=regions())
def test_nothing_may_call_everybody_but_a_private_role_whose_vpc_has_a_way_out(loaded):
    region = Region(loaded)
    for (kind, name), rules in region.groups.items():
        if any(r.direction == "egress" and r.peer in ("0.0.0.0/0", "::/0") for r in rules):
            assert kind == "role" and str(loaded.server_roles[name].tier) == "private"
            assert loaded.server_roles[name].vpc in egress_vpcs(region.intent)
    for (vpc, tier), entries in region.acls.items():
        leaving = [e for e in entries if e.direction == "egress" and str(e.cidr) in ("0.0.0.0/0", "::/0")]
        if tier == "isolated" or (tier == "private" and vpc not in egress_vpcs(region.intent)):
            assert not leaving, (vpc, tier)


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
