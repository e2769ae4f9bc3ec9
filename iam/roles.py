"""One IAM role and instance profile per server role, under a permission boundary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import iam

from iam.boundary import node_boundary
from iam.documents import Statement, render, trust
from iam.node_policies import DataAccess, managed_by_ssm, node_policy, uses_data
from tagging import tags


@dataclass(frozen=True)
class NodeRolesArgs:
    """`endpoints`: for each server role that the intent lets reach AWS endpoints, the S3 endpoints it must
    come through. `data`: what each does with data. A role without any endpoint is granted
    nothing: it could not call AWS, so a permission would serve
    only whoever carries its credentials elsewhere.
    """

    account: str
    region: str
    allowed_regions: Sequence[str]
    stack: str
    roles: Sequence[str]
    data: Mapping[str, DataAccess]
    endpoints: Mapping[str, Sequence[pulumi.Output[str]]]
    switched: Sequence[Statement] = ()


class NodeRoles(pulumi.ComponentResource):
    """What the nodes may do in AWS."""

    boundary: iam.Policy
    roles: dict[str, iam.Role]
    profiles: dict[str, iam.InstanceProfile]

    def __init__(self, name: str, args: NodeRolesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:iam:NodeRoles", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self._path = f"/stockade/{args.stack}/"
        self.boundary = iam.Policy(
            "node-boundary",
            path=self._path,
            description="The most any node may ever do, whatever else is attached to its role",
            policy=render(node_boundary(args.allowed_regions, args.switched)),
            tags=tags(f"{args.stack}-node-boundary"),
            opts=self._child,
        )
        self.roles = {role: self._role(role) for role in args.roles}
        self.profiles = {role: self._profile(role) for role in args.roles}
        self.register_outputs({"roles": {key: role.arn for key, role in self.roles.items()}})

    def _role(self, role: str) -> iam.Role:
        created = iam.Role(
            f"node-{role}",
            path=self._path,
            assume_role_policy=render(trust("ec2.amazonaws.com")),
            permissions_boundary=self.boundary.arn,
            description=f"Nodes of the server role {role}",
            max_session_duration=3600,
            tags=tags(f"{self._args.stack}-node-{role}", role=role),
            opts=self._child,
        )
        if role in self._args.endpoints:
            policy = self._policy(role)
            iam.RolePolicy(f"node-{role}", name="node", role=created.name, policy=policy, opts=self._child)
        return created

    def _policy(self, role: str) -> pulumi.Input[str]:
        args = self._args
        managed = managed_by_ssm(args.region, args.account)
        return pulumi.Output.all(*args.endpoints[role]).apply(
            lambda doors: render(
                node_policy([*managed, *uses_data(args.data[role], args.region, args.account, doors)])
            )
        )

    def _profile(self, role: str) -> iam.InstanceProfile:
        return iam.InstanceProfile(
            f"node-{role}",
            path=self._path,
            role=self.roles[role].name,
            tags=tags(f"{self._args.stack}-node-{role}", role=role),
            opts=self._child,
        )
