"""Dashboards: the key parameters of every layer, and the state of its alarms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch

from detection.dashboard_body import body, dashboard_name
from detection.model import LAYERS, AlarmSpec, alarm_arn, alarm_name


@dataclass(frozen=True)
class DashboardsArgs:
    """The alarms of the region, which its dashboards show by layer."""

    account: str
    region: str
    stack: str
    alarms: Mapping[str, AlarmSpec]


class Dashboards(pulumi.ComponentResource):
    """One dashboard per layer."""

    dashboards: dict[str, cloudwatch.Dashboard]

    def __init__(self, name: str, args: DashboardsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:detection:Dashboards", name, {}, opts)
        self._stack = args.stack
        self.dashboards = {
            layer: cloudwatch.Dashboard(
                layer.replace(" ", "-"),
                dashboard_name=dashboard_name(args.stack, layer),
                dashboard_body=body(args.stack, args.region, layer, _arns(args, layer)),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for layer in LAYERS
        }
        self.register_outputs({})

    def contract(self) -> dict[str, str]:
        """Its part of the region contract: dashboard by layer."""
        return {layer: dashboard_name(self._stack, layer) for layer in LAYERS}


def _arns(args: DashboardsArgs, layer: str) -> list[str]:
    return [
        alarm_arn(args.account, args.region, alarm_name(args.stack, spec))
        for spec in args.alarms.values()
        if spec.layer == layer
    ]
