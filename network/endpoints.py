"""VPC endpoints: AWS APIs without the internet, for our account only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from iam.documents import render
from network.endpoint_policies import SYSTEMS_MANAGER, Home, endpoint_policy
from network.vpc import Vpc
from tagging import tags

# Services nodes need: management (Systems Manager), keys, logs, secrets, objects.
INTERFACES = (*SYSTEMS_MANAGER, "kms", "logs", "secretsmanager", "s3")


@dataclass(frozen=True)
class EndpointsArgs:
    """`security_group` None: no role of this VPC may use interface endpoints, so there are none."""

    vpc: Vpc
    tier: str
    home: Home
    security_group: pulumi.Output[str] | None
    services: Sequence[str] = INTERFACES


class Endpoints(pulumi.ComponentResource):
    """One VPC's endpoints.

    S3 has both kinds. Nodes resolve S3 to the interface endpoint, which security groups and ACLs can name;
    the gateway endpoint catches what would otherwise leave through an internet or NAT gateway, and holds it
    to the same policy.
    """

    gateway: ec2.VpcEndpoint
    interfaces: dict[str, ec2.VpcEndpoint]

    def __init__(self, name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:network:Endpoints", name, {}, opts)
        self._name, self._args, self._child = name, args, pulumi.ResourceOptions(parent=self)
        self.gateway = ec2.VpcEndpoint(
            f"{name}-s3-gateway",
            vpc_id=args.vpc.id,
            vpc_endpoint_type="Gateway",
            service_name=f"com.amazonaws.{args.home.region}.s3",
            route_table_ids=[table.id for table in args.vpc.route_tables.values()],
            policy=render(endpoint_policy("s3", args.home)),
            tags=tags(f"{name}-s3-gateway"),
            opts=self._child,
        )
        self.interfaces = {}
        if args.security_group is not None:
            self.interfaces = {
                service: self._interface(service, args.security_group) for service in args.services
            }
        self.register_outputs({"interfaces": {key: made.id for key, made in self.interfaces.items()}})

    def _interface(self, service: str, group: pulumi.Output[str]) -> ec2.VpcEndpoint:
        args = self._args
        dns = ec2.VpcEndpointDnsOptionsArgs(
            dns_record_ip_type="ipv4", private_dns_only_for_inbound_resolver_endpoint=False
        )
        return ec2.VpcEndpoint(
            f"{self._name}-{service}",
            vpc_id=args.vpc.id,
            vpc_endpoint_type="Interface",
            service_name=f"com.amazonaws.{args.home.region}.{service}",
            subnet_ids=[subnet.id for subnet in args.vpc.subnets_of_tier(args.tier).values()],
            security_group_ids=[group],
            private_dns_enabled=True,
            # Only S3 has the choice of who gets the private name.
            dns_options=dns if service == "s3" else None,
            policy=render(endpoint_policy(service, args.home)),
            tags=tags(f"{self._name}-{service}"),
            # With a gateway endpoint in the VPC, AWS wants it there before S3's private name is switched on.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.gateway] if service == "s3" else None),
        )
