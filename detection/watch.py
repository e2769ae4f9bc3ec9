"""The watch of a region: notices, alarms, dashboards and event rules, from what the other components made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from detection.alarms import Alarms, AlarmsArgs
from detection.dashboards import Dashboards, DashboardsArgs
from detection.events import Events, EventsArgs
from detection.notices import Notices, NoticesArgs
from detection.routes import serious_rules
from detection.thresholds import of
from detection.watched import Watched
from settings import Settings


@dataclass(frozen=True)
class WatchArgs:
    """What there is to watch: see `detection.watched.Watched`. `key_arn` encrypts notices, `log_key_arn` log
    groups. `rolling`, `rolling_role`: the function that rolls dated windows, and its role's name.
    """

    settings: Settings
    stack: str
    key_arn: pulumi.Input[str]
    log_key_arn: pulumi.Input[str]
    trail_group: pulumi.Input[str]
    tunnels: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    flow_logs: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    buckets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    nat: bool = False
    rolling: pulumi.Input[str] | None = None
    rolling_role: str | None = None


class Watch(pulumi.ComponentResource):
    """Everything that notices, and everywhere it tells."""

    notices: Notices
    alarms: Alarms
    dashboards: Dashboards
    events: Events

    def __init__(self, name: str, args: WatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:detection:Watch", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        config, stack = args.settings, args.stack
        where = {"account": config.account, "region": config.region}
        limits = of(config.detection.thresholds)
        self.notices = Notices(
            "notices",
            NoticesArgs(
                **where,
                stack=stack,
                key_arn=args.key_arn,
                log_key_arn=args.log_key_arn,
                log_days=config.retention.flow_logs_days,
                endpoints=config.detection.notify,
                monthly_cost=limits["monthly-cost"],
            ),
            self._child,
        )
        self.alarms = self._alarms()
        self.dashboards = Dashboards(
            "dashboards", DashboardsArgs(**where, stack=stack, alarms=self.alarms.specs), self._child
        )
        self.events = Events(
            "events",
            EventsArgs(
                **where,
                stack=stack,
                queue_arn=self.notices.incidents.arn,
                dead_letters_arn=self.notices.dead_letters.arn,
                key_arn=args.key_arn,
                archive_days=config.retention.flow_logs_days,
            ),
            self._child,
        )
        self.register_outputs({})

    def contract(self) -> dict[str, Any]:
        """Its parts of the region contract, by their keys in it."""
        return {
            "notices": self.notices.contract(),
            "alarms": self.alarms.contract(),
            "dashboards": self.dashboards.contract(),
            "event_rules": self.events.contract(),
        }

    def _alarms(self) -> Alarms:
        args, config = self._args, self._args.settings
        watched = Watched(
            stack=args.stack,
            nodes=sum(role.count for role in config.server_roles.values()),
            trail_group=args.trail_group,
            topic=self.notices.names["notices"],
            incidents=self.notices.names["incidents"],
            dead_letters=self.notices.names["dead-letters"],
            serious_rules=serious_rules(args.stack),
            tunnels=args.tunnels,
            flow_logs=args.flow_logs,
            buckets=args.buckets,
            load_balancers=bool(config.load_balancers),
            nat=args.nat,
            rolling=args.rolling,
        )
        alarms = AlarmsArgs(
            account=config.account,
            region=config.region,
            watched=watched,
            topic_arn=self.notices.topic.arn,
            thresholds=config.detection.thresholds,
            rolling_role=args.rolling_role,
        )
        return Alarms("alarms", alarms, self._child)
