"""Site-to-site VPN: each site's tunnels to its VPCs, with every negotiable thing pinned.

The pre-shared keys are made by AWS and live in Secrets Manager, so neither the state nor an output ever holds
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, ec2

from network.tunnel_options import TUNNEL
from network.vpc import Vpc, tables_of_tiers
from settings.model import Site
from tagging import tags

# Amazon's side of BGP, from the private range of RFC 6996; one number per region, the sites have their own.
AMAZON_ASN = "64512"


@dataclass(frozen=True)
class SiteVpnArgs:
    """Sites, the VPCs, which tiers of each VPC learn the sites' routes, and where tunnels log to."""

    sites: Mapping[str, Site]
    vpcs: Mapping[str, Vpc]
    tiers: Mapping[str, Sequence[str]]
    key_arn: pulumi.Output[str]
    retention_days: int
    prefix: str


class SiteVpn(pulumi.ComponentResource):
    """One customer gateway per site, one VPN gateway per VPC, one connection of two tunnels per site and
    VPC.
    """

    customer_gateways: dict[str, ec2.CustomerGateway]
    vpn_gateways: dict[str, ec2.VpnGateway]
    connections: dict[tuple[str, str], ec2.VpnConnection]
    routes: dict[tuple[str, str, str], ec2.VpnConnectionRoute]
    log_group: cloudwatch.LogGroup

    def __init__(self, name: str, args: SiteVpnArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:network:SiteVpn", name, {}, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self.log_group = cloudwatch.LogGroup(
            f"{name}-tunnels",
            # AWS asks for this prefix where its services deliver logs.
            name=f"/aws/vendedlogs{args.prefix}/vpn",
            kms_key_id=args.key_arn,
            retention_in_days=args.retention_days,
            tags=tags(f"{name}-tunnels"),
            opts=self._child,
        )
        wanted = {vpc for site in args.sites.values() for vpc in site.vpcs}
        self.vpn_gateways = {
            vpc: self._vpn_gateway(vpc, args.vpcs[vpc], args.tiers[vpc]) for vpc in args.vpcs if vpc in wanted
        }
        self.customer_gateways = {key: self._customer_gateway(key, site) for key, site in args.sites.items()}
        self.connections = {
            (key, vpc): self._connection(key, site, vpc, args.vpcs[vpc].cidr)
            for key, site in args.sites.items()
            for vpc in site.vpcs
        }
        self.routes = {
            (key, vpc, str(block)): self._route(key, vpc, block)
            for key, site in args.sites.items()
            if site.routing == "static"
            for vpc in site.vpcs
            for block in carried(site)
        }
        outputs = {f"{site}/{vpc}": found.id for (site, vpc), found in self.connections.items()}
        self.register_outputs({"connections": outputs})

    def _vpn_gateway(self, key: str, vpc: Vpc, tiers: Sequence[str]) -> ec2.VpnGateway:
        gateway = ec2.VpnGateway(
            key, vpc_id=vpc.id, amazon_side_asn=AMAZON_ASN, tags=tags(f"{key}-vpn"), opts=self._child
        )
        for table_key, table in tables_of_tiers(vpc, tiers).items():
            ec2.VpnGatewayRoutePropagation(
                f"{key}-{table_key}", vpn_gateway_id=gateway.id, route_table_id=table.id, opts=self._child
            )
        return gateway

    def _customer_gateway(self, key: str, site: Site) -> ec2.CustomerGateway:
        # A four-byte AS number (RFC 6793) has an input of its own.
        extended = site.asn > 2**31 - 1
        return ec2.CustomerGateway(
            key,
            type="ipsec.1",
            ip_address=str(site.gateway),
            bgp_asn=None if extended else str(site.asn),
            bgp_asn_extended=str(site.asn) if extended else None,
            tags=tags(key, site_kind=site.kind),
            opts=self._child,
        )

    def _connection(self, key: str, site: Site, vpc: str, cidr: IPv4Network) -> ec2.VpnConnection:
        name = f"{key}-{vpc}"
        return ec2.VpnConnection(
            name,
            type="ipsec.1",
            customer_gateway_id=self.customer_gateways[key].id,
            vpn_gateway_id=self.vpn_gateways[vpc].id,
            static_routes_only=site.routing == "static",
            **selectors(site, cidr),
            preshared_key_storage="SecretsManager",
            tunnel1_log_options=ec2.VpnConnectionTunnel1LogOptionsArgs(
                cloudwatch_log_options=ec2.VpnConnectionTunnel1LogOptionsCloudwatchLogOptionsArgs(
                    log_enabled=True, log_group_arn=self.log_group.arn, log_output_format="json"
                )
            ),
            tunnel2_log_options=ec2.VpnConnectionTunnel2LogOptionsArgs(
                cloudwatch_log_options=ec2.VpnConnectionTunnel2LogOptionsCloudwatchLogOptionsArgs(
                    log_enabled=True, log_group_arn=self.log_group.arn, log_output_format="json"
                )
            ),
            **{f"tunnel{number}_{option}": value for number in (1, 2) for option, value in TUNNEL.items()},
            tags=tags(name),
            opts=self._child,
        )

    def _route(self, key: str, vpc: str, block: IPv4Network) -> ec2.VpnConnectionRoute:
        return ec2.VpnConnectionRoute(
            f"{key}-{vpc}-{str(block).replace('/', '_')}",
            vpn_connection_id=self.connections[key, vpc].id,
            destination_cidr_block=str(block),
            opts=self._child,
        )


def carried(site: Site) -> list[IPv4Network]:
    """The site's ranges that a connection carries: IPv4, for a VPN gateway's tunnels know nothing else (AWS
    Site-to-Site VPN User Guide, "IPv4 and IPv6 traffic").
    """
    return [block for block in site.ranges if isinstance(block, IPv4Network)]


def selectors(site: Site, cidr: IPv4Network) -> dict[str, Any]:
    """The traffic selectors of phase 2, as narrow as the routing allows.

    AWS's default is everything on both sides, and a VPN gateway passes traffic on between its connections
    (AWS VPN CloudHub): two customers could then reach each other. With static routes the VPC's block is all
    that a tunnel leads to. BGP needs the wide ones, because its own sessions run inside the tunnel.
    """
    if site.routing != "static":
        return {}
    ranges = carried(site)
    local = {"local_ipv4_network_cidr": str(ranges[0])} if len(ranges) == 1 else {}
    return {"remote_ipv4_network_cidr": str(cidr), **local}
