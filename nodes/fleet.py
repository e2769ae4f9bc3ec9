"""The nodes of one server role: a launch template that carries the hardening, instances, and public
addresses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from nodes.first_boot import user_data
from nodes.placement import Placement
from settings.model import Tier
from tagging import tags

ROOT_DEVICE = "/dev/xvda"  # Debian's cloud images for EC2 name their root volume so
ROOT_GIB = 40


@dataclass(frozen=True)
class FleetArgs:
    """One server role's nodes and everything they are made of. `subnets` by `<tier>-<zone letter>`."""

    role: str
    tier: Tier
    instance_type: str
    image_id: str
    placements: Sequence[Placement]
    subnets: Mapping[str, pulumi.Output[str]]
    security_group: pulumi.Output[str]
    instance_profile_arn: pulumi.Output[str]
    volume_key_arn: pulumi.Output[str]
    administrator_keys: Sequence[str]
    ipv6: bool = False


class Fleet(pulumi.ComponentResource):
    """Instances by node name; in the public tier each has its own Elastic IP."""

    template: ec2.LaunchTemplate
    instances: dict[str, ec2.Instance]
    addresses: dict[str, ec2.Eip]

    def __init__(self, name: str, args: FleetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:nodes:Fleet", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self.template = self._template()
        self.instances = {placed.name: self._instance(placed) for placed in args.placements}
        public = args.tier == Tier.PUBLIC
        self.addresses = {node: self._address(node) for node in self.instances} if public else {}
        self.register_outputs({"instances": {node: made.id for node, made in self.instances.items()}})

    def _template(self) -> ec2.LaunchTemplate:
        args = self._args
        return ec2.LaunchTemplate(
            args.role,
            image_id=args.image_id,
            instance_type=args.instance_type,
            iam_instance_profile=ec2.LaunchTemplateIamInstanceProfileArgs(arn=args.instance_profile_arn),
            vpc_security_group_ids=[args.security_group],
            metadata_options=ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled",
                http_tokens="required",
                http_put_response_hop_limit=1,
                instance_metadata_tags="disabled",
            ),
            block_device_mappings=[self._root_volume()],
            monitoring=ec2.LaunchTemplateMonitoringArgs(enabled=True),
            ebs_optimized="true",
            instance_initiated_shutdown_behavior="stop",
            user_data=user_data(args.role, args.administrator_keys),
            update_default_version=True,
            tag_specifications=[
                ec2.LaunchTemplateTagSpecificationArgs(
                    resource_type="volume", tags=tags(f"{args.role}-root", role=args.role, backup="daily")
                )
            ],
            tags=tags(args.role, role=args.role),
            opts=self._child,
        )

    def _root_volume(self) -> ec2.LaunchTemplateBlockDeviceMappingArgs:
        return ec2.LaunchTemplateBlockDeviceMappingArgs(
            device_name=ROOT_DEVICE,
            ebs=ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                encrypted="true",
                kms_key_id=self._args.volume_key_arn,
                volume_type="gp3",
                volume_size=ROOT_GIB,
                delete_on_termination="true",
            ),
        )

    def _instance(self, placed: Placement) -> ec2.Instance:
        # The template says everything about the node but where it stands. No subnet hands out public
        # or IPv6 addresses, so none has one unless it is stated here or below.
        return ec2.Instance(
            placed.name,
            launch_template=ec2.InstanceLaunchTemplateArgs(id=self.template.id, version="$Latest"),
            subnet_id=self._args.subnets[placed.subnet],
            ipv6_address_count=1 if self._args.ipv6 else None,
            tags=tags(placed.name, role=placed.role, tier=self._args.tier, zone=placed.zone),
            opts=self._child,
        )

    def _address(self, node: str) -> ec2.Eip:
        address = ec2.Eip(node, domain="vpc", tags=tags(node, role=self._args.role), opts=self._child)
        ec2.EipAssociation(
            node, allocation_id=address.id, instance_id=self.instances[node].id, opts=self._child
        )
        return address
