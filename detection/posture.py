"""What judges the account all the time: Security Hub, Inspector, Macie, Access Analyzer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import accessanalyzer, inspector2, macie2, securityhub

from detection.availability import WITHOUT_MACIE
from tagging import tags

# Security Hub User Guide, "Standards reference" and "CIS AWS Foundations Benchmark in
# Security Hub CSPM" (read 2026-11): 5.0.0 is the newest version it judges, and the one our filters cite.
STANDARDS: Mapping[str, str] = {
    "best-practices": "standards/aws-foundational-security-best-practices/v/1.0.0",
    "cis": "standards/cis-aws-foundations-benchmark/v/5.0.0",
}
SCANNED = ("EC2", "ECR", "LAMBDA", "LAMBDA_CODE")
# IAM Access Analyzer User Guide, "Unused access" (read 2026-11): days a right may lie unused before it shows.
UNUSED_DAYS = 90
ANALYZERS: Mapping[str, str] = {"external": "ACCOUNT", "unused": "ACCOUNT_UNUSED_ACCESS"}
SAMPLED_PERCENT = 10


@dataclass(frozen=True)
class PostureArgs:
    """Stack and account, the bucket of delivered logs, and what has to record before standards count."""

    stack: str
    region: str
    account: str
    delivery_bucket: pulumi.Input[str]
    recording: pulumi.Resource


class Posture(pulumi.ComponentResource):
    """Each service once. AWS makes their own roles when they are switched on."""

    hub: securityhub.Account
    standards: dict[str, securityhub.StandardsSubscription]
    inspector: inspector2.Enabler
    macie: macie2.Account | None
    analyzers: dict[str, accessanalyzer.Analyzer]

    def __init__(self, name: str, args: PostureArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:detection:Posture", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self._security_hub(name)
        self.inspector = inspector2.Enabler(
            name, account_ids=[args.account], resource_types=list(SCANNED), opts=self._child
        )
        self.macie = None if args.region in WITHOUT_MACIE else self._macie(name)
        self.analyzers = {key: self._analyzer(key, kind) for key, kind in ANALYZERS.items()}
        self.register_outputs({"hub": self.hub.arn})

    def _security_hub(self, name: str) -> None:
        self.hub = securityhub.Account(
            name,
            enable_default_standards=False,  # stated below, with their versions
            auto_enable_controls=True,
            # One finding for a thing that is wrong, however many standards ask for it.
            control_finding_generator="SECURITY_CONTROL",
            opts=self._child,
        )
        self.standards = {
            key: securityhub.StandardsSubscription(
                key,
                standards_arn=f"arn:aws:securityhub:{self._args.region}::{standard}",
                # A standard stays incomplete until Config records.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.hub, self._args.recording]),
            )
            for key, standard in STANDARDS.items()
        }

    def _macie(self, name: str) -> macie2.Account:
        """Macie looks at the posture of every bucket, and into the one where no personal data may be.

        Not into the customers' data: that it is sensitive is known, and nobody but the nodes concerned reads
        it. In delivered logs a token or a card number in a web address is a leak: these are sampled weekly.
        """
        session = macie2.Account(
            name, finding_publishing_frequency="FIFTEEN_MINUTES", status="ENABLED", opts=self._child
        )
        bucket = macie2.ClassificationJobS3JobDefinitionBucketDefinitionArgs(
            account_id=self._args.account, buckets=[self._args.delivery_bucket]
        )
        macie2.ClassificationJob(
            "delivered-logs",
            name=f"stockade-{self._args.stack}-delivered-logs",
            description="Personal data and secrets in delivered logs, where none may be",
            job_type="SCHEDULED",
            schedule_frequency=macie2.ClassificationJobScheduleFrequencyArgs(weekly_schedule="MONDAY"),
            sampling_percentage=SAMPLED_PERCENT,
            s3_job_definition=macie2.ClassificationJobS3JobDefinitionArgs(bucket_definitions=[bucket]),
            tags=tags(f"{self._args.stack}-delivered-logs"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[session]),
        )
        return session

    def _analyzer(self, key: str, kind: str) -> accessanalyzer.Analyzer:
        unused = accessanalyzer.AnalyzerConfigurationArgs(
            unused_access=accessanalyzer.AnalyzerConfigurationUnusedAccessArgs(unused_access_age=UNUSED_DAYS)
        )
        return accessanalyzer.Analyzer(
            f"{key}-access",
            analyzer_name=f"stockade-{self._args.stack}-{key}-access",
            type=kind,
            configuration=unused if key == "unused" else None,
            tags=tags(f"{self._args.stack}-{key}-access"),
            opts=self._child,
        )
