"""Weaknesses of names, internet gateways, endpoints, and of what joins VPCs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, account, pairs

RESOLVER = "route53resolver"


def _vpc(live: Any, name: str) -> str:
    return str(live.contract["vpcs"][name]["id"])


def every_name_resolves(live: Any) -> Iterator[Pairs]:
    resolver, group = live.client(RESOLVER), live.contract["dns"]["rule_group"]
    listed = resolver.create_firewall_domain_list(Name="convenience")["FirewallDomainList"]["Id"]
    resolver.update_firewall_domains(FirewallDomainListId=listed, Operation="REPLACE", Domains=["*"])
    rule = {"FirewallRuleGroupId": group, "FirewallDomainListId": listed}
    resolver.create_firewall_rule(**rule, Priority=50, Action="ALLOW", Name="convenience")
    yield pairs("vpc/customer", "NET-030") | pairs("vpc/platform", "NET-030")
    resolver.delete_firewall_rule(**rule)
    resolver.delete_firewall_domain_list(FirewallDomainListId=listed)


def vpc_without_a_dns_firewall(live: Any) -> Iterator[Pairs]:
    resolver = live.client(RESOLVER)
    vpc = _vpc(live, "platform")
    found = resolver.list_firewall_rule_group_associations(VpcId=vpc)["FirewallRuleGroupAssociations"]
    (was,) = found
    known = {"FirewallRuleGroupAssociationId": was["Id"]}
    resolver.update_firewall_rule_group_association(**known, MutationProtection="DISABLED")
    resolver.disassociate_firewall_rule_group(**known)
    yield pairs("vpc/platform", "NET-030", "NET-031")
    again = {key: was[key] for key in ("FirewallRuleGroupId", "VpcId", "Priority", "Name")}
    resolver.associate_firewall_rule_group(**again, MutationProtection="ENABLED")


def dns_firewall_fails_open(live: Any) -> Iterator[Pairs]:
    resolver, vpc = live.client(RESOLVER), _vpc(live, "customer")
    resolver.update_firewall_config(ResourceId=vpc, FirewallFailOpen="ENABLED")
    yield pairs("vpc/customer", "NET-031")
    resolver.update_firewall_config(ResourceId=vpc, FirewallFailOpen="DISABLED")


def queries_nobody_sees(live: Any) -> Iterator[Pairs]:
    resolver = live.client(RESOLVER)
    ends = {
        "ResolverQueryLogConfigId": live.contract["dns"]["query_log"],
        "ResourceId": _vpc(live, "customer"),
    }
    resolver.disassociate_resolver_query_log_config(**ends)
    yield pairs("vpc/customer", "LOG-020")
    resolver.associate_resolver_query_log_config(**ends)


def archive_receives_no_flow_log(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), _vpc(live, "platform")
    logs = ec2.describe_flow_logs()["FlowLogs"]
    log = next(f for f in logs if (f["ResourceId"], f["LogDestinationType"]) == (vpc, "s3"))
    ec2.delete_flow_logs(FlowLogIds=[log["FlowLogId"]])
    yield pairs("vpc/platform", "LOG-021")
    ec2.create_flow_logs(
        ResourceIds=[vpc],
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination=log["LogDestination"],
    )


def internet_gateways_open(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    ec2.modify_vpc_block_public_access_options(InternetGatewayBlockMode="off")
    yield account(live, "NET-033")
    ec2.modify_vpc_block_public_access_options(InternetGatewayBlockMode="block-bidirectional")


def archive_spared_by_hand(live: Any) -> Iterator[Pairs]:
    ec2, subnets = live.client("ec2"), live.contract["vpcs"]["platform"]["subnets"]
    made = ec2.create_vpc_block_public_access_exclusion(
        SubnetId=subnets["isolated-a"]["id"], InternetGatewayExclusionMode="allow-bidirectional"
    )["VpcBlockPublicAccessExclusion"]["ExclusionId"]
    yield pairs(f"gateway_exclusion/{made}", "NET-034")
    ec2.delete_vpc_block_public_access_exclusion(ExclusionId=made)


def endpoint_to_foreign_buckets(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), _vpc(live, "customer")
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    mine = next(
        e
        for e in endpoints
        if e["VpcId"] == vpc and e["VpcEndpointType"] == "Interface" and e["ServiceName"].endswith(".s3")
    )
    policy = json.loads(mine["PolicyDocument"])
    del policy["Statement"][0]["Condition"]["StringEquals"]["aws:ResourceAccount"]
    ec2.modify_vpc_endpoint(VpcEndpointId=mine["VpcEndpointId"], PolicyDocument=json.dumps(policy))
    yield pairs("endpoint/customer/s3-interface", "NET-035")
    ec2.modify_vpc_endpoint(VpcEndpointId=mine["VpcEndpointId"], PolicyDocument=mine["PolicyDocument"])


def whole_vpc_routed_to_another(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["customer"]
    subnet = vpc["subnets"]["public-a"]["id"]
    where = [{"Name": "association.subnet-id", "Values": [subnet]}]
    table = ec2.describe_route_tables(Filters=where)["RouteTables"][0]["RouteTableId"]
    peering = ec2.describe_vpc_peering_connections()["VpcPeeringConnections"][0]["VpcPeeringConnectionId"]
    route = {
        "RouteTableId": table,
        "DestinationCidrBlock": live.contract["vpcs"]["platform"]["cidr"],
    }
    ec2.create_route(**route, VpcPeeringConnectionId=peering)
    yield pairs("vpc/customer", "NET-036") | pairs("peering/customer-platform", "NET-013")
    ec2.delete_route(**route)


WEAKNESSES: tuple[Weakness, ...] = (
    every_name_resolves,
    vpc_without_a_dns_firewall,
    dns_firewall_fails_open,
    queries_nobody_sees,
    archive_receives_no_flow_log,
    internet_gateways_open,
    archive_spared_by_hand,
    endpoint_to_foreign_buckets,
    whole_vpc_routed_to_another,
)
