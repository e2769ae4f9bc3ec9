"""The whole network of a region, from the settings and the firewall intent."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from network.endpoint_policies import Home
from network.endpoints import Endpoints, EndpointsArgs
from network.flow_logs import FlowLogs, FlowLogsArgs
from network.intent import Intent, egress_vpcs, endpoint_tier
from network.peering import Peering, PeeringArgs, crossings
from network.renderings import (
    endpoint_security_groups,
    load_balancer_security_groups,
    network_acls,
    security_groups,
)
from network.security import Groups, GroupsArgs, TierAcl, TierAclArgs
from network.transit import Transit, TransitArgs, by_address
from network.vpc import Vpc, VpcArgs
from network.vpn import SiteVpn, SiteVpnArgs
from settings import Settings, Tier


@dataclass(frozen=True)
class NetworkArgs:
    """Settings and intent, the key of the log groups, and the prefix of their names (`/stockade/<stack>`)."""

    settings: Settings
    intent: Intent
    log_key_arn: pulumi.Output[str]
    log_prefix: str


class Network(pulumi.ComponentResource):
    """VPCs with all that stands in them but the nodes."""

    vpcs: dict[str, Vpc]
    peerings: dict[str, Peering]
    transit: Transit | None
    groups: Groups
    acls: dict[tuple[str, str], TierAcl]
    endpoints: dict[str, Endpoints]
    flow_logs: FlowLogs
    vpn: SiteVpn

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:network:Network", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        config = args.settings
        self.vpcs = {key: Vpc(key, self._vpc_args(key), self._child) for key in config.vpcs}
        self.peerings, self.transit = self._peer(), self._transit()
        self.groups = self._groups()
        self.acls = {
            (vpc, tier): TierAcl(f"{vpc}-{tier}", TierAclArgs(self.vpcs[vpc], tier, entries), self._child)
            for (vpc, tier), entries in network_acls(args.intent, config).items()
        }
        self.endpoints = {key: self._endpoints(key) for key in self.vpcs}
        self.flow_logs = self._flow_logs(name)
        self.vpn = self._vpn(name)
        self.register_outputs({"vpcs": {key: vpc.id for key, vpc in self.vpcs.items()}})

    def storage_endpoints(self) -> dict[str, list[pulumi.Output[str]]]:
        """Per server role that the intent lets use AWS endpoints: the S3 endpoints of its VPC."""
        found = {}
        for flow in self._args.intent.flows:
            if flow.target.kind == "aws_endpoints" and flow.source.vpc:
                endpoints = self.endpoints[flow.source.vpc]
                found[flow.source.name] = [endpoints.gateway.id, endpoints.interfaces["s3"].id]
        return found

    def _vpc_args(self, key: str) -> VpcArgs:
        block = self._args.settings.vpcs[key]
        egress = key in egress_vpcs(self._args.intent)
        return VpcArgs(
            block.cidr,
            self._args.settings.zones,
            block.tiers,
            egress=egress,
            ipv6=block.ipv6,
            inspected=block.inspection,
        )

    def _transit(self) -> Transit | None:
        if self._args.settings.transit == "peering":
            return None
        return Transit("transit", TransitArgs(self.vpcs, crossings(self._args.intent)), self._child)

    def _peer(self) -> dict[str, Peering]:
        if self._args.settings.transit != "peering":
            return {}
        return {
            f"{found.left}-{found.right}": Peering(
                f"{found.left}-{found.right}",
                PeeringArgs(self.vpcs[found.left], self.vpcs[found.right], found),
                self._child,
            )
            for found in crossings(self._args.intent)
        }

    def _groups(self) -> Groups:
        roles, balancers = self._args.settings.server_roles, self._args.settings.load_balancers
        rules = security_groups(self._args.intent)
        joins = [peering.connection for peering in self.peerings.values()]
        args = GroupsArgs(
            rules=by_address(rules, self._args.intent) if self.transit else rules,
            load_balancer_rules=load_balancer_security_groups(self._args.intent),
            endpoint_rules=endpoint_security_groups(self._args.intent),
            vpc_of_role={key: role.vpc for key, role in roles.items()},
            vpc_of_load_balancer={key: balancer.vpc for key, balancer in balancers.items()},
            vpcs=self.vpcs,
            peerings=[*joins, *(self.transit.attachments.values() if self.transit else ())],
        )
        return Groups("groups", args, self._child)

    def _endpoints(self, key: str) -> Endpoints:
        config = self._args.settings
        group = self.groups.endpoints.get(key)
        args = EndpointsArgs(
            vpc=self.vpcs[key],
            tier=endpoint_tier(tuple(map(str, config.vpcs[key].tiers))),
            home=Home(config.account, config.region, pulumi.get_stack()),
            security_group=group.id if group else None,
        )
        return Endpoints(key, args, self._child)

    def _flow_logs(self, name: str) -> FlowLogs:
        config = self._args.settings
        args = FlowLogsArgs(
            vpcs={key: vpc.id for key, vpc in self.vpcs.items()},
            key_arn=self._args.log_key_arn,
            retention_days=config.retention.flow_logs_days,
            account=config.account,
            region=config.region,
            prefix=self._args.log_prefix,
        )
        return FlowLogs(f"{name}-flow-logs", args, self._child)

    def _vpn(self, name: str) -> SiteVpn:
        config = self._args.settings
        args = SiteVpnArgs(
            sites=config.sites,
            vpcs=self.vpcs,
            tiers=site_facing_tiers(self._args.intent, config),
            key_arn=self._args.log_key_arn,
            retention_days=config.retention.flow_logs_days,
            prefix=self._args.log_prefix,
        )
        return SiteVpn(f"{name}-vpn", args, self._child)


def site_facing_tiers(intent: Intent, settings: Settings) -> dict[str, list[str]]:
    """Per VPC the tiers whose route tables learn the sites' routes.

    The inner tiers always; the public one only where a role in it speaks with a site or with a service
    behind one.
    """
    outside = ("site", "service")
    speaking = {
        (ours.vpc, ours.tier)
        for flow in intent.flows
        for ours, other in ((flow.source, flow.target), (flow.target, flow.source))
        if other.kind in outside and ours.kind == "role"
    }
    return {
        vpc: [str(tier) for tier in block.tiers if tier != Tier.PUBLIC or (vpc, str(tier)) in speaking]
        for vpc, block in settings.vpcs.items()
    }
