"""Security groups, network ACLs, node rules and the matrix are renderings of one intent: they must agree.

Over generated regions: any tiers, roles, sites and load balancers, IPv6 or not, with rules of any kind.
"""

from __future__ import annotations

import hypothesis
from hypothesis import given
from hypothesis import strategies as st

import settings
from network.intent import Endpoint, Flow, egress_vpcs
from network.reachability import Reach
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
                    assert not region.nodes_admit(*packet) or _neighbours_may(region, packet), packet


def _neighbours_may(region: Region, packet: tuple[Reach, Endpoint, Endpoint, Address, Address]) -> bool:
    """A node knows roles by the subnets they stand in, so at both ends it admits what a neighbour in the same
    subnets may; security groups, which know roles by name, refuse it (asserted for every packet).
    """
    reach, source, target, _, _ = packet
    flows = [f for f in region.intent.flows if (f.protocol, f.port) == (reach.protocol, reach.port)]
    place = {end.name: (end.vpc, end.tier) for end in (source, target)}
    arrives = any(f.target == target and (f.source.vpc, f.source.tier) == place[source.name] for f in flows)
    leaves = any(f.source == source and (f.target.vpc, f.target.tier) == place[target.name] for f in flows)
    return source.kind == target.kind == "role" and arrives and leaves


@hypothesis.settings(deadline=None, max_examples=40)
@given(loaded=regions())
def test_every_flow_out_of_the_region_is_admitted_on_its_way_and_back(loaded):
    region = Region(loaded)
    elsewhere = ("service", "site", "internet")
    outside = [f for f in region.intent.flows if f.source.kind in OURS and f.target.kind in elsewhere]
    assert outside
    for flow in outside:
        acl = region.acls[str(flow.source.vpc), str(flow.source.tier)]
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
    acl = region.acls[str(flow.source.vpc), "public"]
    return all(
        acl_admits(acl, "ingress", flow.protocol, flow.port, here)
        and acl_admits(acl, "egress", flow.protocol, flow.port, there)
        and all(acl_admits(acl, "ingress", flow.protocol, port, there) for port in CLIENT_PORTS)
        and all(acl_admits(acl, "egress", flow.protocol, port, here) for port in CLIENT_PORTS)
        for here in region.addresses(flow.source)
        if here.version == 4
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


@hypothesis.settings(deadline=None, max_examples=40)
@given(loaded=regions())
def test_no_group_and_no_acl_has_more_rules_than_aws_takes(loaded):
    """What the settings let through fits; what does not fit they refuse, see test_limits.py."""
    region = Region(loaded)
    for rules in region.groups.values():
        for direction in ("ingress", "egress"):
            for other in ("cidr6", "cidr4"):
                mine = [r for r in rules if r.direction == direction and r.peer_kind != other]
                assert len(mine) <= 60
    for entries in region.acls.values():
        for direction in ("ingress", "egress"):
            for version in (4, 6):
                assert sum(e.direction == direction and e.cidr.version == version for e in entries) <= 19


@hypothesis.settings(deadline=None, max_examples=40)
@given(loaded=regions(), number=st.integers(0, 10**6))
def test_names_stay_when_another_rule_is_added(loaded, number):
    """A rule more makes resources, and renames or removes none but entries that a wider one now covers."""
    data = loaded.model_dump(mode="json", by_alias=True)
    role = list(loaded.server_roles)[number % len(loaded.server_roles)]
    data["firewall"].append({"from": ["noc"], "to": [role], "protocol": "tcp", "port": 61000, "why": "more"})
    more = Region(settings.parse(data))
    before = Region(loaded)
    for owner, rules in before.groups.items():
        assert {r.key: r for r in rules}.items() <= {r.key: r for r in more.groups[owner]}.items()
    for place, entries in before.acls.items():
        numbers = {e.key: e.number for e in more.acls[place]}
        for entry in entries:
            assert entry.key in numbers or any(o.covers(entry) for o in more.acls[place]), (place, entry)


@hypothesis.settings(deadline=None, max_examples=40)
@given(loaded=regions())
def test_names_stay_when_a_role_is_added(loaded):
    data = loaded.model_dump(mode="json", by_alias=True)
    vpc = next(iter(loaded.vpcs))
    data["server_roles"]["newcomer"] = {
        "vpc": vpc,
        "tier": str(loaded.vpcs[vpc].tiers[0]),
        "count": 1,
        "instance_type": "m7i.large",
    }
    data["firewall"][0]["to"].append("newcomer")
    # What every role needs: packages, time, and the collector of journals.
    for index in (1, 2, 3):
        data["firewall"][index]["from"].append("newcomer")
    try:
        more = Region(settings.parse(data))
    except settings.SettingsError as refused:
        # A newcomer may stand so that nodes could no longer tell neighbours apart, or be one too many.
        words = ("neighbours may", "AWS takes", "too small")
        assert all(any(word in p.rule for word in words) for p in refused.problems)
        return
    for owner, rules in Region(loaded).groups.items():
        assert {r.key for r in rules} <= {r.key for r in more.groups[owner]}
