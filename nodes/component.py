"""All nodes of a region: one fleet per server role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from nodes.baseline import ComputeBaseline, ComputeBaselineArgs
from nodes.fleet import Fleet, FleetArgs
from nodes.placement import Placement, place
from settings import Settings


@dataclass(frozen=True)
class NodesArgs:
    """Settings, and per server role the group and the profile; per VPC the subnets by `<tier>-<zone
    letter>`.
    """

    settings: Settings
    subnets: Mapping[str, Mapping[str, pulumi.Output[str]]]
    security_groups: Mapping[str, pulumi.Output[str]]
    instance_profiles: Mapping[str, pulumi.Output[str]]
    volume_key_arn: pulumi.Output[str]


class Nodes(pulumi.ComponentResource):
    """The fleets, and what holds for every instance of the region."""

    placements: dict[str, list[Placement]]
    fleets: dict[str, Fleet]

    def __init__(self, name: str, args: NodesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:nodes:Nodes", name, {}, opts)
        self._args = args
        baseline = ComputeBaseline(
            "compute", ComputeBaselineArgs(args.volume_key_arn), pulumi.ResourceOptions(parent=self)
        )
        config = args.settings
        self.placements = {
            key: place(key, str(role.tier), role.count, config.zones)
            for key, role in config.server_roles.items()
        }
        # The defaults stand before the first instance starts.
        self._child = pulumi.ResourceOptions(parent=self, depends_on=[baseline])
        self.fleets = {key: self._fleet(key) for key in config.server_roles}
        self.register_outputs({})

    def _fleet(self, key: str) -> Fleet:
        args, role = self._args, self._args.settings.server_roles[key]
        return Fleet(
            key,
            FleetArgs(
                role=key,
                tier=role.tier,
                instance_type=role.instance_type,
                image_id=args.settings.image.id,
                placements=self.placements[key],
                subnets=args.subnets[role.vpc],
                security_group=args.security_groups[key],
                instance_profile_arn=args.instance_profiles[key],
                volume_key_arn=args.volume_key_arn,
                ipv6=args.settings.vpcs[role.vpc].ipv6,
                administrator_keys=[one.key for one in args.settings.administrators.values()],
            ),
            self._child,
        )
