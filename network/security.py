"""Security groups and network ACLs: the firewall intent's renderings, turned into resources rule by rule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, vpc

from network.renderings import AclEntry, SgRule, TierBlock6
from network.vpc import Vpc
from tagging import tags

# EC2 API Reference, AuthorizeSecurityGroupIngress, description of an IpRange: these characters, 255 at most.
_REFUSED = re.compile(r"[^A-Za-z0-9. _\-:/()#,@\[\]+=&;{}!$*]")


def rule_description(why: str) -> str:
    """The intent's reason as AWS takes it for a rule; what AWS refuses becomes a space."""
    return " ".join(_REFUSED.sub(" ", why).split())[:255]


@dataclass(frozen=True)
class GroupsArgs:
    """Rules per server role, per load balancer and per VPC's endpoints (from the renderings), and where each
    role and each load balancer stands.
    """

    rules: Mapping[str, Sequence[SgRule]]
    load_balancer_rules: Mapping[str, Sequence[SgRule]]
    endpoint_rules: Mapping[str, Sequence[SgRule]]
    vpc_of_role: Mapping[str, str]
    vpc_of_load_balancer: Mapping[str, str]
    vpcs: Mapping[str, Vpc]
    peerings: Sequence[pulumi.Resource]


class Groups(pulumi.ComponentResource):
    """One security group per server role, per load balancer, and in front of each VPC's interface endpoints.

    A load balancer is no server role, so its name never clashes with one (settings/rules_load_balancers.py).
    """

    roles: dict[str, ec2.SecurityGroup]
    load_balancers: dict[str, ec2.SecurityGroup]
    endpoints: dict[str, ec2.SecurityGroup]

    def __init__(self, name: str, args: GroupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:network:Groups", name, {}, opts)
        self._args = args
        self.roles = {
            role: self._group(role, args.vpc_of_role[role], f"Nodes of the server role {role}", role=role)
            for role in args.rules
        }
        self.load_balancers = {
            name: self._group(f"{name}-load-balancer", vpc_key, f"The load balancer {name}")
            for name, vpc_key in args.vpc_of_load_balancer.items()
        }
        self.endpoints = {
            key: self._group(f"{key}-endpoints", key, f"Interface endpoints of the VPC {key}")
            for key in args.endpoint_rules
        }
        for role, rules in args.rules.items():
            for rule in rules:
                self._rule(role, self.roles[role], args.vpc_of_role[role], rule)
        for key, rules in args.load_balancer_rules.items():
            for rule in rules:
                self._rule(
                    f"{key}-load-balancer", self.load_balancers[key], args.vpc_of_load_balancer[key], rule
                )
        for key, rules in args.endpoint_rules.items():
            for rule in rules:
                self._rule(f"{key}-endpoints", self.endpoints[key], key, rule)
        self.register_outputs({"roles": {role: group.id for role, group in self.roles.items()}})

    def _group(self, name: str, vpc_key: str, description: str, **facts: str) -> ec2.SecurityGroup:
        # Without inline rules the provider removes the allow-all egress rule that AWS puts into a new group.
        return ec2.SecurityGroup(
            name,
            vpc_id=self._args.vpcs[vpc_key].id,
            description=description,
            revoke_rules_on_delete=True,  # groups that name each other could otherwise not be deleted
            tags=tags(name, **facts),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _rule(self, name: str, group: ec2.SecurityGroup, vpc_key: str, rule: SgRule) -> None:
        peer = self._peer(rule)
        # A group of the other VPC can be named only once the peering is active.
        crosses = rule.peer_kind == "role" and self._args.vpc_of_role[rule.peer] != vpc_key
        opts = pulumi.ResourceOptions(parent=self, depends_on=list(self._args.peerings) if crosses else None)
        kind = vpc.SecurityGroupIngressRule if rule.direction == "ingress" else vpc.SecurityGroupEgressRule
        kind(
            f"{name}-{rule.key}",
            security_group_id=group.id,
            ip_protocol=rule.protocol,
            from_port=rule.port,
            to_port=rule.port,
            description=rule_description(rule.why),
            cidr_ipv4=rule.peer if rule.peer_kind == "cidr4" else None,
            cidr_ipv6=rule.peer if rule.peer_kind == "cidr6" else None,
            referenced_security_group_id=peer,
            tags=tags(f"{name}-{rule.key}"),
            opts=opts,
        )

    def _peer(self, rule: SgRule) -> pulumi.Output[str] | None:
        if rule.peer_kind == "role":
            return self.roles[rule.peer].id
        if rule.peer_kind == "load_balancer":
            return self.load_balancers[rule.peer].id
        if rule.peer_kind == "aws_endpoints":
            return self.endpoints[rule.peer].id
        return None


@dataclass(frozen=True)
class TierAclArgs:
    """One tier's entries (from the renderings) and its VPC."""

    vpc: Vpc
    tier: str
    entries: Sequence[AclEntry]


class TierAcl(pulumi.ComponentResource):
    """The network ACL of one tier of one VPC. Whatever has no entry meets the ACL's own deny."""

    acl: ec2.NetworkAcl

    def __init__(self, name: str, args: TierAclArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:network:TierAcl", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.acl = ec2.NetworkAcl(
            name,
            vpc_id=args.vpc.id,
            subnet_ids=[subnet.id for subnet in args.vpc.subnets_of_tier(args.tier).values()],
            tags=tags(name, tier=args.tier),
            opts=child,
        )
        for entry in args.entries:
            block = _block(args.vpc, entry)
            ec2.NetworkAclRule(
                f"{name}-{entry.key}",
                network_acl_id=self.acl.id,
                egress=entry.direction == "egress",
                rule_number=entry.number,
                rule_action="allow",
                protocol=entry.protocol_number,
                from_port=entry.from_port,
                to_port=entry.to_port,
                cidr_block=block if entry.cidr.version == 4 else None,
                ipv6_cidr_block=block if entry.cidr.version == 6 else None,
                opts=child,
            )
        self.register_outputs({"acl": self.acl.id})


def _block(vpc: Vpc, entry: AclEntry) -> pulumi.Input[str]:
    return vpc.tier_cidr6(entry.cidr.tier) if isinstance(entry.cidr, TierBlock6) else str(entry.cidr)
