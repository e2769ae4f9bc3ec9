"""GuardDuty: the detector with every protection plan, what it reads, and where its findings are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_aws import guardduty, s3

from detection.indicators import Listing
from tagging import tags

# Amazon GuardDuty API Reference, "DetectorFeatureConfiguration" (read 2026-11): every protection plan with
# the parts it is made of. Left out: EKS_RUNTIME_MONITORING, which RUNTIME_MONITORING replaces and excludes;
# AI_PROTECTION, since nothing here uses Bedrock; AI_ANALYST, a conversation that detects nothing.
#
# GuardDuty manages its own agents: on instances through Systems Manager, on Fargate and EKS by itself, so a
# cluster somebody starts tomorrow is watched from its first minute. It then keeps an endpoint for them in
# each VPC with such instances, tagged GuardDutyManaged, which belongs to AWS and is judged like any other.
FEATURES: Mapping[str, Sequence[str]] = {
    "S3_DATA_EVENTS": (),
    "EKS_AUDIT_LOGS": (),
    "EBS_MALWARE_PROTECTION": (),
    "RDS_LOGIN_EVENTS": (),
    "LAMBDA_NETWORK_LOGS": (),
    "RUNTIME_MONITORING": ("EKS_ADDON_MANAGEMENT", "ECS_FARGATE_AGENT_MANAGEMENT", "EC2_AGENT_MANAGEMENT"),
}
FREQUENCY = "FIFTEEN_MINUTES"  # the shortest; new findings come at once in any case, these are repetitions
# A list takes this many ranges (Amazon GuardDuty User Guide, "Quotas", read 2026-11). Its examples know IPv4
# only, and a line it cannot read makes the whole list unusable: IPv6 goes to the web firewall and the nodes.
MOST_THREATS, MOST_TRUSTED, LIST_FAMILY = 250_000, 2_000, 4


@dataclass(frozen=True)
class ThreatsArgs:
    """Stack, region, the bucket with its key; the lists by kind (`threat`, `trusted`), absent when empty."""

    stack: str
    region: str
    bucket: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    lists: Mapping[str, Listing] = field(default_factory=dict)


class Threats(pulumi.ComponentResource):
    """One detector; it publishes to the bucket of findings and reads its lists from there."""

    detector: guardduty.Detector
    features: dict[str, guardduty.DetectorFeature]
    destination: guardduty.PublishingDestination
    objects: dict[str, s3.BucketObjectv2]

    def __init__(self, name: str, args: ThreatsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:detection:Threats", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self.detector = guardduty.Detector(
            name,
            enable=True,
            finding_publishing_frequency=FREQUENCY,
            tags=tags(f"{args.stack}-detector"),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        self.features = {feature: self._feature(feature) for feature in FEATURES}
        self.destination = guardduty.PublishingDestination(
            name,
            detector_id=self.detector.id,
            destination_arn=pulumi.Output.concat("arn:aws:s3:::", args.bucket, "/findings"),
            kms_key_arn=args.key_arn,
            tags=tags(f"{args.stack}-findings"),
            opts=self._child,
        )
        self.objects = {kind: self._object(kind, found) for kind, found in args.lists.items()}
        self._read_lists()
        self.register_outputs({"detector": self.detector.id})

    def _feature(self, feature: str) -> guardduty.DetectorFeature:
        parts = [
            guardduty.DetectorFeatureAdditionalConfigurationArgs(name=part, status="ENABLED")
            for part in FEATURES[feature]
        ]
        return guardduty.DetectorFeature(
            feature.lower().replace("_", "-"),
            detector_id=self.detector.id,
            name=feature,
            status="ENABLED",
            additional_configurations=parts or None,
            opts=self._child,
        )

    def _object(self, kind: str, found: Listing) -> s3.BucketObjectv2:
        return s3.BucketObjectv2(
            f"{kind}-list",
            bucket=self._args.bucket,
            key=found.key,
            content=found.content,
            content_type="text/plain",
            # GuardDuty reads by a role of its own, which could not use a key of ours.
            server_side_encryption="AES256",
            tags=tags(f"{self._args.stack}-{kind}-list"),
            # The bucket lets nobody delete: a list that was replaced stays as a record of what was blocked.
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )

    def _read_lists(self) -> None:
        """The one trusted list of a detector, and a threat list. Not GuardDuty's newer entity lists: the
        provider has no resource for them yet.
        """
        if "threat" in self.objects:
            guardduty.ThreatIntelSet(
                "threats",
                name=f"{self._args.stack}-threats",
                activate=True,
                detector_id=self.detector.id,
                format="TXT",
                location=self._location("threat"),
                tags=tags(f"{self._args.stack}-threats"),
                opts=self._child,
            )
        if "trusted" in self.objects:
            guardduty.IPSet(
                "trusted",
                name=f"{self._args.stack}-trusted",
                activate=True,
                detector_id=self.detector.id,
                format="TXT",
                location=self._location("trusted"),
                tags=tags(f"{self._args.stack}-trusted"),
                opts=self._child,
            )

    def _location(self, kind: str) -> pulumi.Output[str]:
        """The address of a list; it names what is in it, so a changed list is read anew."""
        made = self.objects[kind]
        return pulumi.Output.concat(
            f"https://s3.{self._args.region}.amazonaws.com/", made.bucket, "/", made.key
        )
