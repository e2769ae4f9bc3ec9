"""Broken plans: load balancers in clear, weak, unguarded, unlogged, and firewalls that only look on."""

from __future__ import annotations

from typing import Any

from guardrails.edge import (
    ACL,
    ASSOCIATION,
    BALANCER,
    BUCKET,
    CLASSIC,
    LISTENER,
    LOGGING,
    REPLICATION,
    RULE,
    TARGETS,
)
from tests.infra.breaking import Break, Broken, Plan, add, drop, lose, one, put

HERE, LISTENS, RULES, BEHIND = BALANCER[0], LISTENER[0], RULE[0], TARGETS[0]
FORWARD = [{"type": "forward", "targetGroupArn": "arn:aws:elasticloadbalancing:ap-south-1:111122223333:x"}]
ELSEWHERE = "arn:aws:acm:us-east-1:111122223333:certificate/5d0c1e52-7b3f-4c6a-9e0d-2f8a4b6c1d37"
SOMEBODYS = ELSEWHERE.replace("us-east-1:111122223333", "ap-south-1:999999999999")


def in_clear(planned: Plan) -> None:
    """The rule that forwards hangs on the listener that only redirects."""
    clear, rule = one(planned, LISTENS, "front-80"), one(planned, RULES)
    rule["depends"]["listenerArn"] = [clear["urn"]]


def to_another_bucket(planned: Plan) -> None:
    """Known by name only: nobody says how that one is kept."""
    log = one(planned, LOGGING)
    log["inputs"]["logDestinationConfigs"] = ["arn:aws:s3:::aws-waf-logs-another"]
    log["depends"]["logDestinationConfigs"] = []


def second_balancer(**inputs: Any) -> Break:
    def apply(planned: Plan) -> None:
        like = dict(one(planned, HERE)["inputs"]) | inputs
        add(HERE, like)(planned)

    return apply


def rule(name: str, **changes: Any) -> Break:
    """Change a rule of the web ACL."""

    def apply(planned: Plan) -> None:
        rules = one(planned, ACL)["inputs"]["rules"]
        next(found for found in rules if found["name"] == name).update(changes)

    return apply


def without_rule(name: str) -> Break:
    def apply(planned: Plan) -> None:
        inputs = one(planned, ACL)["inputs"]
        inputs["rules"] = [found for found in inputs["rules"] if found["name"] != name]

    return apply


def passes(rule_name: str) -> dict[str, Any]:
    override = {"name": rule_name, "actionToUse": {"count": {}}}
    group = {"vendorName": "AWS", "name": "AWSManagedRulesSQLiRuleSet", "ruleActionOverrides": [override]}
    return {"managedRuleGroupStatement": group}


BROKEN: list[Broken] = [
    ("listener-encrypted", "port 80 forwards", put(LISTENS, "defaultActions", FORWARD, "front-80")),
    (
        "listener-encrypted",
        "redirect to clear text",
        put(LISTENS, "defaultActions.0.redirect.protocol", "HTTP", "front-80"),
    ),
    ("listener-encrypted", "a rule of the listener in clear", in_clear),
    (
        "listener-strong",
        "policy with AES-128",
        put(LISTENS, "sslPolicy", "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "front-443"),
    ),
    ("listener-strong", "no policy: AWS's of 2016", drop(LISTENS, "sslPolicy", "front-443")),
    (
        "certificate-ours+residency-input",
        "another region's",
        put(LISTENS, "certificateArn", ELSEWHERE, "front-443"),
    ),
    ("certificate-ours", "another account's", put(LISTENS, "certificateArn", SOMEBODYS, "front-443")),
    ("target-encrypted", "clear text to the nodes", put(BEHIND, "protocol", "HTTP")),
    ("target-encrypted", "health checks in clear", put(BEHIND, "healthCheck.protocol", "HTTP")),
    (
        "balancer-intended+balancer-guarded",
        "a second one faces the internet",
        second_balancer(internal=False),
    ),
    ("balancer-intended+balancer-guarded", "faces the internet by default", second_balancer(internal=None)),
    ("balancer-intended", "a classic load balancer", add(CLASSIC[0], {"tags": {"Name": "old"}})),
    ("balancer-guarded", "no association", lose(ASSOCIATION)),
    ("balancer-hardened", "invalid headers pass", drop(HERE, "dropInvalidHeaderFields")),
    ("balancer-hardened", "desync mitigation monitors", put(HERE, "desyncMitigationMode", "monitor")),
    ("balancer-hardened", "no access logs", put(HERE, "accessLogs.enabled", False)),
    ("balancer-hardened", "no connection logs", drop(HERE, "connectionLogs")),
    ("balancer-hardened", "open when the firewall is silent", put(HERE, "enableWafFailOpen", True)),
    ("firewall-blocks", "the rate is counted", rule("rate", action={"count": {}})),
    ("firewall-blocks", "a managed group is counted", rule("aws-sqli", overrideAction={"count": {}})),
    ("firewall-blocks", "one of a group's rules passes", rule("aws-sqli", statement=passes("SQLi_BODY"))),
    ("firewall-blocks", "no rate rule", without_rule("rate")),
    ("firewall-blocks", "the default allows", put(ACL, "defaultAction", {"allow": {}})),
    ("firewall-logged", "no log", lose(LOGGING)),
    (
        "firewall-logged",
        "the log shows cookies",
        put(LOGGING, "redactedFields", [{"singleHeader": {"name": "authorization"}}]),
    ),
    ("firewall-logged", "a log to nowhere of ours", to_another_bucket),
    (
        "firewall-logged+bucket-closed+bucket-complete",  # the latter two know the bucket by its name
        "a log AWS refuses",
        put(BUCKET, "bucket", "stockade-delivery", "delivery"),
    ),
    ("firewall-logged", "a log that no archive gets", lose(REPLICATION, "copy-delivery")),
    (
        "firewall-logged",
        "a part of it is archived",
        put(REPLICATION, "rules.0.filter.prefix", "dns/", "copy-delivery"),
    ),
    ("firewall-logged", "an archive without a lock", drop(BUCKET, "objectLockEnabled", "archive")),
]
