"""What rolls the teams' windows forward: a schedule, a function, and the roles of both.

Every hour the function writes the windows of the coming days (iam/window_roll.py) into the boundaries of the
teams that have hours, and may do nothing else. When it fails nothing opens any more: the windows that are
written run out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, iam, lambda_, scheduler

from iam.documents import (
    Document,
    Statement,
    document,
    merge,
    of_account,
    on_behalf_of,
    outside_regions,
    render,
    trust,
)
from iam.team_grants import Place
from iam.team_limits import TEAMS_PATH, roller_name
from iam.window_policy import WindowPolicy
from tagging import tags

SOURCE = Path(__file__).with_name("window_roll.py")
EVERY = "rate(1 hour)"
RUNTIME = "python3.12"
_SECONDS = 60
ROLLING = (
    "iam:CreatePolicyVersion",
    "iam:DeletePolicyVersion",
    "iam:GetPolicyVersion",
    "iam:ListPolicyVersions",
)
WRITING = ("logs:CreateLogStream", "logs:PutLogEvents")


@dataclass(frozen=True)
class WindowsArgs:
    """`policies`: the boundaries to roll. `log_prefix`: where the stack's log groups are."""

    place: Place
    policies: Sequence[WindowPolicy]
    boundaries: Sequence[pulumi.Resource]
    log_key_arn: pulumi.Input[str]
    log_prefix: str
    log_days: int


def rolling(arns: Sequence[str], log_group: str) -> Document:
    """New versions of exactly these policies, and the function's own log lines."""
    return document(
        [
            Statement("RollWindows", "Allow", ROLLING, sorted(arns)),
            Statement("WriteLog", "Allow", WRITING, (f"{log_group}:*",)),
        ]
    )


def rolling_at_most(place: Place) -> Document:
    """The boundary of the function: versions of the teams' boundaries, log lines of this stack."""
    policies = place.iam(f"policy/{TEAMS_PATH}/{place.stack}/*-boundary-*")
    return document(
        [
            Statement("RollAtMost", "Allow", ROLLING, (policies,)),
            Statement(
                "LogAtMost", "Allow", WRITING, (place.arn("logs", f"log-group:/stockade/{place.stack}/*"),)
            ),
            Statement(
                "StayInTheRegion",
                "Deny",
                ["iam:*"],
                condition=outside_regions([place.region]),
                excepting=True,
            ),
        ]
    )


def calling(place: Place) -> Document:
    """What the schedule may do, and at most: call the function."""
    function = place.arn("lambda", f"function:{roller_name(place.stack)}")
    return document([Statement("CallRoller", "Allow", ["lambda:InvokeFunction"], (function,))])


def schedule_name(place: Place, orders: str) -> str:
    """The schedule's name. It changes with what is ordered: a new schedule calls at once, so that changed
    hours hold within a minute.
    """
    return f"{roller_name(place.stack)}-{hashlib.sha256(orders.encode()).hexdigest()[:8]}"


class Windows(pulumi.ComponentResource):
    """What rolls the dated windows forward every hour: function, schedule, their roles, a log group."""

    function: lambda_.Function
    schedule: scheduler.Schedule
    group: cloudwatch.LogGroup

    def __init__(self, name: str, args: WindowsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:iam:Windows", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self._name = roller_name(args.place.stack)
        self.group = cloudwatch.LogGroup(
            "window-roll",
            name=f"{args.log_prefix}/window-roll",
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_days,
            tags=tags(self._name),
            opts=self._child,
        )
        self.function = self._function()
        self.schedule = self._schedule()
        self.register_outputs({"function": self.function.arn})

    def _function(self) -> lambda_.Function:
        place = self._args.place
        arns = [policy.arn for policy in self._args.policies]
        grants = self.group.arn.apply(lambda arn: render(rolling(arns, arn)))
        role = self._role("window-roll", trust("lambda.amazonaws.com", of_account(place.account)), grants)
        return lambda_.Function(
            "window-roll",
            name=self._name,
            description="Writes the coming windows into the boundaries of teams with hours",
            runtime=RUNTIME,
            handler="window_roll.handler",
            code=pulumi.AssetArchive({SOURCE.name: pulumi.StringAsset(SOURCE.read_text())}),
            role=role.arn,
            timeout=_SECONDS,
            memory_size=128,
            logging_config=lambda_.FunctionLoggingConfigArgs(log_format="Text", log_group=self.group.name),
            tags=tags(self._name),
            opts=self._child,
        )

    def _schedule(self) -> scheduler.Schedule:
        place, args = self._args.place, self._args
        orders = json.dumps({"policies": [policy.order() for policy in args.policies]}, sort_keys=True)
        group = on_behalf_of(place.arn("scheduler", "schedule-group/default"))
        trusted = trust("scheduler.amazonaws.com", merge(of_account(place.account), group))
        role = self._role("window-schedule", trusted, render(calling(place)), render(calling(place)))
        return scheduler.Schedule(
            "window-roll",
            name=schedule_name(place, orders),
            description="Rolls the windows of teams with hours",
            schedule_expression=EVERY,
            flexible_time_window=scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            state="ENABLED",
            target=scheduler.ScheduleTargetArgs(
                arn=self.function.arn,
                role_arn=role.arn,
                input=orders,
                retry_policy=scheduler.ScheduleTargetRetryPolicyArgs(
                    maximum_event_age_in_seconds=3600, maximum_retry_attempts=5
                ),
            ),
            # The first call comes at once: what it rolls has to be there.
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.boundaries)),
        )

    def _role(
        self, name: str, trusted: Document, grants: pulumi.Input[str], at_most: str | None = None
    ) -> iam.Role:
        stack = self._args.place.stack
        path = f"/{TEAMS_PATH}/{stack}/"
        boundary = iam.Policy(
            f"{name}-boundary",
            name=f"{stack}-{name}-most",
            path=path,
            description=f"The most {name} may ever do",
            policy=at_most or render(rolling_at_most(self._args.place)),
            tags=tags(f"{stack}-{name}-most"),
            opts=self._child,
        )
        role = iam.Role(
            name,
            name=f"{stack}-{name}",
            path=path,
            assume_role_policy=render(trusted),
            permissions_boundary=boundary.arn,
            description="Keeps the windows of teams with hours",
            max_session_duration=3600,
            tags=tags(f"{stack}-{name}"),
            opts=self._child,
        )
        iam.RolePolicy(name, name="rolling", role=role.name, policy=grants, opts=self._child)
        return role

    def contract(self) -> dict[str, Any]:
        """What is watched: the function, and the schedule that calls it."""
        return {
            "function": self.function.name,
            "schedule": self.schedule.name,
            "role_arn": self.function.role,
            "policies": [policy.arn for policy in self._args.policies],
        }
