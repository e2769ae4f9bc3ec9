"""The emulated account against AWS's documented answers: topics, queues, alarms, metric filters, event rules,
budgets and request metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from twin import account
from twin.account.extensions.event_patterns import transformed
from twin.account.extensions.filter_patterns import BadPattern, compiled, matches
from twin.account.extensions.resource_policies import admits
from twin.program.aws import Clients

ACCOUNT, REGION = "444455556666", "ap-south-1"
IMAGE = account.Image("ami-0f00000000000000b", "136693071363")
ALARM = {
    "Namespace": "x",
    "MetricName": "y",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    folder: Path = tmp_path_factory.mktemp("build")
    running = account.start("unit", ACCOUNT, REGION, folder, image=IMAGE)
    yield Clients(running.endpoint, running.id, running.region, ("a", "b"))
    account.stop(folder)


def _queue(aws: Clients, name: str, admitted: str = "", source: str = "") -> tuple[str, str]:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    if admitted:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": f"{admitted}.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnLike": {"aws:SourceArn": source}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, arn


def _messages(aws: Clients, url: str) -> list[str]:
    found = aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for one in found:
        aws.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return [one["Body"] for one in found]


# ---------------------------------------------------------------------- topics and queues
def test_a_topic_gives_its_attributes_back(aws: Clients) -> None:
    sns, role = aws.client("sns"), f"arn:aws:iam::{ACCOUNT}:role/r"
    given = {"SignatureVersion": "2", "SQSFailureFeedbackRoleArn": role}
    arn = sns.create_topic(Name="kept", Attributes=given)["TopicArn"]
    sns.set_topic_attributes(TopicArn=arn, AttributeName="HTTPFailureFeedbackRoleArn", AttributeValue=role)
    found = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert found["SignatureVersion"] == "2"
    assert found["SQSFailureFeedbackRoleArn"] == found["HTTPFailureFeedbackRoleArn"] == role


def test_an_https_endpoint_is_pending_until_it_confirms_and_is_sent_nothing(aws: Clients) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="pending")["TopicArn"]
    # Nothing listens there: a delivery would fail loudly.
    arn = sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://127.0.0.1:9/x")["SubscriptionArn"]
    assert (
        sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"].lower()
        == "true"
    )
    found = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (found["SubscriptionsPending"], found["SubscriptionsConfirmed"]) == ("1", "0")
    sns.publish(TopicArn=topic, Message="m")


def test_a_queue_that_does_not_admit_the_topic_gets_nothing_and_the_message_is_a_dead_letter(
    aws: Clients,
) -> None:
    sns, topic = aws.client("sns"), f"arn:aws:sns:{REGION}:{ACCOUNT}:refused"
    sns.create_topic(Name="refused")
    url, arn = _queue(aws, "closed")
    dead_url, dead = _queue(aws, "dead", "sns", topic)
    redrive = json.dumps({"deadLetterTargetArn": dead})
    attributes = {"RedrivePolicy": redrive, "RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    sns.publish(TopicArn=topic, Message="lost")
    assert _messages(aws, url) == []
    assert _messages(aws, dead_url) == ["lost"]


def test_a_queues_policy_survives_a_change_of_something_else(aws: Clients) -> None:
    sqs = aws.client("sqs")
    url, _ = _queue(aws, "lasting", "sns", "*")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["VisibilityTimeout"] == "60" and "sns.amazonaws.com" in found["Policy"]


def test_a_key_of_ours_replaces_the_services_own(aws: Clients) -> None:
    sqs = aws.client("sqs")
    url, _ = _queue(aws, "managed")
    read = {"QueueUrl": url, "AttributeNames": ["All"]}
    assert sqs.get_queue_attributes(**read)["Attributes"]["SqsManagedSseEnabled"] == "true"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": "alias/k"})
    assert sqs.get_queue_attributes(**read)["Attributes"]["SqsManagedSseEnabled"] == "false"


CONTEXT = {"aws:sourceaccount": "1", "aws:sourcearn": "arn:a", "aws:securetransport": "true"}


def _statement(effect: str = "Allow", condition: Any = None, principal: Any = None) -> dict[str, Any]:
    who = principal or {"Service": "events.amazonaws.com"}
    return {
        "Effect": effect,
        "Principal": who,
        "Action": "sqs:SendMessage",
        "Resource": "*",
        "Condition": condition or {},
    }


@pytest.mark.parametrize(
    ("statements", "admitted"),
    [
        ([_statement()], True),
        ([], False),
        ([_statement(condition={"StringEquals": {"aws:SourceAccount": "2"}})], False),
        ([_statement(condition={"ArnLike": {"aws:SourceArn": "arn:*"}})], True),
        ([_statement(), _statement("Deny", {"Bool": {"aws:SecureTransport": "false"}}, "*")], True),
        ([_statement(), _statement("Deny", principal="*")], False),
        ([_statement(condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], False),
        ([_statement(principal={"Service": "sns.amazonaws.com"})], False),
    ],
)
def test_a_resource_policy_admits_a_service(statements: list[Any], admitted: bool) -> None:
    policy = json.dumps({"Statement": statements})
    assert admits(policy, "events", "sqs:SendMessage", CONTEXT) is admitted


# ---------------------------------------------------------------------- alarms and dashboards
def test_a_new_alarm_knows_nothing_and_a_changed_one_keeps_its_state(aws: Clients) -> None:
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName="new", **ALARM)

    def state() -> str:
        return str(cloudwatch.describe_alarms(AlarmNames=["new"])["MetricAlarms"][0]["StateValue"])

    assert state() == "INSUFFICIENT_DATA"
    cloudwatch.set_alarm_state(AlarmName="new", StateValue="ALARM", StateReason="r")
    cloudwatch.put_metric_alarm(AlarmName="new", **{**ALARM, "Threshold": 2.0})
    assert state() == "ALARM"


@pytest.mark.parametrize("enabled", [True, False])
def test_a_change_of_state_is_told_when_actions_are_enabled(aws: Clients, enabled: bool) -> None:
    sns, name = aws.client("sns"), f"told-{enabled}"
    topic = sns.create_topic(Name=name)["TopicArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    policy = json.dumps({"Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    url, arn = _queue(aws, name, "sns", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName=name, ActionsEnabled=enabled, AlarmActions=[topic], **ALARM)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="r")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="r")  # no action for it
    told = [json.loads(body) for body in _messages(aws, url)]
    assert [(one["AlarmName"], one["NewStateValue"], one["OldStateValue"]) for one in told] == (
        [(name, "ALARM", "INSUFFICIENT_DATA")] if enabled else []
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "no json",
        "{}",
        json.dumps({"widgets": [{"type": "picture"}]}),
        json.dumps({"widgets": [{"type": "metric", "properties": {"metrics": []}}]}),
        json.dumps({"widgets": [{"type": "text", "x": 20, "width": 6, "properties": {"markdown": "m"}}]}),
        json.dumps({"widgets": [{"type": "alarm", "properties": {"alarms": []}}]}),
    ],
)
def test_a_dashboard_body_that_cloudwatch_does_not_take_is_refused(aws: Clients, wrong: str) -> None:
    with pytest.raises(ClientError, match="InvalidParameter"):
        aws.client("cloudwatch").put_dashboard(DashboardName="d", DashboardBody=wrong)


# ---------------------------------------------------------------------- metric filters
@pytest.mark.parametrize(
    ("pattern", "record", "hit"),
    [
        ('{ $.a = "x" }', {"a": "x"}, True),
        ('{ $.a = "x" }', {"a": "X"}, False),
        ('{ $.a = "x*" }', {"a": "xyz"}, True),
        ('{ $.a = "*y*" }', {"a": "xyz"}, True),
        ('{ $.a != "x" }', {"a": "y"}, True),
        ('{ $.a != "x" }', {}, False),
        ("{ $.a NOT EXISTS }", {}, True),
        ("{ $.a NOT EXISTS }", {"a": None}, False),
        ("{ $.a IS NULL }", {"a": None}, True),
        ("{ $.a IS TRUE }", {"a": True}, True),
        ("{ $.a IS FALSE }", {"a": 0}, False),
        ("{ $.a[1].b >= 5 }", {"a": [{}, {"b": 5}]}, True),
        ("{ $.a > 5 }", {"a": "6"}, False),
        ('{ ($.a = 1) && (($.b = "x") || ($.b = "y")) }', {"a": 1, "b": "y"}, True),
        ('{ ($.a = 1) && (($.b = "x") || ($.b = "y")) }', {"a": 2, "b": "y"}, False),
        ("", {"a": 1}, True),
    ],
)
def test_filter_patterns(pattern: str, record: dict[str, Any], hit: bool) -> None:
    assert matches(pattern, json.dumps(record)) is hit


@pytest.mark.parametrize(
    "wrong", ["ERROR", "{ $.a = }", "{ ($.a = 1 }", '{ $.a > "x" }', "{ $.a = %x% }", "{ $.a = 1 } z"]
)
def test_what_is_no_pattern_is_refused(aws: Clients, wrong: str) -> None:
    with pytest.raises(BadPattern):
        compiled(wrong)
    with pytest.raises(ClientError, match="InvalidParameterException"):
        aws.client("logs").test_metric_filter(filterPattern=wrong, logEventMessages=["x"])


def test_a_metric_filter_is_put_once_counts_and_is_gone_when_deleted(aws: Clients) -> None:
    logs, cloudwatch = aws.client("logs"), aws.client("cloudwatch")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        _put(logs, "nowhere", '{ $.a = "x" }')
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    _put(logs, "g", '{ $.a = "y" }')
    _put(logs, "g", '{ $.a = "x" }')
    (found,) = logs.describe_metric_filters(logGroupName="g")["metricFilters"]
    assert found["filterPattern"] == '{ $.a = "x" }' and found["creationTime"] > 0
    now = datetime.now(UTC)
    events = [
        {"timestamp": int(now.timestamp() * 1000), "message": json.dumps({"a": value})} for value in "xyx"
    ]
    logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)
    span = {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=5), "Period": 600}
    counted = cloudwatch.get_metric_statistics(Namespace="n", MetricName="m", Statistics=["Sum"], **span)
    assert sum(point["Sum"] for point in counted["Datapoints"]) == 2
    logs.delete_metric_filter(logGroupName="g", filterName="f")
    assert logs.describe_metric_filters(logGroupName="g")["metricFilters"] == []


def test_filters_put_at_the_same_moment_are_all_there(aws: Clients) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="many")

    def put(number: int) -> None:
        metric = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
        stated = {"filterPattern": "{ $.a = 1 }", "metricTransformations": [metric]}
        logs.put_metric_filter(logGroupName="many", filterName=f"f{number}", **stated)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(60)))
    assert len(logs.describe_metric_filters(logGroupName="many")["metricFilters"]) == 60


def _put(logs: Any, group: str, pattern: str) -> None:
    metric = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    logs.put_metric_filter(
        logGroupName=group, filterName="f", filterPattern=pattern, metricTransformations=[metric]
    )


# ---------------------------------------------------------------------- event rules
@pytest.mark.parametrize(
    ("template", "said"),
    [
        ('{"a":"<name>"}', '{"a":"n"}'),
        ('{"a":<name>}', '{"a":"n"}'),
        ('{"a":"<none>"}', '{"a":""}'),
        ('{"a":"<name> and <deep>"}', '{"a":"n and 2"}'),
        ('{"a":<list>}', '{"a":[1, 2]}'),
        ('"<name> is <unknown>"', '"n is <unknown>"'),
    ],
)
def test_an_input_transformer_fills_its_template(template: str, said: str) -> None:
    event = {"detail": {"name": "n", "list": [1, 2], "deep": [{"x": 2}]}}
    paths = {
        "name": "$.detail.name",
        "none": "$.detail.none",
        "deep": "$.detail.deep[0].x",
        "list": "$.detail.list",
    }
    assert transformed(template, paths, event, {}) == said


@pytest.mark.parametrize(
    ("pattern", "hit"),
    [
        ({"detail": {"items": {"cidr": ["0.0.0.0/0"]}}}, True),
        ({"detail": {"items": {"cidr": ["0.0.0.0/0"], "port": [22]}}}, False),  # not in one element
        ({"detail": {"items": {"cidr": ["0.0.0.0/0"], "port": [443]}}}, True),
        ({"detail": {"none": {"deeper": [{"exists": False}]}}}, True),
        ({"detail": {"$or": [{"none": ["x"]}, {"name": [{"wildcard": "*ass"}]}]}}, True),
        ({"detail": {"level": [{"numeric": [">=", 4, "<", 7]}]}}, False),
        ({"source": ["other"]}, False),
    ],
)
def test_an_event_pattern_is_judged_as_eventbridge_does(
    aws: Clients, pattern: dict[str, Any], hit: bool
) -> None:
    detail = {
        "name": "glass",
        "level": 7,
        "items": [{"cidr": "0.0.0.0/0", "port": 443}, {"cidr": "10.0.0.0/8", "port": 22}],
    }
    event = {"id": "1", "source": "us", "detail-type": "t", "account": ACCOUNT, "detail": detail}
    event |= {"time": "2026-01-01T00:00:00Z", "region": REGION, "resources": []}
    asked = {"EventPattern": json.dumps(pattern), "Event": json.dumps(event)}
    assert aws.client("events").test_event_pattern(**asked)["Result"] is hit


def _rule(aws: Clients, name: str, queue: str, **more: Any) -> None:
    events = aws.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}), **more)
    transformer = {"InputPathsMap": {"time": "$.time"}, "InputTemplate": '{"time":"<time>"}'}
    dead = {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:rules-dead"}
    target = {"Id": "t", "Arn": queue, "InputTransformer": transformer, "DeadLetterConfig": dead}
    events.put_targets(Rule=name, Targets=[target])


def _send(aws: Clients, source: str) -> None:
    entry = {"Source": source, "DetailType": "t", "Detail": "{}", "Time": datetime(2026, 1, 2, tzinfo=UTC)}
    assert aws.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def test_a_rule_delivers_what_its_template_says_and_a_disabled_one_nothing(aws: Clients) -> None:
    rule = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*"
    url, arn = _queue(aws, "rules", "events", rule)
    _queue(aws, "rules-dead", "events", rule)
    _rule(aws, "on", arn)
    _rule(aws, "off", arn, State="DISABLED")
    aws.client("events").put_rule(Name="schedule", ScheduleExpression="rate(1 day)")
    for source in ("on", "off"):
        _send(aws, source)
    assert _messages(aws, url) == ['{"time":"2026-01-02T00:00:00Z"}']


def test_what_a_queue_refuses_is_a_dead_letter_with_the_whole_event(aws: Clients) -> None:
    dead_url, _ = _queue(aws, "rules-dead", "events", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*")
    url, arn = _queue(aws, "shut")
    _rule(aws, "shut", arn)
    _send(aws, "shut")
    assert _messages(aws, url) == []
    (dead,) = [json.loads(body) for body in _messages(aws, dead_url)]
    assert (dead["source"], dead["time"]) == ("shut", "2026-01-02T00:00:00Z")


def test_an_archive_keeps_its_key(aws: Clients) -> None:
    events, key = aws.client("events"), f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    events.create_archive(ArchiveName="a", EventSourceArn=bus, RetentionDays=5, KmsKeyIdentifier=key)
    assert events.describe_archive(ArchiveName="a")["KmsKeyIdentifier"] == key
    events.delete_archive(ArchiveName="a")


# ---------------------------------------------------------------------- budgets and request metrics
def test_a_budget_keeps_whom_it_tells_its_limit_and_its_tags(aws: Clients) -> None:
    budgets, of = aws.client("budgets"), {"AccountId": ACCOUNT, "BudgetName": "b"}
    limit = {"Amount": "10", "Unit": "USD"}
    budget = {"BudgetName": "b", "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}
    told = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
    who = [{"SubscriptionType": "SNS", "Address": "arn:t"}]
    tag = {"Key": "Name", "Value": "b"}
    budgets.create_budget(
        AccountId=ACCOUNT,
        Budget=budget,
        NotificationsWithSubscribers=[{"Notification": told, "Subscribers": who}],
        ResourceTags=[tag],
    )
    assert budgets.describe_subscribers_for_notification(**of, Notification=told)["Subscribers"] == who
    changed = {**budget, "BudgetLimit": {"Amount": "20", "Unit": "USD"}}
    budgets.update_budget(AccountId=ACCOUNT, NewBudget=changed)
    assert budgets.describe_budget(**of)["Budget"]["BudgetLimit"]["Amount"] == "20"
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/b"
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [tag]


def test_request_metrics_are_put_told_and_deleted(aws: Clients) -> None:
    s3, of = aws.client("s3"), {"Bucket": "measured", "Id": "everything"}
    s3.create_bucket(Bucket="measured", CreateBucketConfiguration={"LocationConstraint": REGION})
    with pytest.raises(ClientError, match="NoSuchConfiguration"):
        s3.get_bucket_metrics_configuration(**of)
    s3.put_bucket_metrics_configuration(**of, MetricsConfiguration={"Id": "everything"})
    assert s3.get_bucket_metrics_configuration(**of)["MetricsConfiguration"] == {"Id": "everything"}
    found = s3.list_bucket_metrics_configurations(Bucket="measured")["MetricsConfigurationList"]
    assert [one["Id"] for one in found] == ["everything"]
    s3.delete_bucket_metrics_configuration(**of)
    with pytest.raises(ClientError, match="NoSuchConfiguration"):
        s3.get_bucket_metrics_configuration(**of)
