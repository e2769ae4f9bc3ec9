"""Weaknesses of load balancers and their web firewalls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, pairs

FRONT, ACL = "load_balancer/front", "web_acl/front"
SEEN = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": "easy"}


def _front(live: Any) -> dict[str, Any]:
    return dict(live.contract["load_balancers"]["front"])


def _listener(live: Any, port: int) -> dict[str, Any]:
    found = live.client("elbv2").describe_listeners(LoadBalancerArn=_front(live)["arn"])["Listeners"]
    return dict(next(listener for listener in found if listener["Port"] == port))


def _switch(live: Any, key: str, value: str) -> None:
    live.client("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=_front(live)["arn"], Attributes=[{"Key": key, "Value": value}]
    )


def _change_acl(live: Any, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Change the web ACL; gives back what it was."""
    waf, arn = live.client("wafv2"), _front(live)["web_acl"]["arn"]
    key = {"Name": arn.split("/")[-2], "Id": arn.split("/")[-1], "Scope": "REGIONAL"}
    answer = waf.get_web_acl(**key)
    stated = {part: answer["WebACL"][part] for part in ("DefaultAction", "Rules", "VisibilityConfig")}
    changed = {**stated, "Rules": [dict(rule) for rule in stated["Rules"]]}
    change(changed)
    waf.update_web_acl(**key, **changed, LockToken=answer["LockToken"])
    return stated


def _rule(stated: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(rule for rule in stated["Rules"] if rule["Name"] == name)
    return found


def port_80_serves(live: Any) -> Iterator[Pairs]:
    elb, clear = live.client("elbv2"), _listener(live, 80)
    (group,) = _front(live)["target_groups"].values()
    serve = [{"Type": "forward", "TargetGroupArn": group["arn"]}]
    elb.modify_listener(ListenerArn=clear["ListenerArn"], DefaultActions=serve)
    yield pairs(FRONT, "EDG-001")
    elb.modify_listener(ListenerArn=clear["ListenerArn"], DefaultActions=clear["DefaultActions"])


def old_tls_policy(live: Any) -> Iterator[Pairs]:
    elb, tls = live.client("elbv2"), _listener(live, 443)
    elb.modify_listener(ListenerArn=tls["ListenerArn"], SslPolicy="ELBSecurityPolicy-2016-08")
    yield pairs(FRONT, "EDG-002")
    elb.modify_listener(ListenerArn=tls["ListenerArn"], SslPolicy=tls["SslPolicy"])


def certificate_with_a_weak_key(live: Any) -> Iterator[Pairs]:
    elb, acm, tls = live.client("elbv2"), live.client("acm"), _listener(live, 443)
    hosts = _front(live)["hosts"]
    weak = acm.request_certificate(DomainName=hosts[0], KeyAlgorithm="RSA_2048")["CertificateArn"]
    elb.modify_listener(ListenerArn=tls["ListenerArn"], Certificates=[{"CertificateArn": weak}])
    yield pairs(FRONT, "EDG-003")
    elb.modify_listener(ListenerArn=tls["ListenerArn"], Certificates=tls["Certificates"])
    acm.delete_certificate(CertificateArn=weak)


def another_port_answers(live: Any) -> Iterator[Pairs]:
    elb, tls = live.client("elbv2"), _listener(live, 443)
    parts = ("SslPolicy", "Certificates", "DefaultActions", "Protocol")
    copy = {part: tls[part] for part in parts}
    made = elb.create_listener(LoadBalancerArn=_front(live)["arn"], Port=8443, **copy)["Listeners"][0]
    yield pairs(FRONT, "EDG-004")
    elb.delete_listener(ListenerArn=made["ListenerArn"])


def firewall_taken_away(live: Any) -> Iterator[Pairs]:
    waf, front = live.client("wafv2"), _front(live)
    waf.disassociate_web_acl(ResourceArn=front["arn"])
    yield pairs(FRONT, "EDG-005")
    waf.associate_web_acl(WebACLArn=front["web_acl"]["arn"], ResourceArn=front["arn"])


def connections_not_logged(live: Any) -> Iterator[Pairs]:
    _switch(live, "connection_logs.s3.enabled", "false")
    yield pairs(FRONT, "EDG-006")
    _switch(live, "connection_logs.s3.enabled", "true")


def invalid_headers_pass(live: Any) -> Iterator[Pairs]:
    _switch(live, "routing.http.drop_invalid_header_fields.enabled", "false")
    yield pairs(FRONT, "EDG-007")
    _switch(live, "routing.http.drop_invalid_header_fields.enabled", "true")


def a_zone_is_not_served(live: Any) -> Iterator[Pairs]:
    elb, arn = live.client("elbv2"), _front(live)["arn"]
    (found,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    every = [place["SubnetId"] for place in found["AvailabilityZones"]]
    elb.set_subnets(LoadBalancerArn=arn, Subnets=every[:2])
    yield pairs(FRONT, "EDG-016")
    elb.set_subnets(LoadBalancerArn=arn, Subnets=every)


def every_host_is_answered(live: Any) -> Iterator[Pairs]:
    elb, tls = live.client("elbv2"), _listener(live, 443)
    (group,) = _front(live)["target_groups"].values()
    serve = [{"Type": "forward", "TargetGroupArn": group["arn"]}]
    elb.modify_listener(ListenerArn=tls["ListenerArn"], DefaultActions=serve)
    yield pairs(FRONT, "EDG-008")
    elb.modify_listener(ListenerArn=tls["ListenerArn"], DefaultActions=tls["DefaultActions"])


def another_roles_node_behind_it(live: Any) -> Iterator[Pairs]:
    elb = live.client("elbv2")
    (group,) = _front(live)["target_groups"].values()
    node = next(node for node in live.contract["nodes"] if node["role"] == "edge")
    target = [{"Id": node["instance_id"]}]
    elb.register_targets(TargetGroupArn=group["arn"], Targets=target)
    yield pairs(FRONT, "EDG-009")
    elb.deregister_targets(TargetGroupArn=group["arn"], Targets=target)


def injections_are_counted(live: Any) -> Iterator[Pairs]:
    def count(stated: dict[str, Any]) -> None:
        _rule(stated, "aws-sqli")["OverrideAction"] = {"Count": {}}

    before = _change_acl(live, count)
    yield pairs(ACL, "EDG-010")
    _change_acl(live, lambda stated: stated.update(before))


def rate_is_generous(live: Any) -> Iterator[Pairs]:
    def more(stated: dict[str, Any]) -> None:
        rate = _rule(stated, "rate")
        rate["Statement"] = {"RateBasedStatement": {"Limit": 1_000_000, "AggregateKeyType": "IP"}}

    before = _change_acl(live, more)
    yield pairs(ACL, "EDG-011")
    _change_acl(live, lambda stated: stated.update(before))


def hostile_ranges_come_second(live: Any) -> Iterator[Pairs]:
    def later(stated: dict[str, Any]) -> None:
        first, second = _rule(stated, "hostile"), _rule(stated, "aws-knownbadinputs")
        first["Priority"], second["Priority"] = second["Priority"], first["Priority"]

    before = _change_acl(live, later)
    yield pairs(ACL, "EDG-012")
    _change_acl(live, lambda stated: stated.update(before))


def source_admitted_without_a_change(live: Any) -> Iterator[Pairs]:
    waf = live.client("wafv2")
    listed = waf.list_ip_sets(Scope="REGIONAL")["IPSets"]
    found = next(found for found in listed if found["Name"].endswith("acme-bank-v4"))
    key = {"Name": found["Name"], "Id": found["Id"], "Scope": "REGIONAL"}
    before = waf.get_ip_set(**key)
    addresses = before["IPSet"]["Addresses"]
    waf.update_ip_set(**key, Addresses=[*addresses, "192.0.2.77/32"], LockToken=before["LockToken"])
    yield pairs(ACL, "EDG-013")
    waf.update_ip_set(**key, Addresses=addresses, LockToken=waf.get_ip_set(**key)["LockToken"])


def binding_ended_and_nobody_ran_the_program(live: Any) -> Iterator[Pairs]:
    source = live.contract["customers"]["surya-insurance"]["sources"]["data-centre"]
    until, source["until"] = source["until"], "2026-01-31"
    # The same binding opens the load balancer and what takes uploads beside it.
    yield pairs(ACL, "EDG-013") | pairs("security_group/edge", "SGR-009")
    source["until"] = until


def everybody_admitted(live: Any) -> Iterator[Pairs]:
    def allow(stated: dict[str, Any]) -> None:
        stated["DefaultAction"] = {"Allow": {}}

    before = _change_acl(live, allow)
    yield pairs(ACL, "EDG-013")
    _change_acl(live, lambda stated: stated.update(before))


def firewall_log_shows_cookies(live: Any) -> Iterator[Pairs]:
    waf, arn = live.client("wafv2"), _front(live)["web_acl"]["arn"]
    before = waf.get_logging_configuration(ResourceArn=arn)["LoggingConfiguration"]
    stated = {part: before[part] for part in ("ResourceArn", "LogDestinationConfigs")}
    waf.put_logging_configuration(LoggingConfiguration=stated)
    yield pairs(ACL, "EDG-014")
    waf.put_logging_configuration(LoggingConfiguration=stated | {"RedactedFields": before["RedactedFields"]})


def firewall_logs_where_it_can_be_erased(live: Any) -> Iterator[Pairs]:
    waf, logs, arn = live.client("wafv2"), live.client("logs"), _front(live)["web_acl"]["arn"]
    before = waf.get_logging_configuration(ResourceArn=arn)["LoggingConfiguration"]
    stated = {part: before[part] for part in ("ResourceArn", "RedactedFields") if part in before}
    place = f"arn:aws:logs:{live.contract['region']}:{live.contract['account']}:log-group:aws-waf-logs-short"
    key = {"kmsKeyId": live.contract["keys"]["logs"], "tags": {"stockade:stack": live.contract["stack"]}}
    logs.create_log_group(logGroupName="aws-waf-logs-short", **key)
    logs.put_retention_policy(logGroupName="aws-waf-logs-short", retentionInDays=400)
    waf.put_logging_configuration(LoggingConfiguration=stated | {"LogDestinationConfigs": [place]})
    yield pairs(ACL, "EDG-014")
    old = {"LogDestinationConfigs": before["LogDestinationConfigs"]}
    waf.put_logging_configuration(LoggingConfiguration=stated | old)
    logs.delete_log_group(logGroupName="aws-waf-logs-short")


def firewall_log_not_archived(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["delivery"]["name"], live.client("s3")
    config = s3.get_bucket_replication(Bucket=name)["ReplicationConfiguration"]
    s3.delete_bucket_replication(Bucket=name)
    yield pairs(ACL, "EDG-014") | pairs("bucket/delivery", "BKT-020")
    s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=config)


def managed_rules_removed(live: Any) -> Iterator[Pairs]:
    def without(stated: dict[str, Any]) -> None:
        stated["Rules"] = [rule for rule in stated["Rules"] if rule["Name"] != "aws-common"]

    before = _change_acl(live, without)
    yield pairs(ACL, "EDG-015")
    _change_acl(live, lambda stated: stated.update(before))


def load_balancer_by_hand(live: Any) -> Iterator[Pairs]:
    elb, vpc = live.client("elbv2"), live.contract["vpcs"]["customer"]
    subnets = [subnet["id"] for subnet in vpc["subnets"].values() if subnet["tier"] == "public"]
    made = elb.create_load_balancer(Name="somebodys", Subnets=subnets, Type="application")["LoadBalancers"][0]
    group = elb.create_target_group(Name="somebodys", Protocol="HTTP", Port=8080, VpcId=vpc["id"])
    target = group["TargetGroups"][0]["TargetGroupArn"]
    serve = [{"Type": "forward", "TargetGroupArn": target}]
    listener = elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"], Port=80, Protocol="HTTP", DefaultActions=serve
    )["Listeners"][0]
    yield pairs("load_balancer/somebodys", *(f"EDG-{n}" for n in ("001", "004", "005", "006", "007", "009")))
    elb.delete_listener(ListenerArn=listener["ListenerArn"])
    elb.delete_target_group(TargetGroupArn=target)
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


def web_acl_by_hand(live: Any) -> Iterator[Pairs]:
    waf = live.client("wafv2")
    made = waf.create_web_acl(
        Name="easy", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=SEEN, Rules=[]
    )["Summary"]
    numbers = ("010", "011", "012", "013", "014", "015")
    yield pairs("web_acl/easy", *(f"EDG-{n}" for n in numbers))
    waf.delete_web_acl(Name="easy", Scope="REGIONAL", Id=made["Id"], LockToken=made["LockToken"])


def blocked_rates_are_not_counted_and_requests_are_shown(live: Any) -> Iterator[Pairs]:
    def unseen(stated: dict[str, Any]) -> None:
        rate = _rule(stated, "rate")
        rate["VisibilityConfig"] = {
            **rate["VisibilityConfig"],
            "CloudWatchMetricsEnabled": False,
            "SampledRequestsEnabled": True,
        }

    before = _change_acl(live, unseen)
    yield pairs(ACL, "EDG-017")
    _change_acl(live, lambda stated: stated.update(before))


WEAKNESSES: tuple[Weakness, ...] = (
    port_80_serves,
    old_tls_policy,
    certificate_with_a_weak_key,
    another_port_answers,
    firewall_taken_away,
    connections_not_logged,
    invalid_headers_pass,
    a_zone_is_not_served,
    every_host_is_answered,
    another_roles_node_behind_it,
    injections_are_counted,
    rate_is_generous,
    hostile_ranges_come_second,
    source_admitted_without_a_change,
    firewall_log_shows_cookies,
    firewall_logs_where_it_can_be_erased,
    firewall_log_not_archived,
    managed_rules_removed,
    load_balancer_by_hand,
    web_acl_by_hand,
    binding_ended_and_nobody_ran_the_program,
    everybody_admitted,
    blocked_rates_are_not_counted_and_requests_are_shown,
)
