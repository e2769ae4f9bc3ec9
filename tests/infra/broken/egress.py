"""Broken plans: ways out to everybody that no flow of the intent declares."""

from __future__ import annotations

from guardrails.egress import ACL, ACL_RULE, EGRESS, GATEWAYS, TABLE
from tests.infra.breaking import Break, Broken, Plan, add, one

EVERYBODY, EVERYBODY6 = "0.0.0.0/0", "::/0"


def route(table: str, **way: str) -> Break:
    def apply(planned: Plan) -> None:
        depends = {"routeTableId": [one(planned, TABLE, table)["urn"]]}
        add("aws:ec2/route:Route", dict(way), depends=depends)(planned)

    return apply


def gateway(kind: str, subnet: str | None = None) -> Break:
    def apply(planned: Plan) -> None:
        vpc = {"vpcId": [one(planned, "aws:ec2/vpc:Vpc", "platform")["urn"]]}
        depends = {"subnetId": [one(planned, "aws:ec2/subnet:Subnet", subnet)["urn"]]} if subnet else vpc
        add(kind, {"tags": {"Name": "extra"}}, depends=depends)(planned)

    return apply


def entry(acl: str, **what: object) -> Break:
    def apply(planned: Plan) -> None:
        depends = {"networkAclId": [one(planned, ACL, acl)["urn"]]}
        inputs = {"egress": True, "ruleAction": "allow", "protocol": "6", **what}
        add(ACL_RULE, inputs, depends=depends)(planned)

    return apply


BROKEN: list[Broken] = [
    ("egress-declared", "a default route", route("customer-private-a", destinationCidrBlock=EVERYBODY)),
    ("egress-declared", "half of it", route("customer-private-a", destinationCidrBlock="128.0.0.0/1")),
    ("egress-declared", "by IPv6", route("customer-private-b", destinationIpv6CidrBlock=EVERYBODY6)),
    ("egress-declared", "a NAT gateway", gateway(GATEWAYS[0], "customer-public-a")),
    ("egress-declared", "an egress-only gateway", gateway(GATEWAYS[1])),
    (
        "egress-declared",
        "a group's rule",
        add(EGRESS, {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIpv4": EVERYBODY}),
    ),
    (
        "egress-declared",
        "a network ACL's entry",
        entry("customer-private", fromPort=443, toPort=443, cidrBlock=EVERYBODY),
    ),
    (
        "egress-declared",
        "answers to everybody from an isolated tier",
        entry("platform-isolated", fromPort=1024, toPort=65535, ipv6CidrBlock=EVERYBODY6),
    ),
]
