"""Broken plans: names that resolve, internet gateways, endpoints, and VPCs that reach each other."""

from __future__ import annotations

import json
from typing import Any

from guardrails.inspection import FIREWALL, POLICY
from guardrails.names import ASSOCIATION, DOMAINS, FAILURE_MODE, LOGGED, RULE
from guardrails.reach import ENDPOINT, EXCLUSION, OPTIONS, PEERING, ROUTE, TABLE, VPC
from tests.infra.breaking import Break, Broken, Plan, add, drop, lose, one, put

ALLOWED, EVERYTHING = "dns-allowed", "dns-everything"


def allow(name: str) -> Break:
    def apply(planned: Plan) -> None:
        one(planned, DOMAINS, ALLOWED)["inputs"]["domains"].append(name)

    return apply


def endpoint(name: str, **changes: Any) -> Break:
    """An endpoint whose first statement says something else."""

    def apply(planned: Plan) -> None:
        inputs = one(planned, ENDPOINT, name)["inputs"]
        policy = json.loads(inputs["policy"])
        policy["Statement"][0] |= changes
        inputs["policy"] = json.dumps(policy)

    return apply


def spare(subnet: str, mode: str) -> Break:
    def apply(planned: Plan) -> None:
        urn = one(planned, "aws:ec2/subnet:Subnet", subnet)["urn"]
        add(EXCLUSION, {"internetGatewayExclusionMode": mode}, depends={"subnetId": [urn]})(planned)

    return apply


def route(table: str, block: str) -> Break:
    """A route over the peering."""

    def apply(planned: Plan) -> None:
        urn = one(planned, TABLE, table)["urn"]
        inputs = {"destinationCidrBlock": block, "vpcPeeringConnectionId": "pcx-1"}
        add(ROUTE, inputs, depends={"routeTableId": [urn]})(planned)

    return apply


def policy(name: str, value: Any) -> Break:
    """A firewall policy with one weak answer."""
    body: dict[str, Any] = {
        "statefulEngineOptions": {"ruleOrder": "STRICT_ORDER"},
        "statefulDefaultActions": ["aws:drop_established"],
        "statelessDefaultActions": ["aws:forward_to_sfe"],
        "statelessFragmentDefaultActions": ["aws:forward_to_sfe"],
    }
    return add(POLICY, {"firewallPolicy": body | {name: value}, "tags": {"Name": "x"}})


def join_with_itself(planned: Plan) -> None:
    urn = one(planned, VPC, "customer")["urn"]
    add(PEERING, {"tags": {"Name": "x"}}, depends={"vpcId": [urn], "peerVpcId": [urn]})(planned)


SWITCHED = {"deleteProtection": True, "subnetChangeProtection": True, "tags": {"Name": "x"}}
ANY_IDENTITY = {"StringEquals": {"aws:ResourceAccount": "111122223333"}}
ANY_RESOURCE = {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}

BROKEN: list[Broken] = [
    ("names-filtered", "a VPC without a DNS firewall", lose(ASSOCIATION, "customer")),
    ("names-filtered", "a DNS firewall that fails open", put(FAILURE_MODE, "firewallFailOpen", "ENABLED")),
    ("names-filtered", "nobody said how it fails", lose(FAILURE_MODE, "platform")),
    ("names-filtered", "anybody may remove it", drop(ASSOCIATION, "mutationProtection")),
    ("names-closed", "everything else resolves", lose(RULE, EVERYTHING)),
    ("names-closed", "the refusal only warns", put(RULE, "action", "ALERT", EVERYTHING)),
    ("names-closed", "one domain is refused", put(DOMAINS, "domains", ["bad.example."], EVERYTHING)),
    ("names-closed", "the refusal comes first", put(RULE, "priority", 1, EVERYTHING)),
    ("names-closed", "everything is allowed", allow("*.")),
    ("names-closed", "a top level is allowed", allow("*.com.")),
    ("names-closed", "every AWS name is allowed", allow("*.amazonaws.com.")),
    ("names-logged", "a VPC whose queries nobody sees", lose(LOGGED, "platform")),
    ("gateways-closed", "no block mode", lose(OPTIONS)),
    ("gateways-closed", "one direction", put(OPTIONS, "internetGatewayBlockMode", "block-ingress")),
    ("gateways-closed", "a private subnet is spared", spare("customer-private-a", "allow-bidirectional")),
    ("gateways-closed", "the archive is spared", spare("platform-isolated-a", "allow-egress")),
    ("gateways-closed", "a whole VPC is spared", add(EXCLUSION, {"vpcId": "vpc-1"})),
    ("endpoint-bounded", "no policy", drop(ENDPOINT, "policy", "customer-kms")),
    ("endpoint-bounded", "any identity", endpoint("customer-s3", Condition=ANY_IDENTITY)),
    ("endpoint-bounded", "any bucket", endpoint("customer-s3", Condition=ANY_RESOURCE)),
    ("endpoint-bounded+grant-public", "any account", endpoint("platform-s3-gateway", Condition={})),
    ("crossing-intended", "two VPCs that no flow joins", join_with_itself),
    ("crossing-narrow", "a whole VPC", route("customer-private-a", "10.21.0.0/16")),
    ("firewall-closed", "passes come first", policy("statefulEngineOptions", {"ruleOrder": "DEFAULT"})),
    ("firewall-closed", "an alert is all", policy("statefulDefaultActions", ["aws:alert_established"])),
    ("firewall-closed", "not looked at", policy("statelessDefaultActions", ["aws:pass"])),
    ("firewall-kept", "nobody sees what it drops", add(FIREWALL, SWITCHED)),
    ("crossing-narrow", "a tier that no flow joins", route("customer-public", "10.21.128.0/21")),
]
