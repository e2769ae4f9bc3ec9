"""Rules of EventBridge: what AWS tells about the region becomes records in the incident queue."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch

from detection.routes import Route, routes, rule_name
from tagging import tags

# EventBridge tries for a day; what then was not delivered is a dead letter (User Guide, "Retrying event
# delivery": the longest time and most attempts there are).
TRIED_SECONDS = 86_400
TRIED_TIMES = 185


@dataclass(frozen=True)
class EventsArgs:
    """Where records and undeliverable events go, and how long the archive keeps what was told."""

    account: str
    region: str
    stack: str
    queue_arn: pulumi.Input[str]
    dead_letters_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    archive_days: int


class Events(pulumi.ComponentResource):
    """A rule and a target per route of `events.yaml`, and an archive of every event they look at."""

    rules: dict[str, cloudwatch.EventRule]

    def __init__(self, name: str, args: EventsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:detection:Events", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self.rules = {route.id: self._rule(route) for route in routes()}
        self.archive = self._archive()
        self.register_outputs({})

    def contract(self) -> dict[str, str]:
        """Its part of the region contract: rule by route."""
        return {route.id: rule_name(self._args.stack, route) for route in routes()}

    def _rule(self, route: Route) -> cloudwatch.EventRule:
        args, name = self._args, rule_name(self._args.stack, route)
        rule = cloudwatch.EventRule(
            route.id,
            name=name,
            description=f"{route.severity}: {route.title}",
            event_pattern=route.event_pattern,
            state="ENABLED",
            tags=tags(name, severity=route.severity),
            opts=self._child,
        )
        cloudwatch.EventTarget(
            route.id,
            rule=rule.name,
            target_id="incidents",
            arn=args.queue_arn,
            input_transformer=cloudwatch.EventTargetInputTransformerArgs(
                input_paths=route.input_paths, input_template=route.template
            ),
            dead_letter_config=cloudwatch.EventTargetDeadLetterConfigArgs(arn=args.dead_letters_arn),
            retry_policy=cloudwatch.EventTargetRetryPolicyArgs(
                maximum_event_age_in_seconds=TRIED_SECONDS, maximum_retry_attempts=TRIED_TIMES
            ),
            opts=self._child,
        )
        return rule

    def _archive(self) -> cloudwatch.EventArchive:
        """What was told can be told again: to a rule that was wrong, and to whoever investigates."""
        args = self._args
        bus = f"arn:aws:events:{args.region}:{args.account}:event-bus/default"
        sources = {source for route in routes() for source in route.pattern.get("source", ())}
        wanted = {
            "$or": [
                {"source": sorted(sources)},
                {"detail-type": ["AWS API Call via CloudTrail", "AWS Console Sign In via CloudTrail"]},
            ]
        }
        return cloudwatch.EventArchive(
            "events",
            name=f"{args.stack}-events",
            description="Every event that the rules look at",
            event_source_arn=bus,
            event_pattern=json.dumps(wanted, separators=(",", ":")),
            retention_days=args.archive_days,
            kms_key_identifier=args.key_arn,
            opts=self._child,
        )
