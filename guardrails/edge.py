"""What faces the internet speaks AES-256 only, stands in the intent, and has a firewall that blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edge.facts import BODY_RULE, LOG_PREFIX, TLS_POLICIES
from guardrails.model import UNKNOWN, Bounds, Finding, Guardrail, Planned, at, differing, listed, of_type

BALANCER = ("aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer")
CLASSIC = ("aws:elb/loadBalancer:LoadBalancer", "aws:elasticloadbalancing/loadBalancer:LoadBalancer")
LISTENER = ("aws:lb/listener:Listener", "aws:alb/listener:Listener")
RULE = ("aws:lb/listenerRule:ListenerRule", "aws:alb/listenerRule:ListenerRule")
TARGETS = ("aws:lb/targetGroup:TargetGroup", "aws:alb/targetGroup:TargetGroup")
ACL = "aws:wafv2/webAcl:WebAcl"
ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"
LOGGING = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
# Beside the protection from deletion, which is guardrails/keeping.py.
HARDENED = {
    "dropInvalidHeaderFields": True,
    "desyncMitigationMode": "strictest",
    "accessLogs.enabled": True,
    "connectionLogs.enabled": True,
}
BUCKET = "aws:s3/bucket:Bucket"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
REPLICATION = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
REDACTED = frozenset({"authorization", "cookie"})


def listeners_encrypt(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Listeners speak TLS; one in clear sends everything on to TLS and does nothing else."""
    clear = set()
    for listener in of_type(resources, *LISTENER):
        inputs = listener["inputs"]
        if inputs.get("protocol") in ("HTTPS", "TLS"):
            continue
        clear.add(listener["urn"])
        onwards = [
            action.get("type") == "redirect" and at(action, "redirect.protocol") == "HTTPS"
            for action in listed(inputs.get("defaultActions"))
        ]
        if inputs.get("protocol") != "HTTP" or not onwards or not all(onwards):
            yield Finding(
                "listener-encrypted",
                listener["urn"],
                f"{inputs.get('protocol')} {inputs.get('port')} serves in clear",
                "redirect it to HTTPS, or remove it",
            )
    for rule in of_type(resources, *RULE):
        if clear & set(rule.get("depends", {}).get("listenerArn", [])):
            yield Finding(
                "listener-encrypted", rule["urn"], "a rule of a listener in clear", "serve it over HTTPS"
            )


def listeners_are_strong(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """TLS 1.2 or newer with AES-256 and nothing else."""
    for listener in of_type(resources, *LISTENER):
        inputs = listener["inputs"]
        policy = inputs.get("sslPolicy")
        if inputs.get("protocol") in ("HTTPS", "TLS") and policy not in TLS_POLICIES:
            yield Finding(
                "listener-strong",
                listener["urn"],
                f"policy {policy or 'of AWS, from 2016'}",
                f"use one of {', '.join(sorted(TLS_POLICIES))}",
            )


def certificates_are_ours(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """A listener's certificate is of the stack's region and account."""
    for listener in of_type(resources, *LISTENER):
        certificate = listener["inputs"].get("certificateArn")
        if certificate in UNKNOWN:
            continue
        found = str(certificate).split(":")[3:5]
        if found != [bounds.region, bounds.account]:
            yield Finding(
                "certificate-ours",
                listener["urn"],
                f"certificate of {' '.join(found)}",
                f"use one of {bounds.region} {bounds.account}",
            )


def targets_encrypt(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Behind a load balancer it is encrypted again, for health checks too."""
    wanted = {"protocol": "HTTPS", "healthCheck.protocol": "HTTPS"}
    for group in of_type(resources, *TARGETS):
        for problem in differing(group["inputs"], wanted):
            yield Finding("target-encrypted", group["urn"], problem, "speak HTTPS to the nodes")


def balancers_are_intended(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """Nothing faces the internet that the firewall intent does not name."""
    for balancer in _facing(resources):
        if balancer["name"] not in bounds.load_balancers:
            yield Finding(
                "balancer-intended",
                balancer["urn"],
                "it faces the internet and no rule lets the internet reach it",
                "make it internal, or state it in the firewall",
            )
    for classic in of_type(resources, *CLASSIC):
        yield Finding(
            "balancer-intended", classic["urn"], "a classic load balancer", "use an application load balancer"
        )


def balancers_are_guarded(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Each load balancer that faces the internet has a web ACL, and the web ACL writes its log."""
    guards = list(of_type(resources, ASSOCIATION))
    for balancer in _facing(resources):
        if not any(balancer["urn"] in g.get("depends", {}).get("resourceArn", []) for g in guards):
            yield Finding("balancer-guarded", balancer["urn"], "no web ACL", "associate one")


def balancers_are_hardened(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Logged, strict about what is a request, closed when the firewall is silent."""
    for balancer in of_type(resources, *BALANCER):
        problems = differing(balancer["inputs"], HARDENED)
        if at(balancer["inputs"], "enableWafFailOpen"):
            problems.append("enableWafFailOpen is true")
        for problem in problems:
            yield Finding("balancer-hardened", balancer["urn"], problem, "see guardrails/edge.py, HARDENED")


def firewalls_block(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """A web ACL's rules act: none only counts, rates are bounded, and who allows some refuses the rest."""
    for acl in of_type(resources, ACL):
        inputs = acl["inputs"]
        rules = listed(inputs.get("rules"))
        for rule in rules:
            for problem in _toothless(rule):
                yield Finding("firewall-blocks", acl["urn"], problem, "let the rule block")
        if not any("rateBasedStatement" in rule.get("statement", {}) for rule in rules):
            yield Finding("firewall-blocks", acl["urn"], "no rate rule", "bound the rate of one source")
        allows = [rule for rule in rules if "allow" in (rule.get("action") or {})]
        if allows and "block" not in (inputs.get("defaultAction") or {}):
            yield Finding(
                "firewall-blocks", acl["urn"], "it allows some and the rest as well", "block by default"
            )


def _toothless(rule: Mapping[str, Any]) -> Iterator[str]:
    name = rule.get("name")
    if "count" in (rule.get("action") or {}) or "count" in (rule.get("overrideAction") or {}):
        yield f"rule {name} only counts"
    for override in listed(at(rule, "statement.managedRuleGroupStatement.ruleActionOverrides")):
        if "block" not in (override.get("actionToUse") or {}) and override.get("name") != BODY_RULE:
            yield f"rule {name} lets {override.get('name')} pass"


def firewalls_log(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Each web ACL logs into the locked archive, without what a session or an account is opened with."""
    logs = list(of_type(resources, LOGGING))
    for acl in of_type(resources, ACL):
        mine = [log for log in logs if acl["urn"] in log.get("depends", {}).get("resourceArn", [])]
        if not mine:
            yield Finding("firewall-logged", acl["urn"], "it has no log", "add a logging configuration")
        for log in mine:
            fields = listed(log["inputs"].get("redactedFields"))
            missing = REDACTED - {at(field, "singleHeader.name") for field in fields}
            if missing:
                yield Finding(
                    "firewall-logged",
                    log["urn"],
                    f"the log shows {', '.join(sorted(missing))}",
                    "redact these headers",
                )
            for problem, fix in _lost(log, resources):
                yield Finding("firewall-logged", log["urn"], problem, fix)


def _lost(log: Planned, resources: Sequence[Planned]) -> Iterator[tuple[str, str]]:
    """Why what is logged does not end in the locked archive, and what would help."""
    asked = set(log.get("depends", {}).get("logDestinationConfigs", []))
    buckets = {
        urn
        for policy in of_type(resources, BUCKET_POLICY)
        if policy["urn"] in asked
        for urn in policy.get("depends", {}).get("bucket", [])
    }
    into = [bucket for bucket in of_type(resources, BUCKET) if bucket["urn"] in buckets]
    if not into:
        yield "it logs to none of our buckets", "log to the delivery bucket, after its policy"
    locked = {
        f"arn:aws:s3:::{bucket['inputs'].get('bucket')}"
        for bucket in of_type(resources, BUCKET)
        if bucket["inputs"].get("objectLockEnabled") is True
    }
    for bucket in into:
        name = str(bucket["inputs"].get("bucket", ""))
        if not name.startswith(LOG_PREFIX):
            yield f"AWS refuses the bucket {name or 'without a name'}", f"name it {LOG_PREFIX}…"
        copied = {
            at(rule, "destination.bucket")
            for copy in of_type(resources, REPLICATION)
            if bucket["urn"] in copy.get("depends", {}).get("bucket", [])
            for rule in listed(copy["inputs"].get("rules"))
            if rule.get("status") == "Enabled" and not at(rule, "filter.prefix")
        }
        if not copied & locked:
            yield f"nothing copies all of {name} into a locked bucket", "copy it into the archive"


def _facing(resources: Sequence[Planned]) -> Iterator[Planned]:
    return (b for b in of_type(resources, *BALANCER) if not at(b["inputs"], "internal"))


GUARDRAILS: tuple[Guardrail, ...] = (
    listeners_encrypt,
    listeners_are_strong,
    certificates_are_ours,
    targets_encrypt,
    balancers_are_intended,
    balancers_are_guarded,
    balancers_are_hardened,
    firewalls_block,
    firewalls_log,
)
