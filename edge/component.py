"""The edge of a region: each load balancer of the settings with its web application firewall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pulumi
from pulumi_aws import shield

from detection.indicators import hostile
from edge.facts import MOST_ADDRESSES
from edge.firewall import FAMILIES, WebFirewall, WebFirewallArgs, ip_set
from edge.load_balancer import Balancer, BalancerArgs, Target
from edge.sources import bound
from edge.waf import IpSet
from network.intent import Intent
from network.vpc import Vpc
from settings import Settings
from settings.calendar import today
from settings.edge import LoadBalancer
from storage.deliveries import DELIVERIES
from tagging import tags

REDIRECT_PORT = 80


@dataclass(frozen=True)
class EdgeArgs:
    """Settings and intent, and what stands already.

    `instances`: per server role the instances by node name. `log_bucket`: takes what AWS services deliver,
    once its policy lets them.
    """

    settings: Settings
    intent: Intent
    stack: str
    vpcs: Mapping[str, Vpc]
    security_groups: Mapping[str, pulumi.Output[str]]
    instances: Mapping[str, Mapping[str, pulumi.Output[str]]]
    log_bucket: pulumi.Output[str]
    day: date = field(default_factory=today)


class Edge(pulumi.ComponentResource):
    """Load balancers and firewalls by the load balancer's name."""

    balancers: dict[str, Balancer]
    firewalls: dict[str, WebFirewall]
    hostile: list[IpSet]

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:edge:Edge", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self._prefix = f"stockade-{args.stack}"
        stated = args.settings.load_balancers
        # One pair for the region, there even when empty: responders add an attacker's address to it.
        blocked = args.settings.detection.indicators
        self.hostile = [
            ip_set(
                "hostile",
                f"{self._prefix}-hostile",
                hostile(blocked, args.day, version, MOST_ADDRESSES),
                version,
                self._child,
            )
            for version in (FAMILIES if stated else ())
        ]
        self.balancers = {key: self._balancer(key, found) for key, found in stated.items()}
        self.firewalls = {key: self._firewall(key, found) for key, found in stated.items()}
        for key, found in stated.items():
            if found.shield_advanced:
                self._shield(key)
        self.register_outputs({})

    def contract(self) -> dict[str, Any]:
        """Per load balancer: what verification judges it by, and what alarms watch it by."""
        return {key: self._described(key, found) for key, found in self._args.settings.load_balancers.items()}

    def _described(self, key: str, stated: LoadBalancer) -> dict[str, Any]:
        made, firewall, target = self.balancers[key], self.firewalls[key], target_of(self._args.intent, key)
        return {
            "arn": made.balancer.arn,
            "name": made.balancer.name,
            "dns_name": made.balancer.dns_name,
            "vpc": stated.vpc,
            "certificate": stated.certificate,
            "hosts": list(stated.hosts),
            "ports": ports_of(self._args.intent, key),
            "target_groups": {target[0]: {"arn": made.targets.arn, "port": target[1]}},
            "web_acl": {"arn": firewall.acl.arn, "name": firewall.acl_name},
            "log_bucket": self._args.log_bucket,
            "sources": stated.sources,
            "hostile": {
                str(found.cidr): found.until.isoformat()
                for found in self._args.settings.detection.indicators.values()
            },
            "requests_per_five_minutes": stated.requests_per_five_minutes,
            "uploads": stated.uploads,
            "shield_advanced": stated.shield_advanced,
            # CloudWatch's dimensions of AWS/ApplicationELB; AWS/WAFV2 has WebACL (the name), Region, Rule.
            "dimensions": {
                "LoadBalancer": made.balancer.arn_suffix,
                "TargetGroup": made.targets.arn_suffix,
            },
        }

    def _balancer(self, key: str, stated: LoadBalancer) -> Balancer:
        args = self._args
        vpc, (role, port) = args.vpcs[stated.vpc], target_of(args.intent, key)
        return Balancer(
            key,
            BalancerArgs(
                vpc_id=vpc.id,
                subnets=[subnet.id for subnet in vpc.subnets_of_tier("public").values()],
                security_group=args.security_groups[key],
                dual_stack=args.settings.vpcs[stated.vpc].ipv6,
                certificate=stated.certificate,
                hosts=stated.hosts,
                redirects=REDIRECT_PORT in ports_of(args.intent, key),
                target=Target(role, port, args.instances[role]),
                health_path=stated.health_path,
                log_bucket=args.log_bucket,
                log_prefix=DELIVERIES["load_balancers"].prefix,
            ),
            self._child,
        )

    def _firewall(self, key: str, stated: LoadBalancer) -> WebFirewall:
        args = self._args
        customers = bound(args.settings.customers, args.day) if stated.sources == "customers" else None
        return WebFirewall(
            key,
            WebFirewallArgs(
                load_balancer_arn=self.balancers[key].balancer.arn,
                hostile=self.hostile,
                customers=customers,
                requests_per_five_minutes=stated.requests_per_five_minutes,
                uploads=stated.uploads,
                stack=args.stack,
                prefix=self._prefix,
                log_bucket=args.log_bucket,
            ),
            self._child,
        )

    def _shield(self, key: str) -> None:
        # 3,000 USD a month for the organisation, with a commitment of a year, and the traffic
        # (aws.amazon.com/shield/pricing, read 2026-11-22). Needs the subscription, which no program makes.
        shield.Protection(
            key,
            name=f"{self._prefix}-{key}",
            resource_arn=self.balancers[key].balancer.arn,
            tags=tags(f"{self._prefix}-{key}"),
            opts=self._child,
        )


def ports_of(intent: Intent, load_balancer: str) -> list[int]:
    """The ports the intent opens on a load balancer."""
    here = ("load_balancer", load_balancer)
    return sorted({flow.port for flow in intent.flows if (flow.target.kind, flow.target.name) == here})


def target_of(intent: Intent, load_balancer: str) -> tuple[str, int]:
    """The one server role and port behind it (settings/rules_edge.py sees to it that there is one)."""
    here = ("load_balancer", load_balancer)
    (target,) = {
        (flow.target.name, flow.port)
        for flow in intent.flows
        if (flow.source.kind, flow.source.name) == here and flow.target.kind == "role"
    }
    return target
