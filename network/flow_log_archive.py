"""Flow logs a second time: into the delivery bucket, whose objects are copied into the locked archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from storage.deliveries import DELIVERIES
from tagging import tags

AGGREGATION_SECONDS = 600  # what is looked at now stands in the log group, minute by minute


@dataclass(frozen=True)
class FlowLogArchiveArgs:
    """VPC ids by name, and the delivery bucket's name, known once its policy lets the delivery in."""

    vpcs: Mapping[str, pulumi.Output[str]]
    bucket: pulumi.Output[str]


class FlowLogArchive(pulumi.ComponentResource):
    """One more flow log for each VPC.

    Whoever may change a log group can shorten its retention; what lies in the archive outlives that.
    """

    logs: dict[str, ec2.FlowLog]

    def __init__(
        self, name: str, args: FlowLogArchiveArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("stockade:network:FlowLogArchive", name, {}, opts)
        prefix = DELIVERIES["flow_logs"].prefix
        self.logs = {
            key: ec2.FlowLog(
                f"{key}-archive",
                vpc_id=vpc,
                traffic_type="ALL",
                log_destination_type="s3",
                log_destination=pulumi.Output.concat("arn:aws:s3:::", args.bucket, f"/{prefix}/"),
                max_aggregation_interval=AGGREGATION_SECONDS,
                tags=tags(f"{key}-archive"),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for key, vpc in args.vpcs.items()
        }
        self.register_outputs({"logs": {key: log.id for key, log in self.logs.items()}})
