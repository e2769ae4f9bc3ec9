"""Names: every query is logged, and what nodes may resolve is a list; every other name does not exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, route53

from iam.documents import render
from network.names import EVERYTHING, allowed_names
from network.vended_logs import PREFIX, delivery_policy
from settings import Settings
from tagging import tags

# Priorities leave room on both sides; an association's is above 100 (Route 53 Resolver API reference).
ALLOW_PRIORITY, BLOCK_PRIORITY, ASSOCIATION_PRIORITY = 100, 9000, 101


@dataclass(frozen=True)
class ResolverArgs:
    """Settings, stack, VPC ids by name, the key of the log group and the prefix of its name."""

    settings: Settings
    stack: str
    vpcs: Mapping[str, pulumi.Output[str]]
    key_arn: pulumi.Output[str]
    prefix: str


class Resolver(pulumi.ComponentResource):
    """Query logging and DNS Firewall of every VPC.

    The firewall closes the way out that security groups and network ACLs cannot see: the VPC's resolver asks
    the internet on a node's behalf, so any name is a message to whoever answers for it.
    """

    log_group: cloudwatch.LogGroup
    delivery: cloudwatch.LogResourcePolicy
    query_log: route53.ResolverQueryLogConfig
    rule_group: route53.ResolverFirewallRuleGroup
    associations: dict[str, route53.ResolverFirewallRuleGroupAssociation]

    def __init__(self, name: str, args: ResolverArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:network:Resolver", name, {}, opts)
        self._name, self._args, self._child = name, args, pulumi.ResourceOptions(parent=self)
        self._allowed = allowed_names(args.settings)
        self._log()
        self._firewall()
        self.associations = {key: self._associate(key, vpc) for key, vpc in args.vpcs.items()}
        self.register_outputs({"rule_group": self.rule_group.id})

    def contract(self) -> dict[str, Any]:
        """The part `dns` of the region contract."""
        return {
            "log_group": self.log_group.name,
            "query_log": self.query_log.id,
            "rule_group": self.rule_group.id,
            "allowed_domains": list(self._allowed),
            "associations": {key: made.id for key, made in self.associations.items()},
        }

    def _log(self) -> None:
        name, args, config = f"{self._name}-queries", self._args, self._args.settings
        self.log_group = cloudwatch.LogGroup(
            name,
            name=f"{PREFIX}{args.prefix}/dns",
            kms_key_id=args.key_arn,
            retention_in_days=config.retention.flow_logs_days,
            tags=tags(name),
            opts=self._child,
        )
        self.delivery = cloudwatch.LogResourcePolicy(
            name,
            policy_name=f"stockade-{args.stack}-delivery",
            policy_document=render(delivery_policy(config.account, config.region, args.prefix)),
            opts=self._child,
        )
        self.query_log = route53.ResolverQueryLogConfig(
            name,
            name=f"stockade-{args.stack}",
            destination_arn=self.log_group.arn,
            tags=tags(name),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.delivery]),
        )
        for key, vpc in args.vpcs.items():
            route53.ResolverQueryLogConfigAssociation(
                key, resolver_query_log_config_id=self.query_log.id, resource_id=vpc, opts=self._child
            )

    def _firewall(self) -> None:
        stack = self._args.stack
        self.rule_group = route53.ResolverFirewallRuleGroup(
            self._name, name=f"stockade-{stack}", tags=tags(self._name), opts=self._child
        )
        # A name that is allowed may lead on to allowed names only: redirections are judged as well.
        self._rule("allowed", self._allowed, ALLOW_PRIORITY, action="ALLOW")
        # No such name: an answer without addresses would make programs try the next record type.
        self._rule("everything", [EVERYTHING], BLOCK_PRIORITY, action="BLOCK", answer="NXDOMAIN")

    def _rule(
        self, key: str, domains: Sequence[str], priority: int, action: str, answer: str | None = None
    ) -> None:
        name = f"{self._name}-{key}"
        listed = route53.ResolverFirewallDomainList(
            name,
            name=f"stockade-{self._args.stack}-{key}",
            domains=list(domains),
            tags=tags(name),
            opts=self._child,
        )
        route53.ResolverFirewallRule(
            name,
            name=f"stockade-{self._args.stack}-{key}",
            firewall_rule_group_id=self.rule_group.id,
            firewall_domain_list_id=listed.id,
            firewall_domain_redirection_action="INSPECT_REDIRECTION_DOMAIN",
            priority=priority,
            action=action,
            block_response=answer,
            opts=self._child,
        )

    def _associate(self, key: str, vpc: pulumi.Output[str]) -> route53.ResolverFirewallRuleGroupAssociation:
        route53.ResolverFirewallConfig(
            key,
            resource_id=vpc,
            firewall_fail_open="DISABLED",  # what cannot be judged is refused
            opts=self._child,
        )
        return route53.ResolverFirewallRuleGroupAssociation(
            key,
            name=f"stockade-{self._args.stack}-{key}",
            firewall_rule_group_id=self.rule_group.id,
            vpc_id=vpc,
            priority=ASSOCIATION_PRIORITY,
            # AWS refuses to remove or change it until somebody switches this off first.
            mutation_protection="ENABLED",
            tags=tags(f"{self._name}-{key}"),
            opts=self._child,
        )
