"""Route 53 Resolver of the emulated account against AWS's documented answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.emulated_account import ACCOUNT, REGION, aws
from twin.program.aws import Clients

__all__ = ["aws"]


@pytest.fixture(scope="module")
def resolver(aws: Clients) -> Any:
    return aws.client("route53resolver")


@pytest.fixture
def vpc(aws: Clients) -> str:
    return str(aws.client("ec2").create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"])


@pytest.fixture
def group(resolver: Any) -> str:
    return str(resolver.create_firewall_rule_group(Name="garden")["FirewallRuleGroup"]["Id"])


@pytest.fixture
def domains(resolver: Any) -> str:
    made = resolver.create_firewall_domain_list(Name="allowed", Tags=[{"Key": "Name", "Value": "a"}])
    return str(made["FirewallDomainList"]["Id"])


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_domain_list_keeps_its_names_as_a_name_server_spells_them(resolver: Any, domains: str) -> None:
    known = {"FirewallDomainListId": domains}
    resolver.update_firewall_domains(**known, Operation="REPLACE", Domains=["kms.example.com", "*"])
    assert resolver.list_firewall_domains(**known)["Domains"] == ["kms.example.com.", "*."]
    resolver.update_firewall_domains(**known, Operation="ADD", Domains=["b.example.com."])
    resolver.update_firewall_domains(**known, Operation="REMOVE", Domains=["*."])
    assert resolver.list_firewall_domains(**known)["Domains"] == ["kms.example.com.", "b.example.com."]
    described = resolver.get_firewall_domain_list(**known)["FirewallDomainList"]
    assert described["DomainCount"] == 2
    assert described["Arn"] == f"arn:aws:route53resolver:{REGION}:{ACCOUNT}:firewall-domain-list/{domains}"
    assert "Domains" not in described


def test_tags_of_a_domain_list_are_kept_and_changed(resolver: Any, domains: str) -> None:
    arn = resolver.get_firewall_domain_list(FirewallDomainListId=domains)["FirewallDomainList"]["Arn"]
    assert resolver.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "Name", "Value": "a"}]
    resolver.untag_resource(ResourceArn=arn, TagKeys=["Name"])
    resolver.tag_resource(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "b"}])
    assert resolver.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "owner", "Value": "b"}]
    with pytest.raises(ClientError):
        resolver.list_tags_for_resource(ResourceArn=f"{arn}x")


def test_rules_come_in_the_order_of_their_priority_and_are_checked(
    resolver: Any, group: str, domains: str
) -> None:
    everything = resolver.create_firewall_domain_list(Name="everything")["FirewallDomainList"]["Id"]
    block = {"FirewallRuleGroupId": group, "FirewallDomainListId": everything, "Priority": 200}
    with pytest.raises(ClientError) as refused:
        resolver.create_firewall_rule(**block, Action="BLOCK", Name="block")
    assert code(refused) == "ValidationException"
    resolver.create_firewall_rule(**block, Action="BLOCK", BlockResponse="NXDOMAIN", Name="block")
    allow = {"FirewallRuleGroupId": group, "FirewallDomainListId": domains, "Action": "ALLOW"}
    with pytest.raises(ClientError):
        resolver.create_firewall_rule(**allow, Priority=200, Name="same-priority")
    resolver.create_firewall_rule(**allow, Priority=100, Name="allow")
    rules = resolver.list_firewall_rules(FirewallRuleGroupId=group)["FirewallRules"]
    assert [(rule["Name"], rule["Action"]) for rule in rules] == [("allow", "ALLOW"), ("block", "BLOCK")]
    assert rules[0]["FirewallDomainRedirectionAction"] == "INSPECT_REDIRECTION_DOMAIN"
    for inner in (
        lambda: resolver.delete_firewall_domain_list(FirewallDomainListId=domains),
        lambda: resolver.delete_firewall_rule_group(FirewallRuleGroupId=group),
    ):
        with pytest.raises(ClientError) as in_use:
            inner()
        assert code(in_use) == "ConflictException"
    for listed in (domains, everything):
        resolver.delete_firewall_rule(FirewallRuleGroupId=group, FirewallDomainListId=listed)
        resolver.delete_firewall_domain_list(FirewallDomainListId=listed)
    resolver.delete_firewall_rule_group(FirewallRuleGroupId=group)
    with pytest.raises(ClientError) as gone:
        resolver.get_firewall_rule_group(FirewallRuleGroupId=group)
    assert code(gone) == "ResourceNotFoundException"


def test_a_protected_association_can_neither_be_changed_nor_removed(
    resolver: Any, group: str, vpc: str
) -> None:
    asked = {"FirewallRuleGroupId": group, "VpcId": vpc, "Name": "v"}
    with pytest.raises(ClientError):
        resolver.associate_firewall_rule_group(**asked, Priority=100)
    made = resolver.associate_firewall_rule_group(**asked, Priority=101, MutationProtection="ENABLED")
    known = {"FirewallRuleGroupAssociationId": made["FirewallRuleGroupAssociation"]["Id"]}
    with pytest.raises(ClientError) as again:
        resolver.associate_firewall_rule_group(**asked, Priority=102)
    with pytest.raises(ClientError) as changed:
        resolver.update_firewall_rule_group_association(**known, Priority=300)
    with pytest.raises(ClientError) as removed:
        resolver.disassociate_firewall_rule_group(**known)
    assert {code(error) for error in (again, changed, removed)} == {"ConflictException"}
    resolver.update_firewall_rule_group_association(**known, MutationProtection="DISABLED")
    resolver.disassociate_firewall_rule_group(**known)
    assert resolver.list_firewall_rule_group_associations(VpcId=vpc)["FirewallRuleGroupAssociations"] == []


def test_a_vpc_fails_closed_until_somebody_opens_it(resolver: Any, vpc: str) -> None:
    assert resolver.get_firewall_config(ResourceId=vpc)["FirewallConfig"]["FirewallFailOpen"] == "DISABLED"
    resolver.update_firewall_config(ResourceId=vpc, FirewallFailOpen="ENABLED")
    configs = resolver.list_firewall_configs()["FirewallConfigs"]
    assert [c["FirewallFailOpen"] for c in configs if c["ResourceId"] == vpc] == ["ENABLED"]
    with pytest.raises(ClientError) as missing:
        resolver.get_firewall_config(ResourceId="vpc-0000")
    assert code(missing) == "ResourceNotFoundException"


def test_query_logging_works_only_where_the_delivery_may_write(aws: Clients, resolver: Any, vpc: str) -> None:
    logs, name = aws.client("logs"), "/aws/vendedlogs/unit/dns"
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}"
    made = resolver.create_resolver_query_log_config(Name="dns", DestinationArn=arn)["ResolverQueryLogConfig"]
    association = resolver.associate_resolver_query_log_config(
        ResolverQueryLogConfigId=made["Id"], ResourceId=vpc
    )["ResolverQueryLogConfigAssociation"]

    def state() -> tuple[str, str]:
        found = resolver.get_resolver_query_log_config_association(
            ResolverQueryLogConfigAssociationId=association["Id"]
        )["ResolverQueryLogConfigAssociation"]
        return found["Status"], found["Error"]

    assert state() == ("FAILED", "DESTINATION_NOT_FOUND")
    logs.create_log_group(logGroupName=name)
    assert state() == ("FAILED", "ACCESS_DENIED")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "delivery.logs.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"{arn}:log-stream:*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    logs.put_resource_policy(policyName="delivery", policyDocument=document)
    assert state() == ("ACTIVE", "NONE")
    with pytest.raises(ClientError) as in_use:
        resolver.delete_resolver_query_log_config(ResolverQueryLogConfigId=made["Id"])
    assert code(in_use) == "InvalidRequestException"
    resolver.disassociate_resolver_query_log_config(ResolverQueryLogConfigId=made["Id"], ResourceId=vpc)
    resolver.delete_resolver_query_log_config(ResolverQueryLogConfigId=made["Id"])
    assert resolver.list_resolver_query_log_configs()["ResolverQueryLogConfigs"] == []
