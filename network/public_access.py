"""The region's internet gateways are closed; subnets that need one are spared, one by one, as the intent
says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
from pulumi_aws import ec2

from network.intent import FACING, Intent
from network.vpc import Vpc
from settings import Settings
from tagging import tags

Exclusion = Literal["allow-bidirectional", "allow-egress"]


def facing_the_internet(intent: Intent) -> set[str]:
    """The VPCs in which something answers the internet: bound to sources or not."""
    reached = {flow.target.vpc for flow in intent.flows if flow.source.kind in FACING}
    reached |= {end.vpc for end in intent.endpoints if end.kind == "load_balancer"}
    return {vpc for vpc in reached if vpc}


def exclusions(
    intent: Intent, vpcs: Mapping[str, bool], inspected: Iterable[str] = ()
) -> dict[tuple[str, str], Exclusion]:
    """Per VPC and tier, how far the subnets are spared; a tier that is not named stays closed.

    `vpcs`: their names, and whether each is dual stack. Whoever calls the internet leaves through the public
    tier (its own gateway or a NAT gateway there), over IPv6 through an egress-only gateway from its own tier.
    """
    spared: dict[tuple[str, str], Exclusion] = {}
    for flow in intent.flows:
        source = flow.source
        if flow.target.kind == "internet" and source.vpc and source.tier:
            spared[source.vpc, "public"] = "allow-egress"
            if vpcs[source.vpc]:
                spared[source.vpc, source.tier] = "allow-egress"
    for vpc in facing_the_internet(intent) & set(vpcs):
        spared[vpc, "public"] = "allow-bidirectional"
    for vpc in inspected:  # the firewall stands between the public tier and the gateway
        if (vpc, "public") in spared:
            spared[vpc, "firewall"] = spared[vpc, "public"]
    return dict(sorted(spared.items()))


@dataclass(frozen=True)
class PublicAccessArgs:
    """Settings, intent, and the VPCs by name."""

    settings: Settings
    intent: Intent
    vpcs: Mapping[str, Vpc]


class PublicAccess(pulumi.ComponentResource):
    """VPC block public access, in both directions.

    It holds below route tables and security groups: an internet gateway that somebody attaches, or a public
    address that somebody adds to another subnet, carries nothing.
    """

    options: ec2.VpcBlockPublicAccessOptions
    spared: dict[str, ec2.VpcBlockPublicAccessExclusion]

    def __init__(self, name: str, args: PublicAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:network:PublicAccess", name, {}, opts)
        inspected = [key for key, vpc in args.settings.vpcs.items() if vpc.inspection]
        dual = {key: vpc.ipv6 for key, vpc in args.settings.vpcs.items()}
        self.spared = {
            f"{vpc}-{key}": ec2.VpcBlockPublicAccessExclusion(
                f"{vpc}-{key}",
                subnet_id=subnet.id,
                internet_gateway_exclusion_mode=mode,
                tags=tags(f"{vpc}-{key}"),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for (vpc, tier), mode in exclusions(args.intent, dual, inspected).items()
            for key, subnet in args.vpcs[vpc].subnets_of_tier(tier).items()
        }
        self.options = ec2.VpcBlockPublicAccessOptions(
            name,
            internet_gateway_block_mode="block-bidirectional",
            # Exclusions first: what may be reached is never cut off in between.
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(self.spared.values())),
        )
        self.register_outputs({"mode": self.options.internet_gateway_block_mode})

    def contract(self) -> dict[str, Any]:
        """The part `public_access` of the region contract: the mode, and the subnets that are spared."""
        return {
            "mode": self.options.internet_gateway_block_mode,
            "exclusions": {
                key: {"id": made.id, "subnet": made.subnet_id, "mode": made.internet_gateway_exclusion_mode}
                for key, made in self.spared.items()
            },
        }
