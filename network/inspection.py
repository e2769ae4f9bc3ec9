"""AWS Network Firewall between a VPC's public tier and its internet gateway; off unless the VPC asks for it.

Price, read 2026-11 from AWS Network Firewall pricing: for each endpoint (one per zone) and hour USD 0.395,
plus USD 0.065 for each GB; three zones cost about USD 865 a month before any traffic. NAT gateways in the
same zones are free of charge for as many hours and GB as go through the firewall.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, ec2, networkfirewall

from network.inspection_rules import inspection_rules
from network.intent import Intent
from network.plan import zone_letter
from network.vended_logs import PREFIX
from network.vpc import ANYWHERE, Vpc
from settings import Settings
from tagging import tags

# Fixed at creation (CreateRuleGroup, Capacity): one for each rule that there may ever be.
CAPACITY = 1000


@dataclass(frozen=True)
class InspectionArgs:
    """Settings, intent, stack, the VPC, the key and prefix of its log group, and what lets logs arrive."""

    settings: Settings
    intent: Intent
    stack: str
    vpc: Vpc
    key_arn: pulumi.Output[str]
    prefix: str
    delivery: pulumi.Resource


class Inspection(pulumi.ComponentResource):
    """The firewall of one VPC: everything to and from the internet passes it, both ways, zone by zone.

    Public subnets lead to the endpoint of their zone, the endpoint's subnet to the internet gateway, and the
    gateway's own table back to the endpoint.
    """

    firewall: networkfirewall.Firewall
    log_group: cloudwatch.LogGroup
    endpoints: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: InspectionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:network:Inspection", name, {}, opts)
        self._name, self._args, self._child = name, args, pulumi.ResourceOptions(parent=self)
        policy = self._policy()
        subnets = args.vpc.subnets_of_tier("firewall")
        self.firewall = networkfirewall.Firewall(
            name,
            name=f"stockade-{args.stack}-{name}",
            description="Passes what the firewall intent lets pass, drops the rest",
            firewall_policy_arn=policy.arn,
            vpc_id=args.vpc.id,
            subnet_mappings=[
                networkfirewall.FirewallSubnetMappingArgs(subnet_id=subnet.id) for subnet in subnets.values()
            ],
            delete_protection=True,
            subnet_change_protection=True,
            firewall_policy_change_protection=True,
            tags=tags(f"{name}-inspection"),
            opts=self._child,
        )
        self.endpoints = {
            key.partition("-")[2]: pulumi.Output.all(self.firewall.firewall_statuses, subnet.id).apply(
                _endpoint
            )
            for key, subnet in subnets.items()
        }
        self._log()
        self._route()
        self.register_outputs({"firewall": self.firewall.arn})

    def contract(self) -> dict[str, Any]:
        """This VPC's part of `inspection` in the region contract."""
        return {
            "firewall": self.firewall.arn,
            "log_group": self.log_group.name,
            "endpoints": dict(self.endpoints),
        }

    def _policy(self) -> networkfirewall.FirewallPolicy:
        args = self._args
        rules = inspection_rules(args.intent, self._name, args.settings.dns.allowed_domains)
        references = [self._rules(rules)] if rules else []
        # Nothing is decided without looking at the whole connection.
        whole = ["aws:forward_to_sfe"]
        return networkfirewall.FirewallPolicy(
            self._name,
            name=f"stockade-{args.stack}-{self._name}",
            firewall_policy=networkfirewall.FirewallPolicyFirewallPolicyArgs(
                stateless_default_actions=whole,
                stateless_fragment_default_actions=whole,
                stateful_default_actions=["aws:drop_established", "aws:alert_established"],
                stateful_engine_options=networkfirewall.FirewallPolicyFirewallPolicyStatefulEngineOptionsArgs(
                    rule_order="STRICT_ORDER",
                    stream_exception_policy="DROP",  # a connection seen from its middle on is nobody's
                ),
                stateful_rule_group_references=[
                    networkfirewall.FirewallPolicyFirewallPolicyStatefulRuleGroupReferenceArgs(
                        priority=1, resource_arn=group.arn
                    )
                    for group in references
                ],
            ),
            tags=tags(f"{self._name}-inspection"),
            opts=self._child,
        )

    def _rules(self, rules: list[str]) -> networkfirewall.RuleGroup:
        options = networkfirewall.RuleGroupRuleGroupStatefulRuleOptionsArgs(rule_order="STRICT_ORDER")
        source = networkfirewall.RuleGroupRuleGroupRulesSourceArgs(rules_string="\n".join(rules))
        return networkfirewall.RuleGroup(
            self._name,
            name=f"stockade-{self._args.stack}-{self._name}",
            type="STATEFUL",
            capacity=CAPACITY,
            rule_group=networkfirewall.RuleGroupRuleGroupArgs(
                rules_source=source, stateful_rule_options=options
            ),
            tags=tags(f"{self._name}-inspection"),
            opts=self._child,
        )

    def _log(self) -> None:
        args, name = self._args, f"{self._name}-inspection"
        self.log_group = cloudwatch.LogGroup(
            name,
            name=f"{PREFIX}{args.prefix}/inspection/{self._name}",
            kms_key_id=args.key_arn,
            retention_in_days=args.settings.retention.flow_logs_days,
            tags=tags(name),
            opts=self._child,
        )
        kinds = ("ALERT", "FLOW")
        one = networkfirewall.LoggingConfigurationLoggingConfigurationLogDestinationConfigArgs
        networkfirewall.LoggingConfiguration(
            self._name,
            firewall_arn=self.firewall.arn,
            logging_configuration=networkfirewall.LoggingConfigurationLoggingConfigurationArgs(
                log_destination_configs=[
                    one(
                        log_type=kind,
                        log_destination_type="CloudWatchLogs",
                        log_destination={"logGroup": self.log_group.name},
                    )
                    for kind in kinds
                ]
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.delivery]),
        )

    def _route(self) -> None:
        vpc, name = self._args.vpc, f"{self._name}-gateway"
        back = ec2.RouteTable(name, vpc_id=vpc.id, tags=tags(name), opts=self._child)
        ec2.RouteTableAssociation(
            name, route_table_id=back.id, gateway_id=vpc.internet_gateway.id, opts=self._child
        )
        for plan in (plan for plan in vpc.plan.values() if plan.tier == "public"):
            letter = zone_letter(plan.zone)
            ec2.Route(
                f"{self._name}-back-to-{plan.name}",
                route_table_id=back.id,
                destination_cidr_block=str(plan.cidr),
                vpc_endpoint_id=self.endpoints[letter],
                opts=self._child,
            )
            ec2.Route(
                f"{self._name}-{plan.name}-inspected",
                route_table_id=vpc.route_tables[plan.name].id,
                destination_cidr_block=ANYWHERE,
                vpc_endpoint_id=self.endpoints[letter],
                opts=self._child,
            )


def _endpoint(known: list[Any]) -> str:
    """The firewall's endpoint in a subnet. `Output.all` hands structures over as plain mappings."""
    statuses, subnet = known
    return next(
        str(attachment["endpoint_id"])
        for status in statuses
        for state in status["sync_states"]
        for attachment in state["attachments"]
        if attachment["subnet_id"] == subnet
    )
