"""The audit trail: every action by everybody, in every region of the account, written down where nobody can
change it.

One trail of all regions: what somebody does in a region where nothing should happen is recorded *here*, in
the jurisdiction, and is what gives them away. AWS writes another region's events into our region's bucket,
so that no log stays outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudtrail, cloudwatch, iam

from detection.recorded import Selector, selectors, stream_pattern, trail_arn, trail_name
from iam.boundary import LOG_DELIVERY, delivery_boundary
from iam.documents import Statement, document, merge, of_account, on_behalf_of, render, trust
from tagging import tags

# CloudTrail Insights: calls and errors that leave their usual rate (rows M12, M30).
INSIGHTS = ("ApiCallRateInsight", "ApiErrorRateInsight")


@dataclass(frozen=True)
class TrailArgs:
    """Where the trail writes, under which keys, and the data classes of which each access is recorded."""

    account: str
    region: str
    stack: str
    bucket: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]
    retention_days: int
    critical: Sequence[str]


class Trail(pulumi.ComponentResource):
    """The trail, its log group, and the role that writes the latter."""

    trail: cloudtrail.Trail
    group: cloudwatch.LogGroup
    log_group: pulumi.Output[str]
    role: iam.Role

    def __init__(self, name: str, args: TrailArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:detection:Trail", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self.group = cloudwatch.LogGroup(
            name,
            name=f"/stockade/{args.stack}/trail",
            kms_key_id=args.logs_key_arn,
            retention_in_days=args.retention_days,
            tags=tags(f"{args.stack}-trail"),
            opts=self._child,
        )
        # Metric filters and alarms hang on this.
        self.log_group = self.group.name
        self.role, permission = self._role(name)
        self.trail = self._trail(name, permission)
        self.register_outputs({"trail": self.trail.arn, "log_group": self.log_group})

    def contract(self) -> dict[str, Any]:
        """`trail` of the region contract."""
        return {
            "arn": self.trail.arn,
            "name": trail_name(self._args.stack),
            "bucket": self.trail.s3_bucket_name,
            "log_group": self.log_group,
        }

    def _role(self, name: str) -> tuple[iam.Role, iam.RolePolicy]:
        args = self._args
        ours = trail_arn(args.account, args.region, args.stack)
        boundary = iam.Policy(
            f"{name}-boundary",
            path=f"/stockade/{args.stack}/",
            description="The most the trail's role may ever do, whatever else is attached to it",
            policy=render(delivery_boundary(args.region)),
            tags=tags(f"{args.stack}-trail-boundary"),
            opts=self._child,
        )
        role = iam.Role(
            name,
            path=f"/stockade/{args.stack}/",
            permissions_boundary=boundary.arn,
            assume_role_policy=render(
                trust("cloudtrail.amazonaws.com", merge(of_account(args.account), on_behalf_of(ours)))
            ),
            description="Lets CloudTrail write to the trail's log group",
            tags=tags(f"{args.stack}-trail"),
            opts=self._child,
        )
        streams = stream_pattern(args.account, args.region, args.stack)
        permission = iam.RolePolicy(
            name,
            role=role.name,
            policy=render(
                document(
                    [
                        Statement(
                            "Deliver",
                            "Allow",
                            sorted({*LOG_DELIVERY} - {"logs:DescribeLogStreams"}),
                            (streams,),
                        )
                    ]
                )
            ),
            opts=self._child,
        )
        return role, permission

    def _trail(self, name: str, permission: iam.RolePolicy) -> cloudtrail.Trail:
        args = self._args
        return cloudtrail.Trail(
            name,
            name=trail_name(args.stack),
            s3_bucket_name=args.bucket,
            kms_key_id=args.key_arn,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            enable_logging=True,
            # CloudTrail wants the streams of the group.
            cloud_watch_logs_group_arn=self.group.arn.apply(lambda arn: f"{arn.removesuffix(':*')}:*"),
            cloud_watch_logs_role_arn=self.role.arn,
            advanced_event_selectors=[
                _as_args(one) for one in selectors(args.stack, args.account, args.critical)
            ],
            insight_selectors=[cloudtrail.TrailInsightSelectorArgs(insight_type=kind) for kind in INSIGHTS],
            tags=tags(trail_name(args.stack)),
            # CloudTrail tries the role at once.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission], protect=True),
        )


def _as_args(selector: Selector) -> cloudtrail.TrailAdvancedEventSelectorArgs:
    return cloudtrail.TrailAdvancedEventSelectorArgs(
        name=selector.name,
        field_selectors=[
            cloudtrail.TrailAdvancedEventSelectorFieldSelectorArgs(
                field=field,
                equals=_given(rules, "equals"),
                starts_withs=_given(rules, "starts_with"),
                not_equals=_given(rules, "not_equals"),
            )
            for field, rules in selector.fields.items()
        ],
    )


def _given(rules: Mapping[str, Sequence[str]], operator: str) -> list[str] | None:
    return list(rules[operator]) if operator in rules else None
