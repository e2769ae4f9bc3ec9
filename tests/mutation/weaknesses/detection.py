"""Weaknesses of the trail and the detection services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, account, pairs


def _trail(live: Any) -> tuple[Any, str, str]:
    stated = live.contract["trail"]
    return live.client("cloudtrail"), stated["arn"], f"trail/{stated['name']}"


def trail_stopped(live: Any) -> Iterator[Pairs]:
    client, arn, subject = _trail(live)
    client.stop_logging(Name=arn)
    yield pairs(subject, "LOG-005")
    client.start_logging(Name=arn)


def trail_that_leaves_reads_and_objects_out(live: Any) -> Iterator[Pairs]:
    client, arn, subject = _trail(live)
    before = client.get_event_selectors(TrailName=arn)["AdvancedEventSelectors"]
    written = {"Field": "readOnly", "Equals": ["false"]}
    management = {"Field": "eventCategory", "Equals": ["Management"]}
    weak = [{"Name": "writes only", "FieldSelectors": [management, written]}]
    client.put_event_selectors(TrailName=arn, AdvancedEventSelectors=weak)
    yield pairs(subject, "LOG-003", "LOG-009")
    client.put_event_selectors(TrailName=arn, AdvancedEventSelectors=before)


def trail_of_one_region_without_validation(live: Any) -> Iterator[Pairs]:
    client, arn, subject = _trail(live)
    client.update_trail(Name=arn, IsMultiRegionTrail=False, EnableLogFileValidation=False)
    yield pairs(subject, "LOG-004", "LOG-006")
    client.update_trail(Name=arn, IsMultiRegionTrail=True, EnableLogFileValidation=True)


def trail_without_key_and_log_group(live: Any) -> Iterator[Pairs]:
    client, arn, subject = _trail(live)
    before = client.get_trail(Name=arn)["Trail"]
    client.update_trail(Name=arn, KmsKeyId="", CloudWatchLogsLogGroupArn="", CloudWatchLogsRoleArn="")
    yield pairs(subject, "LOG-007", "LOG-008")
    kept = ("KmsKeyId", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn")
    client.update_trail(Name=arn, **{name: before[name] for name in kept})


def trail_without_insights(live: Any) -> Iterator[Pairs]:
    client, arn, subject = _trail(live)
    before = client.get_insight_selectors(TrailName=arn)["InsightSelectors"]
    client.put_insight_selectors(TrailName=arn, InsightSelectors=before[:1])
    yield pairs(subject, "LOG-010")
    client.put_insight_selectors(TrailName=arn, InsightSelectors=before)


def trail_that_writes_elsewhere(live: Any) -> Iterator[Pairs]:
    client, arn, subject = _trail(live)
    s3, buckets = live.client("s3"), live.contract["buckets"]
    ours, other = buckets["trail"]["name"], buckets["evidence"]["name"]
    before = s3.get_bucket_policy(Bucket=other)["Policy"]
    s3.put_bucket_policy(
        Bucket=other, Policy=s3.get_bucket_policy(Bucket=ours)["Policy"].replace(ours, other)
    )
    client.update_trail(Name=arn, S3BucketName=other)
    s3.put_bucket_policy(Bucket=other, Policy=before)
    yield pairs(subject, "LOG-011")
    client.update_trail(Name=arn, S3BucketName=ours)


# ---------------------------------------------------------------------- GuardDuty
def _detector(live: Any) -> tuple[Any, str, str]:
    return (
        live.client("guardduty"),
        live.contract["detection"]["detector"],
        f"detector/{live.contract['stack']}",
    )


def detector_off(live: Any) -> Iterator[Pairs]:
    client, identity, subject = _detector(live)
    client.update_detector(DetectorId=identity, Enable=False)
    yield pairs(subject, "DET-001")
    client.update_detector(DetectorId=identity, Enable=True)


def plan_off(live: Any) -> Iterator[Pairs]:
    client, identity, subject = _detector(live)
    for status in ("DISABLED", "ENABLED"):
        features = [{"Name": "S3_DATA_EVENTS", "Status": status}]
        client.update_detector(DetectorId=identity, Features=features)
        if status == "DISABLED":
            yield pairs(subject, "DET-002")


def findings_every_six_hours(live: Any) -> Iterator[Pairs]:
    client, identity, subject = _detector(live)
    client.update_detector(DetectorId=identity, FindingPublishingFrequency="SIX_HOURS")
    yield pairs(subject, "DET-003")
    client.update_detector(DetectorId=identity, FindingPublishingFrequency="FIFTEEN_MINUTES")


def findings_not_kept(live: Any) -> Iterator[Pairs]:
    client, identity, subject = _detector(live)
    (found,) = client.list_publishing_destinations(DetectorId=identity)["Destinations"]
    known = client.describe_publishing_destination(DetectorId=identity, DestinationId=found["DestinationId"])
    client.delete_publishing_destination(DetectorId=identity, DestinationId=found["DestinationId"])
    yield pairs(subject, "DET-004")
    client.create_publishing_destination(
        DetectorId=identity, DestinationType="S3", DestinationProperties=known["DestinationProperties"]
    )


def threat_list_stale(live: Any) -> Iterator[Pairs]:
    """Yesterday's list: an indicator that was added since is not in it."""
    client, identity, subject = _detector(live)
    (own,) = client.list_threat_intel_sets(DetectorId=identity)["ThreatIntelSetIds"]
    before = client.get_threat_intel_set(DetectorId=identity, ThreatIntelSetId=own)["Location"]
    old = _listed(live, "lists/threat-0123456789abcdef.txt", "192.0.2.66/32\n")
    client.update_threat_intel_set(DetectorId=identity, ThreatIntelSetId=own, Location=old, Activate=True)
    yield pairs(subject, "DET-005")
    client.update_threat_intel_set(DetectorId=identity, ThreatIntelSetId=own, Location=before, Activate=True)


def trusted_list_widened(live: Any) -> Iterator[Pairs]:
    """What an intruder does to become invisible."""
    client, identity, subject = _detector(live)
    (own,) = client.list_ip_sets(DetectorId=identity)["IpSetIds"]
    before = client.get_ip_set(DetectorId=identity, IpSetId=own)["Location"]
    wide = _listed(live, "lists/trusted-0123456789abcdef.txt", "0.0.0.0/1\n")
    client.update_ip_set(DetectorId=identity, IpSetId=own, Location=wide, Activate=True)
    yield pairs(subject, "DET-006")
    client.update_ip_set(DetectorId=identity, IpSetId=own, Location=before, Activate=True)


def _listed(live: Any, key: str, content: str) -> str:
    bucket = live.contract["buckets"]["findings"]["name"]
    live.client("s3").put_object(Bucket=bucket, Key=key, Body=content.encode())
    return f"https://s3.{live.contract['region']}.amazonaws.com/{bucket}/{key}"


# ---------------------------------------------------------------------- posture and recorder
def hub_that_takes_no_new_checks(live: Any) -> Iterator[Pairs]:
    client = live.client("securityhub")
    client.update_security_hub_configuration(AutoEnableControls=False)
    yield account(live, "DET-007")
    client.update_security_hub_configuration(AutoEnableControls=True)


def standard_off(live: Any) -> Iterator[Pairs]:
    client = live.client("securityhub")
    found = client.get_enabled_standards()["StandardsSubscriptions"]
    cis = next(one for one in found if "cis" in one["StandardsArn"])
    client.batch_disable_standards(StandardsSubscriptionArns=[cis["StandardsSubscriptionArn"]])
    yield account(live, "DET-008")
    client.batch_enable_standards(StandardsSubscriptionRequests=[{"StandardsArn": cis["StandardsArn"]}])


def recorder_stopped(live: Any) -> Iterator[Pairs]:
    """Without a recorder the standards judge nothing either."""
    client, name = live.client("config"), live.contract["detection"]["recorder"]
    client.stop_configuration_recorder(ConfigurationRecorderName=name)
    yield account(live, "DET-009", "DET-008")
    client.start_configuration_recorder(ConfigurationRecorderName=name)


def history_kept_for_a_month(live: Any) -> Iterator[Pairs]:
    client = live.client("config")
    before = client.describe_retention_configurations()["RetentionConfigurations"][0]["RetentionPeriodInDays"]
    client.put_retention_configuration(RetentionPeriodInDays=30)
    yield account(live, "DET-010")
    client.put_retention_configuration(RetentionPeriodInDays=before)


def rule_deleted(live: Any) -> Iterator[Pairs]:
    client, name = live.client("config"), live.contract["detection"]["rules"]["trail-complete"]
    (rule,) = client.describe_config_rules(ConfigRuleNames=[name])["ConfigRules"]
    client.delete_config_rule(ConfigRuleName=name)
    yield account(live, "DET-011")
    kept = ("ConfigRuleName", "Description", "Source")
    client.put_config_rule(ConfigRule={key: rule[key] for key in kept})


def code_not_scanned(live: Any) -> Iterator[Pairs]:
    client, own = live.client("inspector2"), [live.contract["account"]]
    client.disable(accountIds=own, resourceTypes=["LAMBDA_CODE"])
    yield account(live, "DET-012")
    client.enable(accountIds=own, resourceTypes=["LAMBDA_CODE"])


def macie_paused(live: Any) -> Iterator[Pairs]:
    client = live.client("macie2")
    client.update_macie_session(status="PAUSED")
    yield account(live, "DET-013")
    client.update_macie_session(status="ENABLED")


def _without_analyzer(live: Any, key: str, number: str) -> Iterator[Pairs]:
    client, name = live.client("accessanalyzer"), live.contract["detection"]["analyzers"][key]
    found = client.get_analyzer(analyzerName=name)["analyzer"]
    client.delete_analyzer(analyzerName=name)
    yield account(live, number)
    more = {"configuration": found["configuration"]} if found.get("configuration") else {}
    client.create_analyzer(analyzerName=name, type=found["type"], tags=found["tags"], **more)


def external_analyzer_deleted(live: Any) -> Iterator[Pairs]:
    yield from _without_analyzer(live, "external", "DET-014")


def unused_analyzer_deleted(live: Any) -> Iterator[Pairs]:
    yield from _without_analyzer(live, "unused", "DET-015")


def something_stands_unwatched_in_another_region(live: Any) -> Iterator[Pairs]:
    (other,) = set(live.contract["allowed_regions"]) - {live.contract["region"]}
    ec2 = live.client("ec2", other)
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/24")["Vpc"]["VpcId"]
    yield account(live, "DET-016")
    ec2.delete_vpc(VpcId=vpc)


WEAKNESSES: tuple[Weakness, ...] = (
    trail_stopped,
    trail_that_leaves_reads_and_objects_out,
    trail_of_one_region_without_validation,
    trail_without_key_and_log_group,
    trail_without_insights,
    trail_that_writes_elsewhere,
    detector_off,
    plan_off,
    findings_every_six_hours,
    findings_not_kept,
    threat_list_stale,
    trusted_list_widened,
    hub_that_takes_no_new_checks,
    standard_off,
    recorder_stopped,
    history_kept_for_a_month,
    rule_deleted,
    code_not_scanned,
    macie_paused,
    external_analyzer_deleted,
    unused_analyzer_deleted,
    something_stands_unwatched_in_another_region,
)
