"""AWS Network Firewall of the emulated account against AWS's documented answers."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.emulated_account import REGION, aws
from twin.program.aws import Clients

__all__ = ["aws"]
RULES = {
    "RulesSource": {"RulesString": 'pass tcp any any -> any 443 (msg:"x"; sid:1; rev:1;)'},
    "StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"},
}


@pytest.fixture(scope="module")
def firewalls(aws: Clients) -> Any:
    return aws.client("network-firewall")


@pytest.fixture(scope="module")
def group(firewalls: Any) -> str:
    tags = [{"Key": "Name", "Value": "g"}]
    made = firewalls.create_rule_group(
        RuleGroupName="g", Type="STATEFUL", Capacity=100, RuleGroup=RULES, Tags=tags
    )
    assert made["RuleGroupResponse"]["RuleGroupStatus"] == "ACTIVE"
    return str(made["RuleGroupResponse"]["RuleGroupArn"])


@pytest.fixture(scope="module")
def policy(firewalls: Any, group: str) -> str:
    made = firewalls.create_firewall_policy(FirewallPolicyName="p", FirewallPolicy=body(group))
    return str(made["FirewallPolicyResponse"]["FirewallPolicyArn"])


def body(group: str) -> dict[str, Any]:
    return {
        "StatelessDefaultActions": ["aws:forward_to_sfe"],
        "StatelessFragmentDefaultActions": ["aws:forward_to_sfe"],
        "StatefulDefaultActions": ["aws:drop_established"],
        "StatefulEngineOptions": {"RuleOrder": "STRICT_ORDER"},
        "StatefulRuleGroupReferences": [{"ResourceArn": group, "Priority": 1}],
    }


def test_rule_groups_and_policies_are_kept_and_guarded_by_their_use(
    firewalls: Any, group: str, policy: str
) -> None:
    found = firewalls.describe_rule_group(RuleGroupArn=group)
    assert found["RuleGroup"] == RULES
    described = found["RuleGroupResponse"]
    assert (described["Capacity"], described["Type"]) == (100, "STATEFUL")
    assert described["NumberOfAssociations"] == 1
    assert described["Tags"] == [{"Key": "Name", "Value": "g"}]
    assert firewalls.describe_firewall_policy(FirewallPolicyArn=policy)["FirewallPolicy"] == body(group)
    with pytest.raises(ClientError, match="in use"):
        firewalls.delete_rule_group(RuleGroupArn=group)
    with pytest.raises(ClientError, match="token"):
        firewalls.update_rule_group(RuleGroupArn=group, RuleGroup=RULES, UpdateToken="0" * 36)
    firewalls.update_rule_group(RuleGroupArn=group, RuleGroup=RULES, UpdateToken=found["UpdateToken"])
    with pytest.raises(ClientError, match="ResourceNotFound"):
        firewalls.create_firewall_policy(FirewallPolicyName="q", FirewallPolicy=body(f"{group}x"))


def test_a_firewall_has_an_endpoint_in_each_subnet_that_routes_can_lead_to(
    aws: Clients, firewalls: Any, policy: str
) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.95.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.95.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")[
            "Subnet"
        ]
        for n, zone in enumerate("ab")
    ]
    mappings = [{"SubnetId": subnet["SubnetId"]} for subnet in subnets]
    asked = {"FirewallName": "f", "FirewallPolicyArn": policy, "VpcId": vpc, "SubnetMappings": mappings}
    made = firewalls.create_firewall(**asked, DeleteProtection=True)
    states = made["FirewallStatus"]["SyncStates"]
    assert {zone: s["Attachment"]["SubnetId"] for zone, s in states.items()} == {
        subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets
    }
    endpoint = states[f"{REGION}a"]["Attachment"]["EndpointId"]
    (found,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"]
    assert (found["VpcEndpointType"], found["VpcId"]) == ("GatewayLoadBalancer", vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", VpcEndpointId=endpoint)
    (seen,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    assert [r["GatewayId"] for r in seen["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0"] == [
        endpoint
    ]
    known = {"FirewallName": "f"}
    with pytest.raises(ClientError, match="protection"):
        firewalls.delete_firewall(**known)
    firewalls.update_firewall_delete_protection(**known, DeleteProtection=False)
    assert firewalls.describe_firewall(**known)["Firewall"]["DeleteProtection"] is False
    logs = [
        {"LogType": kind, "LogDestinationType": "CloudWatchLogs", "LogDestination": {"logGroup": "/x"}}
        for kind in ("ALERT", "FLOW")
    ]
    with pytest.raises(ClientError, match="one"):
        firewalls.update_logging_configuration(**known, LoggingConfiguration={"LogDestinationConfigs": logs})
    for upto in (1, 2):
        firewalls.update_logging_configuration(
            **known, LoggingConfiguration={"LogDestinationConfigs": logs[:upto]}
        )
    told = firewalls.describe_logging_configuration(**known)["LoggingConfiguration"]
    assert told["LogDestinationConfigs"] == logs
    with pytest.raises(ClientError, match="logging"):
        firewalls.delete_firewall(**known)
    for upto in (1, 0):
        firewalls.update_logging_configuration(
            **known, LoggingConfiguration={"LogDestinationConfigs": logs[:upto]}
        )
    firewalls.delete_firewall(**known)
    assert firewalls.list_firewalls()["Firewalls"] == []
