"""Security groups say what the firewall intent says, no more and no less: rows D2 and M6."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from settings.calendar import today
from verify import egress, firewall
from verify.account import Account
from verify.paths import ANYWHERE
from verify.subjects import Resource

Region = dict[str, Any]
Find = Callable[[str], list[Resource]]


def _owner(group: Resource) -> tuple[str, str] | None:
    """Kind and name of the server role or load balancer that the contract gives this group to."""
    return (group.expected["kind"], group.expected["name"]) if group.expected else None


@pytest.mark.control("STK-SGR-001")
def test_only_what_the_intent_opens_is_open_to_the_internet(security_group: Resource, region: Region) -> None:
    allowed = firewall.internet_ports(region, _owner(security_group))
    for rule in firewall.actual(security_group):
        if rule.direction == "ingress" and rule.peer in ANYWHERE:
            assert rule.low == rule.high and (rule.protocol, rule.low) in allowed, (
                f"{rule}: not in the intent"
            )


@pytest.mark.control("STK-SGR-009")
def test_who_comes_in_by_address_is_a_site_or_a_source_bound_today(
    security_group: Resource, region: Region
) -> None:
    """What is open to everybody is STK-SGR-001's, and the web firewall's where there is one."""
    known = [ip_network(cidr) for cidr in firewall.stated_ranges(region, today())]
    accepted = firewall.internet_ports(region, _owner(security_group))
    strangers = []
    for rule in (r for r in firewall.actual(security_group) if r.direction == "ingress" and "/" in r.peer):
        peer: Any = ip_network(rule.peer)
        everybody = rule.peer in ANYWHERE and (rule.protocol, rule.low) in accepted
        same = [other for other in known if other.version == peer.version]
        if not everybody and not any(peer.subnet_of(other) for other in same):
            strangers.append(str(rule))
    assert not strangers, f"neither a site's range nor bound today: {', '.join(sorted(strangers))}"


@pytest.mark.control("STK-SGR-002")
def test_administration_comes_from_the_noc_and_the_service_centres_only(
    security_group: Resource, region: Region
) -> None:
    trusted = firewall.administration_ranges(region)
    for rule in firewall.actual(security_group):
        reaches_ssh = rule.protocol in ("-1", "tcp", "6") and (rule.low == -1 or rule.low <= 22 <= rule.high)
        if rule.direction == "ingress" and reaches_ssh:
            assert rule.peer in trusted, f"{rule}: port 22 is for {', '.join(sorted(trusted))} only"


@pytest.mark.control("STK-SGR-003")
def test_who_may_come_in_is_exactly_the_intent(
    security_group: Resource, region: Region, resources: Find
) -> None:
    _compare(security_group, region, resources, "ingress")


@pytest.mark.control("STK-SGR-004")
def test_where_nodes_may_go_is_exactly_the_intent(
    security_group: Resource, region: Region, resources: Find
) -> None:
    _compare(security_group, region, resources, "egress")


def _compare(group: Resource, region: Region, resources: Find, direction: str) -> None:
    doors = firewall.endpoint_groups(region, resources("endpoint"))
    if owner := _owner(group):
        wanted = firewall.intended(region, owner, doors)
    else:
        vpc = next((name for name, ids in doors.items() if group["GroupId"] in ids), None)
        assert vpc is not None, (
            f"group {group['GroupName']} belongs to no server role, load balancer or endpoint"
        )
        wanted = firewall.intended_for_endpoints(region, vpc)
    found = {str(rule) for rule in firewall.actual(group) if rule.direction == direction}
    intent = {str(rule) for rule in wanted if rule.direction == direction}
    assert not found - intent, f"open without being in the intent: {sorted(found - intent)}"
    assert not intent - found, f"in the intent and missing: {sorted(intent - found)}"


@pytest.mark.control("STK-SGR-005")
def test_nothing_may_go_everywhere_unless_the_intent_says_so(
    security_group: Resource, region: Region
) -> None:
    declared = egress.calls(region, _owner(security_group))
    for rule in firewall.actual(security_group):
        if rule.direction != "egress" or not egress.everybody(rule.peer):
            continue
        assert rule.low == rule.high and (rule.protocol, rule.low) in declared, (
            f"{rule}: data can leave to anybody"
        )


@pytest.mark.control("STK-SGR-006")
def test_every_rule_says_why_it_exists(security_group: Resource, aws: Account) -> None:
    rules = aws.need("ec2", "describe_security_group_rules")["SecurityGroupRules"]
    mine = [rule for rule in rules if rule["GroupId"] == security_group["GroupId"]]
    silent = [rule["SecurityGroupRuleId"] for rule in mine if not rule.get("Description", "").strip()]
    assert not silent, f"no reason given for {', '.join(silent)}"
    assert security_group["Description"].strip(), "the group has no description"


@pytest.mark.control("STK-SGR-007")
def test_no_security_group_lies_around_unused(security_group: Resource, aws: Account) -> None:
    interfaces = aws.need("ec2", "describe_network_interfaces")["NetworkInterfaces"]
    used = {group["GroupId"] for interface in interfaces for group in interface["Groups"]}
    endpoints = aws.need("ec2", "describe_vpc_endpoints")["VpcEndpoints"]
    used |= {group["GroupId"] for endpoint in endpoints for group in endpoint.get("Groups", [])}
    balancers = aws.need("elbv2", "describe_load_balancers")["LoadBalancers"]
    used |= {ident for balancer in balancers for ident in balancer.get("SecurityGroups", [])}
    assert security_group["GroupId"] in used, "attached to nothing: the next one to use it inherits its rules"


@pytest.mark.control("STK-SGR-008")
def test_no_rule_opens_every_port_or_protocol(security_group: Resource) -> None:
    for rule in firewall.actual(security_group):
        assert rule.protocol != "-1", f"{rule}: every protocol"
        assert rule.high - rule.low < 1024 and rule.low != -1, f"{rule}: a range this wide is no decision"
