"""The emulated detection services against AWS's documented answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from twin import account
from twin.program.aws import Clients

ACCOUNT, REGION = "444455556666", "ap-south-1"
IMAGE = account.Image("ami-0f00000000000000b", "136693071363")
OWN = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
FIFTEEN = "FIFTEEN_MINUTES"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    folder = tmp_path_factory.mktemp("build")
    made = account.start("unit", ACCOUNT, REGION, folder, image=IMAGE)
    yield Clients(made.endpoint, made.id, made.region, ("a", "b"))
    account.stop(folder)


def refused(code: str, call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def bucket(aws: Clients, name: str, service: str = "") -> str:
    """A bucket that lets a service write, or nobody."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if service:
        write = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "s3:PutObject"}
        policy = {"Version": "2012-10-17", "Statement": [write | {"Resource": f"arn:aws:s3:::{name}/*"}]}
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    return name


def key(aws: Clients, service: str = "") -> str:
    own = {"Effect": "Allow", "Principal": OWN, "Action": "kms:*", "Resource": "*"}
    use = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "kms:GenerateDataKey*",
        "Resource": "*",
    }
    policy = {"Version": "2012-10-17", "Statement": [own, *([use] if service else [])]}
    return str(aws.client("kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"])


# ---------------------------------------------------------------------- GuardDuty
@pytest.fixture(scope="module")
def detector(aws: Clients) -> str:
    made = aws.client("guardduty").create_detector(
        Enable=True, FindingPublishingFrequency=FIFTEEN, Tags={"a": "b"}
    )
    return str(made["DetectorId"])


def features(aws: Clients, detector: str) -> dict[str, str]:
    found = aws.client("guardduty").get_detector(DetectorId=detector)["Features"]
    return {feature["Name"]: feature["Status"] for feature in found}


def test_a_new_detector_has_its_foundation_and_every_plan_but_runtime_monitoring(
    aws: Clients, detector: str
) -> None:
    states = features(aws, detector)
    assert {"CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS", "S3_DATA_EVENTS"} <= set(states)
    assert {name for name, state in states.items() if state != "ENABLED"} == {"RUNTIME_MONITORING"}


def test_a_region_has_one_detector(aws: Clients, detector: str) -> None:
    said = refused("BadRequestException", aws.client("guardduty").create_detector, Enable=True)
    assert "a detector already exists" in said and detector


def test_a_named_feature_changes_and_the_others_stay(aws: Clients, detector: str) -> None:
    client, before = aws.client("guardduty"), features(aws, detector)
    parts = [{"Name": "EC2_AGENT_MANAGEMENT", "Status": "ENABLED"}]
    one = {"Name": "RUNTIME_MONITORING", "Status": "ENABLED", "AdditionalConfiguration": parts}
    client.update_detector(DetectorId=detector, Features=[one])
    assert features(aws, detector) == before | {"RUNTIME_MONITORING": "ENABLED"}
    found = client.get_detector(DetectorId=detector)["Features"]
    (runtime,) = [feature for feature in found if feature["Name"] == "RUNTIME_MONITORING"]
    agents = {part["Name"]: part["Status"] for part in runtime["AdditionalConfiguration"]}
    assert agents["EC2_AGENT_MANAGEMENT"] == "ENABLED" and agents["EKS_ADDON_MANAGEMENT"] == "DISABLED"


def test_a_feature_that_guardduty_does_not_have_is_refused(aws: Clients, detector: str) -> None:
    wrong = [{"Name": "MIND_READING", "Status": "ENABLED"}]
    refused(
        "BadRequestException", aws.client("guardduty").update_detector, DetectorId=detector, Features=wrong
    )


LISTS = (("ip_set", "IpSetId"), ("threat_intel_set", "ThreatIntelSetId"))


@pytest.mark.parametrize(("kind", "member"), LISTS)
def test_a_list_is_read_when_it_is_activated(aws: Clients, detector: str, kind: str, member: str) -> None:
    client, name = aws.client("guardduty"), bucket(aws, f"lists-{kind.replace('_', '-')}")
    aws.client("s3").put_object(Bucket=name, Key="good.txt", Body=b"192.0.2.0/24\n")
    aws.client("s3").put_object(Bucket=name, Key="empty.txt", Body=b"")
    where = f"https://s3.{REGION}.amazonaws.com/{name}"
    made = getattr(client, f"create_{kind}")(
        DetectorId=detector,
        Name="x",
        Format="TXT",
        Location=f"{where}/good.txt",
        Activate=True,
        Tags={"k": "v"},
    )[member]
    ids = {"DetectorId": detector, member: made}
    get, update = getattr(client, f"get_{kind}"), getattr(client, f"update_{kind}")
    found = get(**ids)
    assert (found["Status"], found["Location"], found["Tags"]) == ("ACTIVE", f"{where}/good.txt", {"k": "v"})
    update(**ids, Location=f"{where}/empty.txt")
    assert get(**ids)["Status"] == "ERROR"
    update(**ids, Location=f"s3://{name}/missing.txt")
    assert get(**ids)["Status"] == "ERROR"
    update(**ids, Activate=False)
    assert get(**ids)["Status"] == "INACTIVE"
    assert getattr(client, f"list_{kind}s")(DetectorId=detector)[f"{member}s"] == [made]
    refused("BadRequestException", update, **ids, Location="ftp://nowhere", Activate=True)
    word = kind.replace("_", "")
    arn = f"arn:aws:guardduty:{REGION}:{ACCOUNT}:detector/{detector}/{word}/{made}"
    client.tag_resource(ResourceArn=arn, Tags={"more": "1"})
    client.untag_resource(ResourceArn=arn, TagKeys=["k"])
    assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"more": "1"}
    getattr(client, f"delete_{kind}")(**ids)
    refused("BadRequestException", get, **ids)


def test_there_is_one_trusted_list(aws: Clients, detector: str) -> None:
    client, name = aws.client("guardduty"), bucket(aws, "one-list")
    given = {"DetectorId": detector, "Format": "TXT", "Location": f"s3://{name}/x", "Activate": False}
    client.create_ip_set(Name="first", **given)
    assert "maximum" in refused("BadRequestException", client.create_ip_set, Name="second", **given)


def test_findings_are_published_only_where_bucket_and_key_let_guardduty_in(
    aws: Clients, detector: str
) -> None:
    client, service = aws.client("guardduty"), "guardduty.amazonaws.com"
    open_bucket, open_key = bucket(aws, "findings", service), key(aws, service)
    wrong = (("closed-findings", open_key), ("findings", key(aws)))
    bucket(aws, "closed-findings")
    for name, arn in wrong:
        where = {"DestinationArn": f"arn:aws:s3:::{name}", "KmsKeyArn": arn}
        refused(
            "BadRequestException",
            client.create_publishing_destination,
            DetectorId=detector,
            DestinationType="S3",
            DestinationProperties=where,
        )
    where = {"DestinationArn": f"arn:aws:s3:::{open_bucket}", "KmsKeyArn": open_key}
    made = client.create_publishing_destination(
        DetectorId=detector, DestinationType="S3", DestinationProperties=where
    )["DestinationId"]
    found = client.describe_publishing_destination(DetectorId=detector, DestinationId=made)
    assert (found["Status"], found["DestinationProperties"]) == ("PUBLISHING", where)
    (listed,) = client.list_publishing_destinations(DetectorId=detector)["Destinations"]
    assert listed == {"DestinationId": made, "DestinationType": "S3", "Status": "PUBLISHING"}


# ---------------------------------------------------------------------- Config and Security Hub
def test_a_standard_is_ready_only_while_config_records(aws: Clients) -> None:
    hub, config = aws.client("securityhub"), aws.client("config")
    refused("InvalidAccessException", hub.describe_hub)
    hub.enable_security_hub(EnableDefaultStandards=False, ControlFindingGenerator="SECURITY_CONTROL")
    refused("ResourceConflictException", hub.enable_security_hub)
    hub.update_security_hub_configuration(AutoEnableControls=False)
    assert hub.describe_hub()["AutoEnableControls"] is False
    standard = f"arn:aws:securityhub:{REGION}::standards/cis-aws-foundations-benchmark/v/3.0.0"
    (made,) = hub.batch_enable_standards(StandardsSubscriptionRequests=[{"StandardsArn": standard}])[
        "StandardsSubscriptions"
    ]
    assert made["StandardsStatus"] == "INCOMPLETE"
    assert made["StandardsStatusReason"]["StatusReasonCode"] == "NO_AVAILABLE_CONFIGURATION_RECORDER"
    _record(aws, config)
    (found,) = hub.get_enabled_standards()["StandardsSubscriptions"]
    assert found["StandardsStatus"] == "READY"
    hub.batch_disable_standards(StandardsSubscriptionArns=[made["StandardsSubscriptionArn"]])
    assert hub.get_enabled_standards()["StandardsSubscriptions"] == []
    wrong = [{"StandardsArn": standard.replace("3.0.0", "9.9.9")}]
    refused("InvalidInputException", hub.batch_enable_standards, StandardsSubscriptionRequests=wrong)


def _record(aws: Clients, config: Any) -> None:
    rule = {"ConfigRuleName": "r", "Source": {"Owner": "AWS", "SourceIdentifier": "CLOUD_TRAIL_ENABLED"}}
    refused("NoAvailableConfigurationRecorderException", config.put_config_rule, ConfigRule=rule)
    group = {"allSupported": True, "includeGlobalResourceTypes": True}
    recorder = {"name": "default", "roleARN": f"arn:aws:iam::{ACCOUNT}:role/x", "recordingGroup": group}
    config.put_configuration_recorder(ConfigurationRecorder=recorder)
    closed = {"name": "default", "s3BucketName": bucket(aws, "closed-config")}
    refused("InsufficientDeliveryPolicyException", config.put_delivery_channel, DeliveryChannel=closed)
    ours = {"name": "default", "s3BucketName": bucket(aws, "open-config", "config.amazonaws.com")}
    config.put_delivery_channel(DeliveryChannel=ours)
    config.start_configuration_recorder(ConfigurationRecorderName="default")
    config.put_config_rule(ConfigRule=rule)


# ---------------------------------------------------------------------- CloudTrail
def test_a_trail_is_refused_where_it_could_not_deliver(aws: Clients) -> None:
    client = aws.client("cloudtrail")
    closed, ours = bucket(aws, "closed-trail"), bucket(aws, "open-trail", "cloudtrail.amazonaws.com")
    refused("InsufficientS3BucketPolicyException", client.create_trail, Name="one", S3BucketName=closed)
    refused(
        "InsufficientEncryptionPolicyException",
        client.create_trail,
        Name="one",
        S3BucketName=ours,
        KmsKeyId=key(aws),
    )
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:nowhere:*"
    refused(
        "InvalidCloudWatchLogsLogGroupArnException",
        client.create_trail,
        Name="one",
        S3BucketName=ours,
        CloudWatchLogsLogGroupArn=group,
        CloudWatchLogsRoleArn=f"arn:aws:iam::{ACCOUNT}:role/x",
    )
    assert client.describe_trails()["trailList"] == []


def test_a_trail_logs_nothing_until_it_is_started_and_names_no_delivery(aws: Clients) -> None:
    client = aws.client("cloudtrail")
    ours = bucket(aws, "trail-logs", "cloudtrail.amazonaws.com")
    arn = client.create_trail(Name="two", S3BucketName=ours)["TrailARN"]
    refused("TrailAlreadyExistsException", client.create_trail, Name="two", S3BucketName=ours)
    assert client.get_trail_status(Name=arn)["IsLogging"] is False
    client.start_logging(Name=arn)
    status = client.get_trail_status(Name=arn)
    assert status["IsLogging"] is True and "StartLoggingTime" in status
    assert "LatestDeliveryTime" not in status
    client.stop_logging(Name=arn)
    assert client.get_trail_status(Name=arn)["IsLogging"] is False


def test_selectors_of_a_trail_replace_each_other(aws: Clients) -> None:
    client = aws.client("cloudtrail")
    arn = client.create_trail(
        Name="three", S3BucketName=bucket(aws, "third-trail", "cloudtrail.amazonaws.com")
    )["TrailARN"]
    (first,) = client.get_event_selectors(TrailName=arn)["EventSelectors"]
    assert (first["ReadWriteType"], first["IncludeManagementEvents"]) == ("All", True)
    advanced = [{"Name": "m", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]
    client.put_event_selectors(TrailName=arn, AdvancedEventSelectors=advanced)
    found = client.get_event_selectors(TrailName=arn)
    assert found["AdvancedEventSelectors"] == advanced and "EventSelectors" not in found
    client.put_event_selectors(TrailName=arn, EventSelectors=[{"ReadWriteType": "WriteOnly"}])
    assert "AdvancedEventSelectors" not in client.get_event_selectors(TrailName=arn)
    assert client.get_trail(Name=arn)["Trail"]["HasCustomEventSelectors"] is True
    refused("InsightNotEnabledException", client.get_insight_selectors, TrailName=arn)
    for kinds in (["ApiCallRateInsight", "ApiErrorRateInsight"], ["ApiCallRateInsight"]):
        client.put_insight_selectors(
            TrailName=arn, InsightSelectors=[{"InsightType": kind} for kind in kinds]
        )
        found = client.get_insight_selectors(TrailName=arn)["InsightSelectors"]
        assert [one["InsightType"] for one in found] == kinds
    client.delete_trail(Name=arn)
    refused("TrailNotFoundException", client.get_trail, Name=arn)


# ---------------------------------------------------------------------- Inspector, Macie, Access Analyzer
def test_inspector_answers_for_every_account_and_needs_lambda_for_its_code(aws: Clients) -> None:
    client = aws.client("inspector2")

    def states() -> dict[str, str]:
        (found,) = client.batch_get_account_status()["accounts"]
        return {name: state["status"] for name, state in found["resourceState"].items()}

    assert set(states().values()) == {"DISABLED"}
    refused("ValidationException", client.enable, resourceTypes=["LAMBDA_CODE"])
    client.enable(resourceTypes=["EC2", "LAMBDA", "LAMBDA_CODE"])
    assert states() == {"ec2": "ENABLED", "ecr": "DISABLED", "lambda": "ENABLED", "lambdaCode": "ENABLED"}
    client.disable(resourceTypes=["LAMBDA"])
    assert states()["lambdaCode"] == "DISABLED"
    client.disable()
    assert set(states().values()) == {"DISABLED"}


def test_macie_is_off_until_it_is_enabled_and_a_cancelled_job_stays_so(aws: Clients) -> None:
    client = aws.client("macie2")
    refused("AccessDeniedException", client.get_macie_session)
    client.enable_macie(findingPublishingFrequency=FIFTEEN)
    refused("ConflictException", client.enable_macie)
    client.update_macie_session(status="PAUSED")
    assert client.get_macie_session()["status"] == "PAUSED"
    where = {"bucketDefinitions": [{"accountId": ACCOUNT, "buckets": ["x"]}]}
    given = {"clientToken": "t", "name": "n", "s3JobDefinition": where}
    refused("ValidationException", client.create_classification_job, jobType="SCHEDULED", **given)
    weekly = {"weeklySchedule": {"dayOfWeek": "MONDAY"}}
    made = client.create_classification_job(
        jobType="SCHEDULED", scheduleFrequency=weekly, tags={"a": "b"}, **given
    )
    job = client.describe_classification_job(jobId=made["jobId"])
    assert (job["jobStatus"], job["samplingPercentage"], job["tags"]) == ("IDLE", 100, {"a": "b"})
    client.update_classification_job(jobId=made["jobId"], jobStatus="CANCELLED")
    refused("ValidationException", client.update_classification_job, jobId=made["jobId"], jobStatus="RUNNING")
    assert [item["jobStatus"] for item in client.list_classification_jobs()["items"]] == ["CANCELLED"]


def test_analyzers_one_of_a_type(aws: Clients) -> None:
    client = aws.client("accessanalyzer")
    arn = client.create_analyzer(analyzerName="out", type="ACCOUNT", tags={"a": "b"})["arn"]
    refused("ConflictException", client.create_analyzer, analyzerName="other", type="ACCOUNT")
    client.create_analyzer(analyzerName="unused", type="ACCOUNT_UNUSED_ACCESS")
    unused = client.get_analyzer(analyzerName="unused")["analyzer"]
    assert (unused["status"], unused["configuration"]) == (
        "ACTIVE",
        {"unusedAccess": {"unusedAccessAge": 90}},
    )
    assert [one["name"] for one in client.list_analyzers(type="ACCOUNT")["analyzers"]] == ["out"]
    client.untag_resource(resourceArn=arn, tagKeys=["a"])
    client.tag_resource(resourceArn=arn, tags={"c": "d"})
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"c": "d"}
    client.delete_analyzer(analyzerName="out")
    refused("ResourceNotFoundException", client.get_analyzer, analyzerName="out")
