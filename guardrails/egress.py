"""Nothing has a way out to everybody that the firewall intent does not declare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrails.exposure import ROUTE, everybody
from guardrails.model import Bounds, Finding, Guardrail, Planned, at, of_type

EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ACL_RULE = "aws:ec2/networkAclRule:NetworkAclRule"
ACL = "aws:ec2/networkAcl:NetworkAcl"
TABLE = "aws:ec2/routeTable:RouteTable"
GATEWAYS = (
    "aws:ec2/natGateway:NatGateway",
    "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway",
)
OUTER = ("public", "firewall")  # tiers that face an internet gateway
_PROTOCOLS = {"6": "tcp", "17": "udp"}


def egress_routes_declared(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """Default routes of internal tiers, and gateways for them, exist only where egress is declared."""
    known = {resource["urn"]: resource for resource in resources}
    for route in of_type(resources, ROUTE):
        inputs = route["inputs"]
        if not (
            everybody(inputs.get("destinationCidrBlock")) or everybody(inputs.get("destinationIpv6CidrBlock"))
        ):
            continue
        for table in _sources(route, "routeTableId", known, TABLE):
            vpc = _vpc_of(table, known)
            if at(table["inputs"], "tags.stockade:tier") == "private" and not bounds.egress.get(vpc):
                yield Finding(
                    "egress-declared",
                    route["urn"],
                    f"a way out of {vpc} that no flow asks for",
                    "add a rule to internet to the stack's firewall, or no route",
                )
    for gateway in of_type(resources, *GATEWAYS):
        vpc = _vpc_of(gateway, known)
        if not bounds.egress.get(vpc):
            yield Finding(
                "egress-declared",
                gateway["urn"],
                f"a gateway out of {vpc} that no flow asks for",
                "add a rule to internet to the stack's firewall, or no gateway",
            )


def egress_rules_declared(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """Groups, and network ACLs of internal tiers, let out to everybody only what the intent declares."""
    declared = {call for calls in bounds.egress.values() for call in calls}
    for rule in of_type(resources, EGRESS):
        inputs = rule["inputs"]
        call = (inputs.get("ipProtocol"), inputs.get("fromPort"))
        open_to_all = everybody(inputs.get("cidrIpv4")) or everybody(inputs.get("cidrIpv6"))
        if open_to_all and (call not in declared or inputs.get("fromPort") != inputs.get("toPort")):
            yield _undeclared(rule, f"{call[0]} {inputs.get('fromPort')}-{inputs.get('toPort')}")
    known = {resource["urn"]: resource for resource in resources}
    for rule in of_type(resources, ACL_RULE):
        inputs = rule["inputs"]
        open_to_all = everybody(inputs.get("cidrBlock")) or everybody(inputs.get("ipv6CidrBlock"))
        if not inputs.get("egress") or inputs.get("ruleAction") != "allow" or not open_to_all:
            continue
        for acl in _sources(rule, "networkAclId", known, ACL):
            call = (_PROTOCOLS.get(str(inputs.get("protocol"))), inputs.get("fromPort"))
            one = inputs.get("fromPort") == inputs.get("toPort")
            calls = bounds.egress.get(_vpc_of(acl, known), frozenset())
            if at(acl["inputs"], "tags.stockade:tier") not in OUTER and not (one and call in calls):
                yield _undeclared(rule, f"{call[0]} {inputs.get('fromPort')}-{inputs.get('toPort')}")


def _undeclared(rule: Planned, what: str) -> Finding:
    return Finding(
        "egress-declared",
        rule["urn"],
        f"{what} may leave to everybody",
        "let out only what the stack's firewall lets call the internet",
    )


def _sources(resource: Planned, name: str, known: dict[str, Planned], kind: str) -> list[Planned]:
    """What an input was computed from, of one type; guardrails that need it name what is missing."""
    found = (known.get(urn) for urn in resource.get("depends", {}).get(name, []))
    return [one for one in found if one and one["type"] == kind]


def _vpc_of(resource: Planned, known: dict[str, Planned]) -> str:
    """The name of the VPC that something stands in, by its own input or its subnet's."""
    depends = resource.get("depends", {})
    for name in ("vpcId", "subnetId"):
        for urn in depends.get(name, []):
            found = known.get(urn)
            if found is not None and found["type"] == "aws:ec2/vpc:Vpc":
                return found["name"]
            if found is not None and name == "subnetId":
                return _vpc_of(found, known)
    return "an unknown VPC"


GUARDRAILS: tuple[Guardrail, ...] = (egress_routes_declared, egress_rules_declared)
