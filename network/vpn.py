"""Site-to-site VPN: each site's tunnels to its VPCs, with every negotiable thing pinned.

Pinned, because what AWS offers by default includes IKEv1, AES-128, SHA-1 and DH group 2 (Site-to-Site VPN
User Guide, "Tunnel options"). The pre-shared keys live in Secrets Manager, so neither the state nor an
output ever holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, ec2

from network.vpc import Vpc, tables_of_tiers
from settings.model import Site
from tagging import tags

# Amazon's side of BGP, from the private range of RFC 6996; one number per region, the sites have their own.
AMAZON_ASN = "64512"

TUNNEL: dict[str, Any] = {
    "ike_versions": ["ikev2"],
    "phase1_encryption_algorithms": ["AES256-GCM-16"],
    "phase1_integrity_algorithms": ["SHA2-384", "SHA2-512"],  # the pseudo-random function under GCM
    "phase1_dh_group_numbers": [19, 20, 21],  # NIST P-256, P-384, P-521
    "phase1_lifetime_seconds": 28800,
    "phase2_encryption_algorithms": ["AES256-GCM-16"],
    "phase2_integrity_algorithms": ["SHA2-384", "SHA2-512"],
    "phase2_dh_group_numbers": [19, 20, 21],  # perfect forward secrecy with the same strength
    "phase2_lifetime_seconds": 3600,
    "rekey_margin_time_seconds": 540,
    "rekey_fuzz_percentage": 100,
    "replay_window_size": 1024,
    "dpd_timeout_seconds": 30,
    "dpd_timeout_action": "restart",
    "startup_action": "start",  # Amazon initiates, so a restarted site needs nobody
    "enable_tunnel_lifecycle_control": True,  # we choose when an endpoint is replaced
}


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
            (key, vpc): self._connection(key, vpc) for key, site in args.sites.items() for vpc in site.vpcs
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

    def _connection(self, site: str, vpc: str) -> ec2.VpnConnection:
        name = f"{site}-{vpc}"
        return ec2.VpnConnection(
            name,
            type="ipsec.1",
            customer_gateway_id=self.customer_gateways[site].id,
            vpn_gateway_id=self.vpn_gateways[vpc].id,
            static_routes_only=False,
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
