"""Load balancers and web firewalls of the whole account, also those nobody planned. Rows M6, M12, M13, M16,
M18, M23-M27.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from ipaddress import collapse_addresses, ip_network
from typing import Any

import pytest

from settings.calendar import today
from verify.account import Account
from verify.subjects import Resource

Region = dict[str, Any]
Listeners = list[dict[str, Any]]

# RFC 9151, section 6.1, in ACM's words; weaker keys are what an AES-256 session would be opened with.
STRONG_KEYS = {"EC_secp384r1", "EC_secp521r1", "RSA_3072", "RSA_4096"}
# Time enough to notice that a renewal failed: ACM renews 60 days before the end.
LEAST_DAYS_LEFT = 30
# CERT-In, directions of 28 April 2022, (iv): logs are kept for a rolling 180 days, within India.
LEAST_DAYS_KEPT = 180
FAMILIES = {
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesSQLiRuleSet",
    "AWSManagedRulesLinuxRuleSet",
}
BODY_RULE = "SizeRestrictions_BODY"  # may be counted where the stack file says that uploads are taken


@pytest.fixture
def listeners(load_balancer: Resource, aws: Account) -> Listeners:
    arn = load_balancer["LoadBalancerArn"]
    return list(aws.need("elbv2", "describe_listeners", LoadBalancerArn=arn)["Listeners"])


@pytest.fixture
def attributes(load_balancer: Resource, aws: Account) -> dict[str, str]:
    arn = load_balancer["LoadBalancerArn"]
    found = aws.need("elbv2", "describe_load_balancer_attributes", LoadBalancerArn=arn)
    return {pair["Key"]: pair["Value"] for pair in found["Attributes"]}


def _rules(aws: Account, listener: dict[str, Any]) -> list[dict[str, Any]]:
    return list(aws.need("elbv2", "describe_rules", ListenerArn=listener["ListenerArn"])["Rules"])


def _actions(aws: Account, listener: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for rule in _rules(aws, listener):
        yield from rule["Actions"]


def _encrypted(listener: dict[str, Any]) -> bool:
    return listener["Protocol"] in ("HTTPS", "TLS")


# ---------------------------------------------------------------------- load balancers
@pytest.mark.control("STK-EDG-001")
def test_in_clear_it_only_redirects(load_balancer: Resource, listeners: Listeners, aws: Account) -> None:
    for listener in (found for found in listeners if not _encrypted(found)):
        port = f"{listener['Protocol']} {listener['Port']}"
        for action in _actions(aws, listener):
            onwards = action.get("RedirectConfig", {}).get("Protocol")
            assert onwards == "HTTPS", f"{port} does {action['Type']} in clear"


@pytest.mark.control("STK-EDG-002")
def test_it_takes_aes_256_and_tls_1_2_or_newer_only(
    load_balancer: Resource, listeners: Listeners, aws: Account
) -> None:
    for listener in filter(_encrypted, listeners):
        name = listener.get("SslPolicy", "none")
        (policy,) = aws.need("elbv2", "describe_ssl_policies", Names=[name])["SslPolicies"]
        old = set(policy["SslProtocols"]) - {"TLSv1.2", "TLSv1.3"}
        weak = {c["Name"] for c in policy["Ciphers"] if "AES256" not in c["Name"].replace("_", "")}
        assert not old, f"{name} takes {', '.join(sorted(old))}"
        assert policy["Ciphers"] and not weak, f"{name} takes {', '.join(sorted(weak)) or 'nothing'}"


@pytest.mark.control("STK-EDG-003")
def test_its_certificate_is_ours_strong_and_in_date(
    load_balancer: Resource, listeners: Listeners, aws: Account, region: Region
) -> None:
    hosts = (load_balancer.expected or {}).get("hosts", [])
    for listener in filter(_encrypted, listeners):
        for arn in (found["CertificateArn"] for found in listener.get("Certificates", [])):
            assert arn.split(":")[2:5] == ["acm", region["region"], region["account"]], f"{arn} is not ours"
            found = aws.need("acm", "describe_certificate", CertificateArn=arn)["Certificate"]
            assert found["KeyAlgorithm"] in STRONG_KEYS, f"its key is {found['KeyAlgorithm']}"
            assert found["Status"] == "ISSUED", f"it is {found['Status']}"
            left = found["NotAfter"] - datetime.now(UTC)
            assert left > timedelta(days=LEAST_DAYS_LEFT), f"it ends on {found['NotAfter']:%Y-%m-%d}"
            names = {found["DomainName"], *found.get("SubjectAlternativeNames", [])}
            other = [host for host in hosts if not any(fnmatch.fnmatchcase(host, name) for name in names)]
            assert not other, f"it does not hold {', '.join(other)}"


@pytest.mark.control("STK-EDG-004")
def test_it_faces_the_internet_only_as_the_intent_says(load_balancer: Resource, listeners: Listeners) -> None:
    if load_balancer["Scheme"] != "internet-facing":
        pytest.skip("not applicable: it is internal")
    assert load_balancer.expected is not None, "no rule of the firewall intent names it"
    surplus = {listener["Port"] for listener in listeners} - set(load_balancer.expected["ports"])
    assert not surplus, f"it listens on {sorted(surplus)}, which no rule opens"


@pytest.mark.control("STK-EDG-005")
def test_a_web_firewall_stands_in_front_of_it(load_balancer: Resource, aws: Account) -> None:
    if load_balancer["Scheme"] != "internet-facing":
        pytest.skip("not applicable: it is internal")
    found = aws.need("wafv2", "get_web_acl_for_resource", ResourceArn=load_balancer["LoadBalancerArn"])
    acl = (found.get("WebACL") or {}).get("ARN")
    assert acl, "no web ACL is associated"
    if load_balancer.expected is not None:
        assert acl == load_balancer.expected["web_acl"]["arn"], f"another web ACL is associated: {acl}"


@pytest.mark.control("STK-EDG-006")
def test_requests_and_connections_are_logged_to_the_regions_bucket(
    load_balancer: Resource, attributes: dict[str, str], region: Region
) -> None:
    ours = {bucket["name"] for bucket in region["buckets"].values()}
    for kind in ("access_logs", "connection_logs"):
        assert attributes.get(f"{kind}.s3.enabled") == "true", f"{kind} are off"
        bucket = attributes.get(f"{kind}.s3.bucket")
        assert bucket in ours, f"{kind} go to {bucket}, which is none of the region's buckets"


@pytest.mark.control("STK-EDG-007")
def test_it_is_protected_strict_and_fails_closed(load_balancer: Resource, attributes: dict[str, str]) -> None:
    wanted = {
        "deletion_protection.enabled": "true",
        "routing.http.drop_invalid_header_fields.enabled": "true",
        "routing.http.desync_mitigation_mode": "strictest",
        "waf.fail_open.enabled": "false",
    }
    wrong = {key: attributes.get(key) for key, value in wanted.items() if attributes.get(key) != value}
    assert not wrong, ", ".join(f"{key} is {value}" for key, value in wrong.items())


@pytest.mark.control("STK-EDG-016")
def test_it_stands_in_every_zone_of_its_tier(load_balancer: Resource, region: Region) -> None:
    planned = next((v for v in region["vpcs"].values() if v["id"] == load_balancer["VpcId"]), None)
    assert planned is not None, f"it stands in {load_balancer['VpcId']}, which is in no plan"
    subnets = {subnet["id"]: subnet for subnet in planned["subnets"].values()}
    places = load_balancer["AvailabilityZones"]
    strange = {place["SubnetId"] for place in places} - set(subnets)
    assert not strange, f"it stands in {', '.join(sorted(strange))}, which is in no plan"
    tiers = {subnets[place["SubnetId"]]["tier"] for place in places}
    wanted = {subnet["zone"] for subnet in subnets.values() if subnet["tier"] in tiers}
    missing = wanted - {place["ZoneName"] for place in places}
    assert not missing and len(places) > 1, (
        f"it does not stand in {', '.join(sorted(missing)) or 'two zones'}"
    )


@pytest.mark.control("STK-EDG-008")
def test_it_answers_for_its_own_names_only(
    load_balancer: Resource, listeners: Listeners, aws: Account
) -> None:
    known = set((load_balancer.expected or {}).get("hosts", []))
    for listener in filter(_encrypted, listeners):
        for rule in _rules(aws, listener):
            if all(action["Type"] != "forward" for action in rule["Actions"]):
                continue
            hosts = {
                host
                for condition in rule["Conditions"]
                if condition["Field"] == "host-header"
                for host in condition.get("HostHeaderConfig", {}).get("Values", [])
            }
            assert hosts, f"rule {rule['Priority']} forwards every host name"
            assert hosts <= known, f"it answers for {', '.join(sorted(hosts - known))}"


@pytest.mark.control("STK-EDG-009")
def test_it_speaks_tls_to_the_nodes_of_its_role_only(
    load_balancer: Resource, aws: Account, region: Region
) -> None:
    arn, roles = load_balancer["LoadBalancerArn"], (load_balancer.expected or {}).get("target_groups", {})
    nodes = {node["instance_id"]: node for node in region["nodes"]}
    groups = aws.read("elbv2", "describe_target_groups", LoadBalancerArn=arn, absent=("TargetGroupNotFound",))
    for group in groups["TargetGroups"] if groups else []:
        speaks = (group["Protocol"], group["HealthCheckProtocol"])
        assert speaks == ("HTTPS", "HTTPS"), f"{group['TargetGroupName']} speaks {'/'.join(speaks)}"
        health = aws.need("elbv2", "describe_target_health", TargetGroupArn=group["TargetGroupArn"])
        for target in health["TargetHealthDescriptions"]:
            name, port = target["Target"]["Id"], target["Target"]["Port"]
            role = nodes.get(name, {}).get("role", "nobody's")
            assert roles.get(role, {}).get("port") == port, f"{name} ({role}) port {port} is behind it"


# ---------------------------------------------------------------------- web ACLs
def _references(statement: dict[str, Any]) -> Iterator[str]:
    if "IPSetReferenceStatement" in statement:
        yield statement["IPSetReferenceStatement"]["ARN"]
    for inner in statement.get("OrStatement", {}).get("Statements", []):
        yield from _references(inner)


def _addresses(aws: Account, rule: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for arn in _references(rule["Statement"]):
        name, identity = arn.split("/")[-2:]
        answer = aws.need("wafv2", "get_ip_set", Name=name, Id=identity, Scope="REGIONAL")
        found |= set(answer["IPSet"]["Addresses"])
    return found


@pytest.mark.control("STK-EDG-010")
def test_its_rules_block_and_never_only_count(web_acl: Resource) -> None:
    uploads = (web_acl.expected or {}).get("uploads", False)
    assert web_acl["Rules"] or "Block" in web_acl["DefaultAction"], "it has no rule and allows everything"
    for rule in web_acl["Rules"]:
        acts = {**(rule.get("Action") or {}), **(rule.get("OverrideAction") or {})}
        assert "Count" not in acts, f"rule {rule['Name']} only counts"
        group = rule["Statement"].get("ManagedRuleGroupStatement", {})
        for override in group.get("RuleActionOverrides", []):
            explained = uploads and override["Name"] == BODY_RULE
            assert "Block" in override["ActionToUse"] or explained, f"{override['Name']} is not blocked"


@pytest.mark.control("STK-EDG-011")
def test_the_rate_of_one_source_is_bounded(web_acl: Resource) -> None:
    most = (web_acl.expected or {}).get("requests_per_five_minutes")
    rates = [r for r in web_acl["Rules"] if "RateBasedStatement" in r["Statement"] and "Block" in r["Action"]]
    assert rates, "no rule blocks a source by its rate"
    stated = rates[0]["Statement"]["RateBasedStatement"]
    limit, window = stated["Limit"], stated.get("EvaluationWindowSec", 300)
    assert stated["AggregateKeyType"] == "IP", f"it counts by {stated['AggregateKeyType']}"
    if most is not None:
        assert limit * 300 <= most * window, f"{limit} in {window} s, more than {most} in 300 s"


@pytest.mark.control("STK-EDG-012")
def test_known_hostile_ranges_are_blocked_before_anything_else(web_acl: Resource, aws: Account) -> None:
    rules = sorted(web_acl["Rules"], key=lambda rule: int(rule["Priority"]))
    assert rules and "Block" in (rules[0].get("Action") or {}), "its first rule does not block"
    assert list(_references(rules[0]["Statement"])), "its first rule names no set of addresses"
    blocked: list[Any] = [ip_network(address) for address in _addresses(aws, rules[0])]
    stated = (web_acl.expected or {}).get("hostile", {})
    alive = [ip_network(cidr) for cidr, until in stated.items() if date.fromisoformat(until) >= today()]
    missing = [str(wanted) for wanted in alive if not _inside(wanted, blocked)]
    assert not missing, f"not blocked: {', '.join(missing)}"


@pytest.mark.control("STK-EDG-013")
def test_only_sources_bound_today_are_admitted(web_acl: Resource, aws: Account, region: Region) -> None:
    if (web_acl.expected or {}).get("sources") == "internet":
        pytest.skip("not applicable: the stack file admits everybody whom the firewall admits")
    assert "Block" in web_acl["DefaultAction"], "it admits whoever no rule refuses"
    allowing = [rule for rule in web_acl["Rules"] if "Allow" in (rule.get("Action") or {})]
    unbound = [rule["Name"] for rule in allowing if not list(_references(rule["Statement"]))]
    assert not unbound, f"{', '.join(unbound)} admits without looking at the source"
    admitted = [ip_network(address) for rule in allowing for address in _addresses(aws, rule)]
    bound = [
        ip_network(source["cidr"])
        for customer in region.get("customers", {}).values()
        for source in customer["sources"].values()
        if date.fromisoformat(source["until"]) >= today()
    ]
    surplus = [str(a) for a in admitted if not _inside(a, bound)]
    assert not surplus, f"admitted without a binding in force: {', '.join(sorted(surplus))}"
    missing = [str(b) for b in bound if not _inside(b, admitted)]
    assert not missing, f"bound and not admitted: {', '.join(sorted(missing))}"


def _inside(network: Any, others: list[Any]) -> bool:
    """Whether ranges, joined where they are neighbours, hold another one whole."""
    same = collapse_addresses(other for other in others if other.version == network.version)
    return any(network.subnet_of(other) for other in same)


@pytest.mark.control("STK-EDG-014")
def test_each_judged_request_is_logged_without_credentials(
    web_acl: Resource, aws: Account, region: Region
) -> None:
    absent = ("WAFNonexistentItemException",)
    found = aws.read("wafv2", "get_logging_configuration", ResourceArn=web_acl["ARN"], absent=absent)
    assert found, "it does not log"
    stated = found["LoggingConfiguration"]
    assert not stated.get("LoggingFilter"), "a filter drops records"
    redacted = {field.get("SingleHeader", {}).get("Name") for field in stated.get("RedactedFields", [])}
    assert {"authorization", "cookie"} <= redacted, "credentials are in the log"
    ours = f"arn:aws:s3:::{region['buckets']['delivery']['name']}"
    elsewhere = [arn for arn in stated["LogDestinationConfigs"] if arn != ours]
    assert not elsewhere, f"it logs to {', '.join(elsewhere)}, not to the region's bucket of deliveries"
    assert _delivers(aws, ours, region["account"]), "the bucket's policy keeps AWS WAF's log out"
    assert _locked_copy(aws, region), "what it logs does not end in the locked archive"


@pytest.mark.control("STK-EDG-017")
def test_each_rule_is_measured_and_no_request_is_shown(web_acl: Resource) -> None:
    measured = {"its default action": web_acl, **{rule["Name"]: rule for rule in web_acl["Rules"]}}
    shown = {name: part["VisibilityConfig"] for name, part in measured.items()}
    silent = sorted(name for name, seen in shown.items() if seen["CloudWatchMetricsEnabled"] is not True)
    assert not silent, f"no metric of {', '.join(silent)}: nobody notices what it blocks or lets through"
    names = [seen["MetricName"] for seen in shown.values()]
    assert len(set(names)) == len(names), "two rules count under one name"
    sampled = sorted(name for name, seen in shown.items() if seen["SampledRequestsEnabled"] is not False)
    assert not sampled, f"samples of {', '.join(sampled)} show in clear what the log leaves out"


def _delivers(aws: Account, bucket: str, account: str) -> bool:
    """Whether log delivery, for this account only, may write where AWS WAF does; else it stays silent."""
    policy = json.loads(aws.need("s3", "get_bucket_policy", Bucket=bucket.rpartition(":")[2])["Policy"])
    written = f"{bucket}/AWSLogs/{account}/WAFLogs/x"
    return any(
        statement["Effect"] == "Allow"
        and isinstance(statement.get("Principal"), dict)
        and "delivery.logs.amazonaws.com" in _words(statement["Principal"].get("Service"))
        and "s3:PutObject" in _words(statement["Action"])
        and any(fnmatch.fnmatchcase(written, found) for found in _words(statement["Resource"]))
        and account in _words(statement.get("Condition", {}).get("StringEquals", {}).get("aws:SourceAccount"))
        for statement in policy["Statement"]
    )


def _locked_copy(aws: Account, region: Region) -> bool:
    """Whether every object of the bucket is copied into the archive, and kept there LEAST_DAYS_KEPT."""
    source, archive = (region["buckets"][purpose]["name"] for purpose in ("delivery", "archive"))
    absent = ("ReplicationConfigurationNotFoundError",)
    found = aws.read("s3", "get_bucket_replication", absent=absent, Bucket=source) or {}
    rules = found.get("ReplicationConfiguration", {}).get("Rules", [])
    whole = [
        rule for rule in rules if rule["Status"] == "Enabled" and not rule.get("Filter", {}).get("Prefix")
    ]
    unlocked = ("ObjectLockConfigurationNotFoundError", "ObjectLockConfigurationNotFound")
    lock = aws.read("s3", "get_object_lock_configuration", absent=unlocked, Bucket=archive) or {}
    kept = lock.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
    days = kept.get("Days") or 365 * int(kept.get("Years") or 0)
    place = aws.need("s3", "get_bucket_location", Bucket=archive).get("LocationConstraint") or "us-east-1"
    return (
        any(rule["Destination"]["Bucket"] == f"arn:aws:s3:::{archive}" for rule in whole)
        and days >= LEAST_DAYS_KEPT
        and place == region["region"]
    )


def _words(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value] if value else []


@pytest.mark.control("STK-EDG-015")
def test_aws_managed_rules_judge_every_request(web_acl: Resource) -> None:
    groups = {
        statement["ManagedRuleGroupStatement"]["Name"]: "ScopeDownStatement"
        in statement["ManagedRuleGroupStatement"]
        for statement in (rule["Statement"] for rule in web_acl["Rules"])
        if "ManagedRuleGroupStatement" in statement
    }
    wanted = FAMILIES | (
        {"AWSManagedRulesAnonymousIpList"} if (web_acl.expected or {}).get("sources") == "internet" else set()
    )
    missing = wanted - set(groups)
    assert not missing, f"without {', '.join(sorted(missing))}"
    narrowed = sorted(name for name in wanted if groups[name])
    assert not narrowed, f"{', '.join(narrowed)} sees a part of the requests only"
