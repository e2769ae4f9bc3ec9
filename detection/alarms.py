"""Metric filters over the trail, and every alarm of the region; each tells the topic when it goes off and
when it is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, s3

from detection.filters import Filter, filters
from detection.measures import alarms
from detection.model import AlarmSpec, alarm_arn, alarm_name, queries
from detection.thresholds import of
from detection.watched import REQUEST_METRICS, Watched, namespace
from tagging import tags


@dataclass(frozen=True)
class AlarmsArgs:
    """What to watch, where the trail's records arrive, whom to tell, and a stack's own thresholds.

    `rolling_role`: name of the role whose policy changes are by design.
    """

    account: str
    region: str
    watched: Watched
    topic_arn: pulumi.Input[str]
    thresholds: Mapping[str, float]
    rolling_role: str | None = None


class Alarms(pulumi.ComponentResource):
    """One metric filter per entry of `filters.yaml`; one alarm per measure."""

    specs: dict[str, AlarmSpec]

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:detection:Alarms", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        wanted = filters(args.rolling_role)
        for found in wanted:
            self._filter(found)
        for key, bucket in args.watched.buckets.items():
            s3.BucketMetric(key.replace("/", "-"), bucket=bucket, name=REQUEST_METRICS, opts=self._child)
        self.specs = {spec.id: spec for spec in alarms(args.watched, wanted, of(args.thresholds))}
        for spec in self.specs.values():
            self._alarm(spec)
        self.register_outputs({})

    def contract(self) -> dict[str, dict[str, str]]:
        """Its part of the region contract."""
        args, stack = self._args, self._args.watched.stack
        return {
            key: {
                "name": alarm_name(stack, spec),
                "arn": alarm_arn(args.account, args.region, alarm_name(stack, spec)),
                "layer": spec.layer,
                "severity": spec.severity,
            }
            for key, spec in self.specs.items()
        }

    def _filter(self, found: Filter) -> None:
        stack = self._args.watched.stack
        cloudwatch.LogMetricFilter(
            found.id,
            name=f"{stack}-{found.id}",
            log_group_name=self._args.watched.trail_group,
            pattern=found.pattern,
            metric_transformation=cloudwatch.LogMetricFilterMetricTransformationArgs(
                name=found.id,
                namespace=namespace(stack),
                value="1",
                default_value="0",  # the alarm ends by itself
                unit="Count",
            ),
            opts=self._child,
        )

    def _alarm(self, spec: AlarmSpec) -> None:
        args, asked = self._args, queries(spec)
        source: dict[str, Any]
        if asked:
            source = {"metric_queries": asked}
        else:
            (metric,) = spec.metrics
            source = {
                "namespace": metric.namespace,
                "metric_name": metric.name,
                "dimensions": dict(metric.dimensions) or None,
                "statistic": metric.statistic,
                "period": spec.period,
            }
        limit = {"threshold_metric_id": "band"} if spec.anomaly else {"threshold": spec.threshold}
        name = alarm_name(args.watched.stack, spec)
        cloudwatch.MetricAlarm(
            spec.id,
            name=name,
            alarm_description=spec.says,
            comparison_operator=spec.operator,
            evaluation_periods=spec.periods,
            datapoints_to_alarm=spec.datapoints,
            treat_missing_data=spec.missing,
            actions_enabled=True,
            alarm_actions=[args.topic_arn],
            ok_actions=[args.topic_arn],
            **source,
            **limit,
            tags=tags(name, layer=spec.layer.replace(" ", "-"), severity=spec.severity),
            opts=self._child,
        )
