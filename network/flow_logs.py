"""Flow logs of the VPCs: every accepted and refused packet's summary, encrypted, kept as long as the stack
file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch, ec2, iam

from iam.boundary import LOG_DELIVERY, delivery_boundary
from iam.documents import Statement, document, render, trust
from storage.policies import flow_log_trust
from tagging import tags


@dataclass(frozen=True)
class FlowLogsArgs:
    """VPC ids by name, the key of the log groups and how long records are kept."""

    vpcs: Mapping[str, pulumi.Output[str]]
    key_arn: pulumi.Output[str]
    retention_days: int
    account: str
    region: str
    prefix: str


class FlowLogs(pulumi.ComponentResource):
    """One flow log and one log group for each VPC, and the one role that delivers to them."""

    logs: dict[str, ec2.FlowLog]
    groups: dict[str, cloudwatch.LogGroup]
    role: iam.Role

    def __init__(self, name: str, args: FlowLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:network:FlowLogs", name, {}, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self.groups = {vpc: self._group(vpc, args) for vpc in args.vpcs}
        self.role = self._role(name, args)
        self.logs = {vpc: self._log(vpc, vpc_id) for vpc, vpc_id in args.vpcs.items()}
        self.register_outputs({"logs": {vpc: log.id for vpc, log in self.logs.items()}})

    def _group(self, vpc: str, args: FlowLogsArgs) -> cloudwatch.LogGroup:
        return cloudwatch.LogGroup(
            f"{vpc}-flow-logs",
            name=f"{args.prefix}/flow-logs/{vpc}",
            kms_key_id=args.key_arn,
            retention_in_days=args.retention_days,
            tags=tags(f"{vpc}-flow-logs"),
            opts=self._child,
        )

    def _role(self, name: str, args: FlowLogsArgs) -> iam.Role:
        condition = flow_log_trust(args.account, args.region)
        boundary = iam.Policy(
            f"{name}-boundary",
            path=f"{args.prefix}/",  # the stack's, for names of log groups and of roles alike
            description="The most the flow log role may ever do, whatever else is attached to it",
            policy=render(delivery_boundary(args.region)),
            tags=tags(f"{name}-boundary"),
            opts=self._child,
        )
        role = iam.Role(
            name,
            path=f"{args.prefix}/",
            permissions_boundary=boundary.arn,
            assume_role_policy=render(trust("vpc-flow-logs.amazonaws.com", condition)),
            description="Lets the VPC flow log service write to the flow log groups of this stack",
            tags=tags(name),
            opts=self._child,
        )
        iam.RolePolicy(
            name,
            role=role.name,
            policy=pulumi.Output.all(*[group.arn for group in self.groups.values()]).apply(_delivery),
            opts=self._child,
        )
        return role

    def _log(self, vpc: str, vpc_id: pulumi.Output[str]) -> ec2.FlowLog:
        return ec2.FlowLog(
            vpc,
            vpc_id=vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=self.groups[vpc].arn,
            iam_role_arn=self.role.arn,
            max_aggregation_interval=60,  # seconds; the other choice is ten minutes
            tags=tags(vpc),
            opts=self._child,
        )


def _delivery(group_arns: list[str]) -> str:
    resources = [resource for arn in sorted(group_arns) for resource in (arn, f"{arn}:*")]
    return render(document([Statement("Deliver", "Allow", LOG_DELIVERY, resources)]))
