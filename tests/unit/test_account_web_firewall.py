"""AWS WAF and Shield of the emulated account against AWS's documented answers."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from edge.facts import MANAGED_GROUPS
from tests.unit.emulated_account import ACCOUNT, REGION, aws
from twin.program.aws import Clients

__all__ = ["aws"]
SEEN = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": "m"}
SCOPE = {"Scope": "REGIONAL"}


@pytest.fixture(scope="module")
def waf(aws: Clients) -> Any:
    return aws.client("wafv2")


@pytest.fixture(scope="module")
def balancer(aws: Clients) -> str:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.61.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.61.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")[
            "Subnet"
        ]
        for n, zone in enumerate("ab")
    ]
    made = aws.client("elbv2").create_load_balancer(
        Name="guarded", Subnets=[subnet["SubnetId"] for subnet in subnets], Type="application"
    )
    return str(made["LoadBalancers"][0]["LoadBalancerArn"])


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def rule(statement: dict[str, Any], priority: int = 0) -> dict[str, Any]:
    return {
        "Name": f"r{priority}",
        "Priority": priority,
        "Statement": statement,
        "Action": {"Block": {}},
        "VisibilityConfig": SEEN,
    }


def web_acl(waf: Any, rules: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    name = f"acl-{uuid.uuid4()}"
    waf.create_web_acl(
        Name=name, DefaultAction={"Allow": {}}, VisibilityConfig=SEEN, Rules=rules or [], **SCOPE
    )
    found = next(acl for acl in waf.list_web_acls(**SCOPE)["WebACLs"] if acl["Name"] == name)
    return dict(found)


def ip_set(waf: Any, *addresses: str) -> dict[str, Any]:
    made = waf.create_ip_set(
        Name=f"set-{uuid.uuid4()}", IPAddressVersion="IPV4", Addresses=list(addresses), **SCOPE
    )
    return dict(made["Summary"])


def key(found: dict[str, Any]) -> dict[str, str]:
    return {"Name": found["Name"], "Id": found["Id"], **SCOPE}


def match(found: dict[str, Any]) -> dict[str, Any]:
    return {"IPSetReferenceStatement": {"ARN": found["ARN"]}}


def test_an_update_replaces_the_rules_also_by_none(waf: Any) -> None:
    acl = web_acl(waf, [rule(match(ip_set(waf, "198.51.100.1/32")))])
    got = waf.get_web_acl(**key(acl))
    waf.update_web_acl(
        **key(acl), DefaultAction={"Block": {}}, VisibilityConfig=SEEN, Rules=[], LockToken=got["LockToken"]
    )
    after = waf.get_web_acl(**key(acl))
    assert after["WebACL"]["Rules"] == []
    assert after["WebACL"]["DefaultAction"] == {"Block": {}}
    assert after["LockToken"] != got["LockToken"]
    with pytest.raises(ClientError) as stale:
        waf.update_web_acl(
            **key(acl), DefaultAction={"Block": {}}, VisibilityConfig=SEEN, LockToken=got["LockToken"]
        )
    assert code(stale) == "WAFOptimisticLockException"


def test_capacity_is_counted_as_documented_and_bounded(waf: Any) -> None:
    both: dict[str, Any] = {
        "OrStatement": {"Statements": [match(ip_set(waf, "198.51.100.1/32")), match(ip_set(waf))]}
    }
    rate: dict[str, Any] = {"RateBasedStatement": {"Limit": 100, "AggregateKeyType": "IP"}}
    size: dict[str, Any] = {
        "SizeConstraintStatement": {
            "ComparisonOperator": "GT",
            "Size": 1,
            "FieldToMatch": {"UriPath": {}},
            "TextTransformations": [{"Priority": 0, "Type": "LOWERCASE"}],
        }
    }
    groups: list[dict[str, Any]] = [
        {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": name}} for name in sorted(MANAGED_GROUPS)
    ]
    rules = [rule(statement, n) for n, statement in enumerate([both, rate, size, *groups])]
    found = waf.get_web_acl(**key(web_acl(waf, rules)))["WebACL"]
    assert found["Capacity"] == 2 + 2 + 11 + sum(MANAGED_GROUPS.values())
    with pytest.raises(ClientError) as too_much:
        web_acl(waf, [rule(groups[2], n) for n in range(8)])  # the common group, eight times
    assert code(too_much) == "WAFLimitsExceededException"


def test_rules_name_what_exists_once_each(waf: Any) -> None:
    here = ip_set(waf, "198.51.100.1/32")
    with pytest.raises(ClientError) as twice:
        web_acl(waf, [rule(match(here)), rule(match(here))])
    assert code(twice) == "WAFInvalidParameterException"
    with pytest.raises(ClientError) as unknown:
        web_acl(waf, [rule(match({"ARN": here["ARN"] + "x"}))])
    assert code(unknown) == "WAFNonexistentItemException"


@pytest.mark.parametrize("address", ["0.0.0.0/0", "2001:db8::/48", "198.51.100.1/24", "host"])
def test_an_ip_set_takes_ranges_of_its_family_but_not_everybody(waf: Any, address: str) -> None:
    with pytest.raises(ClientError) as refused:
        ip_set(waf, address)
    assert code(refused) == "WAFInvalidParameterException"


def test_what_is_in_use_is_not_deleted(waf: Any, balancer: str) -> None:
    used = ip_set(waf, "198.51.100.1/32")
    acl = web_acl(waf, [rule(match(used))])
    waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=balancer)
    for delete, found in ((waf.delete_ip_set, used), (waf.delete_web_acl, acl)):
        with pytest.raises(ClientError) as refused:
            delete(**key(found), LockToken=found["LockToken"])
        assert code(refused) == "WAFAssociatedItemException"
    waf.disassociate_web_acl(ResourceArn=balancer)
    waf.delete_web_acl(**key(acl), LockToken=acl["LockToken"])
    waf.delete_ip_set(**key(used), LockToken=used["LockToken"])


def test_a_resource_has_one_web_acl_and_the_new_one_replaces_it(waf: Any, balancer: str) -> None:
    first, second = web_acl(waf), web_acl(waf)
    for acl in (first, second):
        waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=balancer)
    assert waf.get_web_acl_for_resource(ResourceArn=balancer)["WebACL"]["ARN"] == second["ARN"]
    assert waf.list_resources_for_web_acl(WebACLArn=first["ARN"])["ResourceArns"] == []
    assert waf.list_resources_for_web_acl(WebACLArn=second["ARN"])["ResourceArns"] == [balancer]
    with pytest.raises(ClientError) as unknown:
        waf.associate_web_acl(WebACLArn=first["ARN"], ResourceArn=balancer + "0")
    assert code(unknown) == "WAFNonexistentItemException"
    waf.disassociate_web_acl(ResourceArn=balancer)


def test_logs_go_to_a_log_group_of_the_right_name_that_exists(aws: Clients, waf: Any) -> None:
    acl, logs = web_acl(waf)["ARN"], f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:"

    def put(group: str) -> None:
        waf.put_logging_configuration(
            LoggingConfiguration={"ResourceArn": acl, "LogDestinationConfigs": [logs + group]}
        )

    for group, word in (("unit", "WAFInvalidParameterException"), ("aws-waf-logs-none", "Permission")):
        with pytest.raises(ClientError) as refused:
            put(group)
        assert word in code(refused)
    aws.client("logs").create_log_group(logGroupName="aws-waf-logs-unit")
    put("aws-waf-logs-unit")
    kept = waf.get_logging_configuration(ResourceArn=acl)["LoggingConfiguration"]
    assert kept["LogDestinationConfigs"] == [f"{logs}aws-waf-logs-unit"]


def test_logs_go_to_a_bucket_only_when_its_policy_lets_them_in(aws: Clients, waf: Any) -> None:
    acl, s3, name = web_acl(waf)["ARN"], aws.client("s3"), f"aws-waf-logs-unit-{ACCOUNT}"
    config = {"ResourceArn": acl, "LogDestinationConfigs": [f"arn:aws:s3:::{name}"]}
    with pytest.raises(ClientError) as absent:
        waf.put_logging_configuration(LoggingConfiguration=config)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    with pytest.raises(ClientError) as shut:
        waf.put_logging_configuration(LoggingConfiguration=config)
    assert {code(absent), code(shut)} == {"WAFLogDestinationPermissionIssueException"}
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"Service": "delivery.logs.amazonaws.com"},
            "Action": action,
            "Resource": f"arn:aws:s3:::{name}{path}",
        }
        for action, path in (("s3:PutObject", f"/AWSLogs/{ACCOUNT}/*"), ("s3:GetBucketAcl", ""))
    ]
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    waf.put_logging_configuration(LoggingConfiguration=config)
    kept = waf.get_logging_configuration(ResourceArn=acl)["LoggingConfiguration"]
    assert kept["LogDestinationConfigs"] == config["LogDestinationConfigs"]


def test_shield_advanced_protects_nothing_without_its_subscription(aws: Clients, balancer: str) -> None:
    shield = aws.client("shield")
    with pytest.raises(ClientError) as refused:
        shield.create_protection(Name="unit", ResourceArn=balancer)
    assert code(refused) == "ResourceNotFoundException"
    shield.create_subscription()
    made = shield.create_protection(Name="unit", ResourceArn=balancer)["ProtectionId"]
    found = shield.describe_protection(ProtectionId=made)["Protection"]
    assert found["ResourceArn"] == balancer
