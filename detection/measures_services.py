"""Alarms of the storage, of AWS's services and of the watch itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from detection.model import MOST_METRICS, AlarmSpec, Metric
from detection.watched import ONE_DAY, ONE_MINUTE, REQUEST_METRICS, Watched, over

# Quotas that an attack or a loop exhausts first: (name, dimensions of AWS/Usage).
QUOTAS: dict[str, dict[str, str]] = {
    "vcpus": {
        "Service": "EC2",
        "Type": "Resource",
        "Resource": "vCPU",
        "Class": "Standard/OnDemand",
    },
    "kms-calls": {
        "Service": "KMS",
        "Type": "API",
        "Resource": "CryptographicOperationsSymmetric",
        "Class": "None",
    },
}


def storage(watched: Watched, limit: Mapping[str, float]) -> Iterator[AlarmSpec]:
    """Buckets and backups."""
    for name, bucket in watched.buckets.items():
        dimensions = {"BucketName": bucket, "FilterId": REQUEST_METRICS}
        yield AlarmSpec(
            f"bytes-{name.replace('/', '-')}",
            "object storage",
            "high",
            f"Far more than usual is read from {name}",
            limit["bucket-bytes"],
            "notBreaching",
            (Metric("AWS/S3", "BytesDownloaded", "Sum", dimensions),),
            anomaly=True,
            periods=3,
            needed=2,
        )
    if watched.buckets:
        schema = 'SCHEMA("AWS/S3", BucketName, FilterId)'
        yield AlarmSpec(
            "bucket-requests",
            "object storage",
            "medium",
            "More requests reach the critical buckets than nodes make",
            limit["bucket-requests"],
            "notBreaching",
            query=over(schema, "SUM", "AllRequests"),
        )
        yield AlarmSpec(
            "bucket-errors",
            "object storage",
            "high",
            "Many requests to the critical buckets are refused",
            limit["bucket-errors"],
            "notBreaching",
            query=over(schema, "SUM", "4xxErrors"),
        )
    yield AlarmSpec(
        "backups-failed",
        "data",
        "high",
        "A backup failed",
        limit["backups-failed"],
        "notBreaching",
        query=over('"AWS/Backup"', "SUM", "NumberOfBackupJobsFailed"),
    )


def services(watched: Watched, limit: Mapping[str, float]) -> Iterator[AlarmSpec]:
    """The trail, functions and quotas."""
    yield AlarmSpec(
        "trail-usage",
        "services",
        "high",
        "Calls to AWS are far from usual in number, or the trail has fallen silent",
        limit["trail-usage"],
        "breaching",
        (Metric("AWS/Logs", "IncomingLogEvents", "Sum", {"LogGroupName": watched.trail_group}),),
        anomaly=True,
        comparison="outside",
        periods=3,
    )
    yield AlarmSpec(
        "functions-failing",
        "services",
        "high",
        "A function of ours failed",
        limit["functions-failing"],
        "notBreaching",
        query=over('SCHEMA("AWS/Lambda", FunctionName)', "SUM", "Errors"),
    )
    if watched.rolling is not None:
        yield AlarmSpec(
            "windows-rolled",
            "iam",
            "high",
            "The dated access windows were not rolled forward for a day",
            limit["windows-rolled"],
            "breaching",
            (Metric("AWS/Lambda", "Invocations", "Sum", {"FunctionName": watched.rolling}),),
            comparison="below",
            period=ONE_DAY,
        )
    for name, dimensions in QUOTAS.items():
        counted = "ResourceCount" if dimensions["Type"] == "Resource" else "CallCount"
        yield AlarmSpec(
            f"quota-{name}",
            "region",
            "medium",
            f"The quota {name} is nearly used up",
            limit["quota"],
            "notBreaching",
            (Metric("AWS/Usage", counted, "Maximum", dimensions),),
            query="100 * m0 / SERVICE_QUOTA(m0)",
        )


def notices(watched: Watched, limit: Mapping[str, float]) -> Iterator[AlarmSpec]:
    """Whether what was noticed reaches anybody."""
    yield AlarmSpec(
        "incidents-waiting",
        "services",
        "page",
        "Nobody takes incidents from the queue",
        limit["incidents-waiting"],
        "notBreaching",
        (
            Metric(
                "AWS/SQS",
                "ApproximateAgeOfOldestMessage",
                "Maximum",
                {"QueueName": watched.incidents},
            ),
        ),
    )
    yield AlarmSpec(
        "dead-letters",
        "services",
        "high",
        "A notice or an event could not be delivered",
        limit["dead-letters"],
        "notBreaching",
        (
            Metric(
                "AWS/SQS",
                "ApproximateNumberOfMessagesVisible",
                "Maximum",
                {"QueueName": watched.dead_letters},
            ),
        ),
    )
    yield AlarmSpec(
        "notices-undelivered",
        "services",
        "high",
        "The topic could not deliver a notice to an endpoint",
        limit["notices-undelivered"],
        "notBreaching",
        (Metric("AWS/SNS", "NumberOfNotificationsFailed", "Sum", {"TopicName": watched.topic}),),
    )
    yield AlarmSpec(
        "rules-failing",
        "services",
        "high",
        "A rule could not hand its event over",
        limit["rules-failing"],
        "notBreaching",
        query=over('SCHEMA("AWS/Events", RuleName)', "SUM", "FailedInvocations"),
    )
    for place, rules in enumerate(_chunks(watched.serious_rules, MOST_METRICS), start=1):
        yield AlarmSpec(
            "serious-events" if place == 1 else f"serious-events-{place}",
            "services",
            "page",
            "An event of high or critical severity is in the incident queue",
            limit["serious-events"],
            "notBreaching",
            tuple(Metric("AWS/Events", "TriggeredRules", "Sum", {"RuleName": rule}) for rule in rules),
            query="SUM(METRICS())",
            period=ONE_MINUTE,
        )


def _chunks(items: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    return (items[start : start + most] for start in range(0, len(items), most))
