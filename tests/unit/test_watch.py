"""What is watched: each filter and each rule sees what it is meant for and nothing near it; one record shape;
every alarm on one dashboard; thresholds that nobody compares with are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import settings
from detection import measures, thresholds
from detection.dashboard_body import body
from detection.filters import filters
from detection.model import LAYERS, alarm_arn, alarm_name, queries
from detection.records import FIELDS, read
from detection.routes import routes, rule_name, serious_rules
from detection.watched import Watched
from settings.problems import SettingsError
from settings.rules_thresholds import known
from tests.infra.monitor import stack_file
from twin import account
from twin.account.extensions.cloudwatch_alarms import judge_dashboard
from twin.account.extensions.filter_patterns import matches
from twin.program.aws import Clients

ROLLER = "in-mumbai-window-roll"


def call(service: str, name: str, **more: Any) -> dict[str, Any]:
    record = {"eventSource": f"{service}.amazonaws.com", "eventName": name, "readOnly": False}
    record |= {"eventType": "AwsApiCall", "sourceIPAddress": "198.51.100.9"}
    return {**record, "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:x"}, **more}


def login(**more: Any) -> dict[str, Any]:
    good = {"responseElements": {"ConsoleLogin": "Success"}, "additionalEventData": {"MFAUsed": "No"}}
    return call("signin", "ConsoleLogin", userIdentity={"type": "IAMUser"}, **{**good, **more})


def by(role: str) -> dict[str, Any]:
    return {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"userName": role}}}


# A record of the trail → exactly the filters that it is meant for.
TRAIL: list[tuple[dict[str, Any], set[str]]] = [
    (call("s3", "GetObject", errorCode="AccessDenied"), {"unauthorized-calls"}),
    (call("ec2", "RunInstances", errorCode="Client.UnauthorizedOperation"), {"unauthorized-calls"}),
    (call("s3", "HeadBucket", errorCode="AccessDenied"), set()),
    (login(), {"sign-in-without-mfa"}),
    (login(additionalEventData={"MFAUsed": "Yes"}), set()),
    (
        login(responseElements={"ConsoleLogin": "Failure"}, errorMessage="Failed authentication"),
        {"sign-in-failed"},
    ),
    (call("sts", "GetCallerIdentity", userIdentity={"type": "Root"}), {"root-used"}),
    (call("x", "Y", userIdentity={"type": "Root", "invokedBy": "AWS Internal"}), set()),
    (call("iam", "PutRolePolicy"), {"iam-changed"}),
    (call("iam", "PutRolePolicy", userIdentity=by("somebody")), {"iam-changed"}),
    (call("iam", "CreatePolicyVersion", userIdentity=by(ROLLER)), set()),
    (call("iam", "GetRolePolicy", readOnly=True), set()),
    (call("cloudtrail", "StopLogging"), {"trail-changed"}),
    (call("cloudtrail", "LookupEvents", readOnly=True), set()),
    (call("kms", "ScheduleKeyDeletion"), {"key-disabled"}),
    (call("kms", "CancelKeyDeletion"), set()),
    (call("kms", "Decrypt", readOnly=True), {"keys-used"}),
    (call("s3", "PutBucketPolicy"), {"bucket-policy-changed"}),
    (call("s3", "GetBucketPolicy", readOnly=True), set()),
    (call("config", "StopConfigurationRecorder"), {"config-changed"}),
    (call("ec2", "AuthorizeSecurityGroupIngress"), {"security-group-changed"}),
    (call("ec2", "DescribeSecurityGroups", readOnly=True), set()),
    (call("ec2", "DeleteNetworkAclEntry"), {"network-acl-changed"}),
    (call("ec2", "AttachInternetGateway"), {"gateway-changed"}),
    (call("ec2", "ReplaceRoute"), {"route-changed"}),
    (call("ec2", "AcceptVpcPeeringConnection"), {"vpc-changed"}),
    (call("organizations", "LeaveOrganization"), {"organisation-changed"}),
    (call("organizations", "DescribeAccount", readOnly=True), set()),
    (
        call("sts", "AssumeRole", requestParameters={"roleArn": "arn:aws:iam::1:role/x-break-glass"}),
        {"break-glass-used"},
    ),
    (call("sts", "AssumeRole", requestParameters={"roleArn": "arn:aws:iam::1:role/x-auditor"}), set()),
    (call("backup", "DeleteRecoveryPoint"), {"lock-weakened"}),
    (call("monitoring", "DeleteAlarms"), {"watch-weakened"}),
    (call("ec2", "DescribeInstances", errorCode="ThrottlingException", readOnly=True), {"calls-throttled"}),
]


@pytest.mark.parametrize(("record", "meant"), TRAIL)
def test_a_record_matches_exactly_the_filters_meant(record: dict[str, Any], meant: set[str]) -> None:
    found = {one.id for one in filters(ROLLER) if matches(one.pattern, json.dumps(record))}
    assert found == meant


def test_every_filter_has_a_record_that_it_sees() -> None:
    assert {name for _, meant in TRAIL for name in meant} == {one.id for one in filters()}


# ---------------------------------------------------------------------- alarms and dashboards
def _alarms(**limits: float) -> list[Any]:
    watched = Watched(
        "s", 6, "g", "t", "q", "d", serious_rules("s"), {"a-b": "vpn-1"}, {"v": "g"}, {"data/x": "b"}
    )
    watched = Watched(**{**vars(watched), "load_balancers": True, "nat": True, "rolling": "f"})
    return measures.alarms(watched, filters(), thresholds.of(limits))


def test_every_alarm_is_on_exactly_one_dashboard_and_each_body_is_taken() -> None:
    arns = {alarm_arn("1", "r", alarm_name("s", spec)): spec.layer for spec in _alarms()}
    shown: list[str] = []
    for layer in LAYERS:
        text = body("s", "r", layer, [arn for arn, of in arns.items() if of == layer])
        judge_dashboard(text)
        assert text == body("s", "r", layer, [arn for arn, of in reversed(arns.items()) if of == layer])
        widgets = json.loads(text)["widgets"]
        shown += [arn for widget in widgets for arn in widget["properties"].get("alarms", [])]
        assert {w["properties"].get("region", "r") for w in widgets} == {"r"}
    assert sorted(shown) == sorted(arns)


def test_every_threshold_belongs_to_an_alarm_and_a_stacks_own_takes_effect() -> None:
    used = {spec.id: spec.threshold for spec in _alarms(**{"nodes-busy": 70})}
    assert used["nodes-busy"] == 70
    assert set(known()) == set(thresholds.defaults())
    with pytest.raises(KeyError):
        thresholds.of({"surplus": 1})


def test_an_alarm_returns_what_it_judges() -> None:
    for spec in _alarms():
        asked = queries(spec)
        returned = [one["id"] for one in asked if one["return_data"]]
        assert len(returned) == (2 if spec.anomaly else bool(asked)), spec.id


@pytest.mark.parametrize(
    ("detection", "said"),
    [
        ({"thresholds": {"root-usd": 1}}, "did you mean root-used"),
        ({"thresholds": {"nodes-busy": 100}}, "a percentage is reached below 100"),
        ({"thresholds": {"traffic-out": 11}}, "outside ten standard deviations is nothing"),
        ({"thresholds": {"root-used": 0}}, "detection.thresholds.root-used"),
        ({"notify": ["https://a.example/x", "https://a.example/x/"]}, "an endpoint stands once"),
        ({"notify": ["http://a.example/x"]}, "detection.notify"),
    ],
)
def test_what_nobody_compares_with_is_refused(detection: dict[str, Any], said: str) -> None:
    stated = {key.removeprefix("stockade:"): value for key, value in stack_file("in-mumbai").items()}
    stated = {key: value for key, value in stated.items() if not key.startswith("pulumi:")}
    with pytest.raises(SettingsError) as caught:
        settings.parse({**stated, "detection": {**stated.get("detection", {}), **detection}})
    assert said in str(caught.value)


# ---------------------------------------------------------------------- events to records
API, WHEN = "AWS API Call via CloudTrail", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def opened(cidr: str) -> dict[str, Any]:
    items = [{"ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}, {"cidrIp": cidr}]}}]
    asked = {"groupId": "sg-1", "ipPermissions": {"items": items}}
    return {"eventName": "AuthorizeSecurityGroupIngress", "requestParameters": asked}


# source, detail-type, detail → the rule that makes a record of it, or none.
TOLD: list[tuple[str, str, dict[str, Any], str | None]] = [
    ("aws.guardduty", "GuardDuty Finding", {"severity": 9.1, "type": "T"}, "guardduty-critical"),
    ("aws.guardduty", "GuardDuty Finding", {"severity": 7, "type": "T"}, "guardduty-high"),
    ("aws.guardduty", "GuardDuty Finding", {"severity": 6.9, "type": "T"}, "guardduty-medium"),
    ("aws.guardduty", "GuardDuty Finding", {"severity": 2, "type": "T"}, "guardduty-low"),
    ("aws.guardduty", "Something Else", {"severity": 9}, None),
    ("aws.macie", "Macie Finding", {"severity": {"description": "Low"}}, None),
    ("aws.macie", "Macie Finding", {"severity": {"description": "High"}, "type": "T"}, "macie"),
    ("aws.backup", "Backup Job State Change", {"state": "FAILED", "resourceArn": "arn:v"}, "backup-failed"),
    ("aws.backup", "Backup Job State Change", {"state": "COMPLETED"}, None),
    (
        "aws.ec2",
        "EC2 Instance State-change Notification",
        {"state": "terminated", "instance-id": "i-1"},
        "node-lost",
    ),
    ("aws.ec2", "EC2 Instance State-change Notification", {"state": "running"}, None),
    ("aws.cloudtrail", API, {"eventName": "StopLogging"}, "tampering"),
    ("aws.cloudtrail", API, {"eventName": "StopLogging", "errorCode": "AccessDenied"}, None),
    ("aws.s3", API, {"eventName": "PutBucketPolicy"}, "boundary-changed"),
    ("aws.ec2", API, opened("0.0.0.0/0"), "group-opened"),
    ("aws.ec2", API, opened("203.0.113.0/24"), None),
    ("aws.ssm", API, {"eventSource": "ssm.amazonaws.com", "eventName": "StartSession"}, "session-started"),
    ("aws.signin", API, {"eventName": "X", "userIdentity": {"type": "Root"}}, "root-used"),
]


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Clients, str]]:
    folder: Path = tmp_path_factory.mktemp("build")
    image = account.Image("ami-0f00000000000000b", "136693071363")
    running = account.start("unit", "444455556666", "ap-south-1", folder, image=image)
    aws = Clients(running.endpoint, running.id, running.region, ("a", "b"))
    url = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    arn = "arn:aws:sqs:ap-south-1:444455556666:q"
    may = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Statement": [{**may, "Resource": arn}]})
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    for route in routes():
        name, client = rule_name("s", route), aws.client("events")
        client.put_rule(Name=name, EventPattern=route.event_pattern)
        transformer = {"InputPathsMap": route.input_paths, "InputTemplate": route.template}
        client.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": arn, "InputTransformer": transformer}])
    yield aws, url
    account.stop(folder)


@pytest.mark.parametrize(("source", "kind", "detail", "rule"), TOLD)
def test_an_event_becomes_exactly_one_record_or_none(
    region: tuple[Clients, str], source: str, kind: str, detail: dict[str, Any], rule: str | None
) -> None:
    aws, url = region
    entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "Time": WHEN}
    aws.client("events").put_events(Entries=[entry])
    found = aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for one in found:
        aws.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    records = [json.loads(one["Body"]) for one in found]
    assert [record["rule"] for record in records] == ([rule] if rule else [])
    for record in records:
        assert set(record) == {*FIELDS, "event"}
        assert (record["time"], record["source"]) == ("2026-03-04T05:06:07Z", source)
        assert record["event"]["detail"] == detail
        assert read(json.dumps(record), WHEN) == record


def test_an_alarm_and_whatever_else_comes_through_the_topic_is_a_record_too() -> None:
    arn = "arn:aws:cloudwatch:ap-south-1:1:alarm:s/critical/root-used"
    told = {
        "AlarmName": "s/critical/root-used",
        "NewStateValue": "ALARM",
        "AlarmArn": arn,
        "AWSAccountId": "1",
    }
    record = read(json.dumps({**told, "StateChangeTime": "2026-03-04T05:06:07.000+0000"}), WHEN)
    assert (record["severity"], record["rule"], record["region"]) == (
        "critical",
        "alarm/root-used",
        "ap-south-1",
    )
    assert record["time"] == "2026-03-04T05:06:07Z"
    assert read("AWS Budget Notification", WHEN)["rule"] == "budget"
    assert read("[1]", WHEN)["rule"] == read('{"a":1}', WHEN)["rule"] == "unknown"
