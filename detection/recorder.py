"""AWS Config: what every resource of the region looked like at every moment, and rules over it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi_aws import cfg, iam

from settings import Settings
from storage.deliveries import DELIVERIES
from tagging import tags

# AWS Config API Reference, "RetentionConfiguration" (read 2026-11): 30 days to seven years.
LEAST_DAYS, MOST_DAYS = 30, 2557
# There is one recorder and one channel in a region, and this is what AWS itself calls them.
NAME = "default"


@dataclass(frozen=True)
class ManagedRule:
    """A managed rule of `rules.yaml`; parameters filled in."""

    name: str
    rule: str
    watches: str
    why: str
    parameters: Mapping[str, str]
    types: Sequence[str]


@functools.cache
def _table() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load((Path(__file__).parent / "rules.yaml").read_text(encoding="utf-8")))


def managed_rules(settings: Settings) -> list[ManagedRule]:
    """The rules of a region, sorted by name. Pure but for reading the table once.

    A parameter without a value is left out: AWS Config takes no empty one, and without ports it admits none.
    """
    tcp = sorted({r.port for r in settings.firewall if "internet" in r.from_ and r.protocol == "tcp"})
    facts = {"internet_tcp": ",".join(map(str, tcp)), "image": settings.image.id}
    return [
        ManagedRule(
            name,
            stated["rule"],
            stated["watches"],
            stated["why"],
            {k: said for k, v in stated.get("parameters", {}).items() if (said := v.format(**facts))},
            tuple(stated.get("types", ())),
        )
        for name, stated in sorted(_table().items())
    ]


@dataclass(frozen=True)
class RecorderArgs:
    """The stack and its settings, and the bucket that history and snapshots are delivered to."""

    stack: str
    settings: Settings
    bucket: pulumi.Input[str]


class Recorder(pulumi.ComponentResource):
    """The recorder of all types, running; its channel; the rules."""

    recorder: cfg.Recorder
    running: cfg.RecorderStatus
    rules: dict[str, cfg.Rule]

    def __init__(self, name: str, args: RecorderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:detection:Recorder", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        # AWS asks for its own role, whose rights grow with the types it records; where the account has it
        # already (AWS Control Tower makes it), `pulumi import` takes it over.
        role = iam.ServiceLinkedRole(
            name,
            aws_service_name="config.amazonaws.com",
            description="Lets AWS Config read every resource",
            tags=tags(f"{args.stack}-config"),
            opts=self._child,
        )
        self.recorder = cfg.Recorder(
            name,
            name=NAME,
            role_arn=role.arn,
            # Users, roles and policies belong to no region; this one records them.
            recording_group=cfg.RecorderRecordingGroupArgs(
                all_supported=True, include_global_resource_types=True
            ),
            opts=self._child,
        )
        channel = cfg.DeliveryChannel(
            name,
            name=NAME,
            s3_bucket_name=args.bucket,
            s3_key_prefix=DELIVERIES["config"].prefix,
            snapshot_delivery_properties=cfg.DeliveryChannelSnapshotDeliveryPropertiesArgs(
                delivery_frequency="TwentyFour_Hours"
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.recorder]),
        )
        self.running = cfg.RecorderStatus(
            name,
            name=self.recorder.name,
            is_enabled=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[channel]),
        )
        cfg.RetentionConfiguration(
            name,
            retention_period_in_days=max(LEAST_DAYS, min(MOST_DAYS, args.settings.retention.archive_days)),
            opts=self._child,
        )
        self.rules = {rule.name: self._rule(rule) for rule in managed_rules(args.settings)}
        self.register_outputs({"recorder": self.recorder.name})

    def _rule(self, rule: ManagedRule) -> cfg.Rule:
        return cfg.Rule(
            rule.name,
            name=f"stockade-{rule.name}",
            description=f"{rule.why} ({rule.watches})"[:256],
            source=cfg.RuleSourceArgs(owner="AWS", source_identifier=rule.rule),
            input_parameters=json.dumps(rule.parameters, sort_keys=True) if rule.parameters else None,
            scope=cfg.RuleScopeArgs(compliance_resource_types=list(rule.types)) if rule.types else None,
            tags=tags(f"{self._args.stack}-{rule.name}"),
            # AWS takes no rule before there is a recorder.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.recorder]),
        )
