"""Weaknesses of the watch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, account, pairs


def _put_again(alarm: dict[str, Any]) -> dict[str, Any]:
    """What PutMetricAlarm takes of what DescribeAlarms gives."""
    told = ("AlarmArn", "AlarmConfigurationUpdatedTimestamp")
    return {
        key: value
        for key, value in alarm.items()
        if value not in (None, [], "") and not key.startswith("State") and key not in told
    }


def _alarm(live: Any, key: str) -> tuple[Any, dict[str, Any]]:
    client, name = live.client("cloudwatch"), live.contract["alarms"][key]["name"]
    return client, client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]


def alarm_silenced(live: Any) -> Iterator[Pairs]:
    client, alarm = _alarm(live, "root-used")
    client.disable_alarm_actions(AlarmNames=[alarm["AlarmName"]])
    yield pairs("alarm/root-used", "MON-010")
    client.enable_alarm_actions(AlarmNames=[alarm["AlarmName"]])


def alarm_deaf_to_silence(live: Any) -> Iterator[Pairs]:
    client, alarm = _alarm(live, "nodes-failing")
    client.put_metric_alarm(**{**_put_again(alarm), "TreatMissingData": "notBreaching"})
    yield pairs("alarm/nodes-failing", "MON-011")
    client.put_metric_alarm(**_put_again(alarm))


def usage_judged_by_a_number(live: Any) -> Iterator[Pairs]:
    client, alarm = _alarm(live, "traffic-out")
    client.put_metric_alarm(
        AlarmName=alarm["AlarmName"],
        Namespace="AWS/EC2",
        MetricName="NetworkOut",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1e15,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=alarm["AlarmActions"],
        OKActions=alarm["OKActions"],
    )
    yield account(live, "MON-012")
    client.put_metric_alarm(**_put_again(alarm))


def tunnel_alarm_on_another_connection(live: Any) -> Iterator[Pairs]:
    name = next(iter(live.contract["vpn"]))
    client, alarm = _alarm(live, f"tunnel-{name.replace('/', '-')}")
    other = [{"Name": "VpnId", "Value": "vpn-00000000000000000"}]
    client.put_metric_alarm(**{**_put_again(alarm), "Dimensions": other})
    yield pairs(f"vpn/{name}", "MON-013")
    client.put_metric_alarm(**_put_again(alarm))


def tunnel_alarm_for_both_tunnels_only(live: Any) -> Iterator[Pairs]:
    name = list(live.contract["vpn"])[1]
    client, alarm = _alarm(live, f"tunnel-{name.replace('/', '-')}")
    client.put_metric_alarm(**{**_put_again(alarm), "Threshold": 0.5})
    yield pairs(f"vpn/{name}", "MON-013")
    client.put_metric_alarm(**_put_again(alarm))


def tunnel_alarm_on_the_better_value(live: Any) -> Iterator[Pairs]:
    name = list(live.contract["vpn"])[2]
    client, alarm = _alarm(live, f"tunnel-{name.replace('/', '-')}")
    client.put_metric_alarm(**{**_put_again(alarm), "Statistic": "Maximum"})
    yield pairs(f"vpn/{name}", "MON-013")
    client.put_metric_alarm(**_put_again(alarm))


def filter_deleted(live: Any) -> Iterator[Pairs]:
    logs, group = live.client("logs"), live.contract["trail"]["log_group"]
    found = logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    kept = next(one for one in found if one["filterName"].endswith("-sign-in-failed"))
    logs.delete_metric_filter(logGroupName=group, filterName=kept["filterName"])
    yield account(live, "MON-008")
    names = ("logGroupName", "filterName", "filterPattern", "metricTransformations")
    logs.put_metric_filter(**{name: kept[name] for name in names})


def filter_blind_to_break_glass(live: Any) -> Iterator[Pairs]:
    logs, group = live.client("logs"), live.contract["trail"]["log_group"]
    found = logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    kept = next(one for one in found if one["filterName"].endswith("-break-glass-used"))
    names = ("logGroupName", "filterName", "metricTransformations")
    stated = {name: kept[name] for name in names}
    logs.put_metric_filter(**stated, filterPattern='{ $.eventName = "Nothing" }')
    yield account(live, "MON-009")
    logs.put_metric_filter(**stated, filterPattern=kept["filterPattern"])


def topic_opened(live: Any) -> Iterator[Pairs]:
    sns, arn = live.client("sns"), live.contract["notices"]["topic"]
    before = sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]
    wide = json.loads(before)
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": arn}
    wide["Statement"].append({"Sid": "Easy", **everybody})
    write = {"TopicArn": arn, "AttributeName": "Policy"}
    sns.set_topic_attributes(**write, AttributeValue=json.dumps(wide))
    yield pairs("topic/notices", "MON-002")
    sns.set_topic_attributes(**write, AttributeValue=before)


def topic_in_clear(live: Any) -> Iterator[Pairs]:
    sns, arn = live.client("sns"), live.contract["notices"]["topic"]
    key = sns.get_topic_attributes(TopicArn=arn)["Attributes"]["KmsMasterKeyId"]
    write = {"TopicArn": arn, "AttributeName": "KmsMasterKeyId"}
    sns.set_topic_attributes(**write, AttributeValue="")
    yield pairs("topic/notices", "MON-001")
    sns.set_topic_attributes(**write, AttributeValue=key)


def failed_deliveries_not_written_down(live: Any) -> Iterator[Pairs]:
    sns, arn = live.client("sns"), live.contract["notices"]["topic"]
    name = "SQSFailureFeedbackRoleArn"
    role = sns.get_topic_attributes(TopicArn=arn)["Attributes"][name]
    sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue="")
    yield pairs("topic/notices", "MON-004")
    sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=role)


def subscription_holds_notices_back(live: Any) -> Iterator[Pairs]:
    sns, arn = live.client("sns"), live.contract["notices"]["topic"]
    (one,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    write = {"SubscriptionArn": one["SubscriptionArn"], "AttributeName": "FilterPolicy"}
    sns.set_subscription_attributes(**write, AttributeValue=json.dumps({"never": ["sent"]}))
    yield pairs("topic/notices", "MON-003")
    sns.set_subscription_attributes(**write, AttributeValue="")


def _queue(live: Any, key: str) -> tuple[Any, str]:
    sqs, name = live.client("sqs"), live.contract["notices"][key].rpartition(":")[2]
    return sqs, sqs.get_queue_url(QueueName=name)["QueueUrl"]


def _attribute(live: Any, key: str, name: str, value: str) -> Iterator[None]:
    sqs, url = _queue(live, key)
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"][name]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={name: value})
    yield
    sqs.set_queue_attributes(QueueUrl=url, Attributes={name: before})


def queue_in_clear(live: Any) -> Iterator[Pairs]:
    for _ in _attribute(live, "queue", "KmsMasterKeyId", ""):
        yield pairs("queue/incidents", "MON-005")


def queue_without_a_policy(live: Any) -> Iterator[Pairs]:
    for _ in _attribute(live, "dead_letters", "Policy", ""):
        yield pairs("queue/dead-letters", "MON-006")


def queue_forgets_after_a_day(live: Any) -> Iterator[Pairs]:
    for _ in _attribute(live, "queue", "MessageRetentionPeriod", "86400"):
        yield pairs("queue/incidents", "MON-007")


def rule_disabled(live: Any) -> Iterator[Pairs]:
    events, name = live.client("events"), live.contract["event_rules"]["guardduty-high"]
    events.disable_rule(Name=name)
    yield pairs("event_rule/guardduty-high", "MON-017")
    events.enable_rule(Name=name)


def target_without_dead_letters(live: Any) -> Iterator[Pairs]:
    events, name = live.client("events"), live.contract["event_rules"]["tampering"]
    (target,) = events.list_targets_by_rule(Rule=name)["Targets"]
    weaker = {key: value for key, value in target.items() if key != "DeadLetterConfig"}
    events.put_targets(Rule=name, Targets=[weaker])
    yield pairs("event_rule/tampering", "MON-018")
    events.put_targets(Rule=name, Targets=[target])


def events_kept_for_a_month(live: Any) -> Iterator[Pairs]:
    events = live.client("events")
    name = events.list_archives()["Archives"][0]["ArchiveName"]
    told = events.describe_archive(ArchiveName=name)
    key = told["KmsKeyIdentifier"]
    events.update_archive(ArchiveName=name, RetentionDays=30, KmsKeyIdentifier=key)
    yield account(live, "MON-019")
    events.update_archive(ArchiveName=name, RetentionDays=told["RetentionDays"], KmsKeyIdentifier=key)


def dashboard_of_another_region(live: Any) -> Iterator[Pairs]:
    cloudwatch, name = live.client("cloudwatch"), live.contract["dashboards"]["network"]
    body = cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]
    elsewhere = body.replace(f'"region":"{live.contract["region"]}"', '"region":"us-east-1"')
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody=elsewhere)
    yield pairs("dashboard/network", "MON-016")
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody=body)


def dashboard_without_its_alarms(live: Any) -> Iterator[Pairs]:
    cloudwatch, name = live.client("cloudwatch"), live.contract["dashboards"]["iam"]
    body = cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]
    less = {"widgets": [w for w in json.loads(body)["widgets"] if w["type"] != "alarm"]}
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody=json.dumps(less))
    yield pairs("dashboard/iam", "MON-015")
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody=body)


def dashboard_deleted(live: Any) -> Iterator[Pairs]:
    cloudwatch, name = live.client("cloudwatch"), live.contract["dashboards"]["os"]
    body = cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]
    cloudwatch.delete_dashboards(DashboardNames=[name])
    yield pairs("dashboard/os", "MON-015", "MON-016")
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody=body)


def budget_tells_nobody(live: Any) -> Iterator[Pairs]:
    budgets, number = live.client("budgets"), live.contract["account"]
    name = budgets.describe_budgets(AccountId=number)["Budgets"][0]["BudgetName"]
    of = {"AccountId": number, "BudgetName": name}
    told = budgets.describe_notifications_for_budget(**of)["Notifications"]
    forecast = next(one for one in told if one["NotificationType"] == "FORECASTED")
    who = budgets.describe_subscribers_for_notification(**of, Notification=forecast)["Subscribers"]
    budgets.delete_notification(**of, Notification=forecast)
    yield account(live, "MON-014")
    budgets.create_notification(**of, Notification=forecast, Subscribers=who)


WEAKNESSES: tuple[Weakness, ...] = (
    alarm_silenced,
    alarm_deaf_to_silence,
    usage_judged_by_a_number,
    tunnel_alarm_on_another_connection,
    tunnel_alarm_for_both_tunnels_only,
    tunnel_alarm_on_the_better_value,
    filter_deleted,
    filter_blind_to_break_glass,
    topic_opened,
    topic_in_clear,
    failed_deliveries_not_written_down,
    subscription_holds_notices_back,
    queue_in_clear,
    queue_without_a_policy,
    queue_forgets_after_a_day,
    rule_disabled,
    target_without_dead_letters,
    events_kept_for_a_month,
    dashboard_of_another_region,
    dashboard_without_its_alarms,
    dashboard_deleted,
    budget_tells_nobody,
)
