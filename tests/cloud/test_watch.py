"""What notices, and whom it tells: topic, incident queue, alarms, dashboards, event rules.

Rows M10, M12, M22, M30, E1, E4.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from verify.account import Account
from verify.policies import Statement, conditions, denies_everybody, principals, statements
from verify.subjects import Resource

Region = dict[str, Any]

# CIS AWS Foundations Benchmark v5.0.0, 4.1 to 4.15: what each filter has to notice, as CloudTrail names it.
CIS = {
    "unauthorized-calls": ("AccessDenied", "UnauthorizedOperation"),
    "sign-in-without-mfa": ("ConsoleLogin", "MFAUsed"),
    "root-used": ("Root", "invokedBy"),
    "iam-changed": ("RolePolicy", "CreatePolicy", "iam.amazonaws.com"),
    "trail-changed": ("StopLogging", "DeleteTrail", "UpdateTrail"),
    "sign-in-failed": ("ConsoleLogin", "Failed authentication"),
    "key-disabled": ("DisableKey", "ScheduleKeyDeletion"),
    "bucket-policy-changed": ("PutBucketPolicy", "DeleteBucketPolicy", "PutBucketAcl"),
    "config-changed": ("StopConfigurationRecorder", "PutConfigurationRecorder"),
    "security-group-changed": ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupEgress"),
    "network-acl-changed": ("CreateNetworkAclEntry", "DeleteNetworkAcl"),
    "gateway-changed": ("InternetGateway", "CustomerGateway"),
    "route-changed": ("CreateRoute", "ReplaceRoute", "DeleteRouteTable"),
    "vpc-changed": ("CreateVpc", "VpcPeeringConnection"),
    "organisation-changed": ("organizations.amazonaws.com", "LeaveOrganization"),
}
OURS = {
    "break-glass-used": ("AssumeRole", "break-glass"),
    "lock-weakened": ("PutBucketObjectLockConfiguration", "BackupVaultLockConfiguration"),
    "watch-weakened": ("DeleteAlarms", "DisableRule", "DeleteDetector"),
}
# The longest a message may stay in a queue (SQS API reference): nothing is lost over a long weekend.
TWO_WEEKS = 14 * 86_400


def _key(name: str, region: Region) -> bool:
    return bool(name) and name in region["keys"].values()


def _bound(policy: str | None) -> list[str]:
    """Statements that let in somebody who is not bound to this account's own resources."""
    loose = []
    for statement in statements(policy):
        if statement.get("Effect") == "Allow" and not _of_ours(statement):
            loose.append(str(statement.get("Sid")))
    return loose


def _of_ours(statement: Statement) -> bool:
    keys = {key.split(" ")[1] for key in conditions(statement)}
    services = all(name.endswith(".amazonaws.com") for name in principals(statement))
    return services and bool(keys & {"aws:sourcearn", "aws:sourceaccount"})


# ---------------------------------------------------------------------- topic and queues
@pytest.mark.control("STK-MON-001")
def test_the_topic_is_encrypted_with_our_own_key(topic: Resource, region: Region) -> None:
    key = topic.get("KmsMasterKeyId", "")
    assert _key(key, region), f"its key is {key or 'missing'}"


@pytest.mark.control("STK-MON-002")
def test_the_topic_admits_our_alarms_and_budgets_only_and_over_tls(topic: Resource) -> None:
    policy = topic.get("Policy")
    assert not _bound(policy), f"statements {_bound(policy)} let in others"
    clear = denies_everybody(
        policy, "sns:Publish", [topic["TopicArn"]], "bool aws:securetransport", {"false"}
    )
    assert clear, "clear text is not refused"


@pytest.mark.control("STK-MON-003")
def test_what_the_topic_says_reaches_the_incident_queue(
    topic: Resource, aws: Account, region: Region
) -> None:
    if topic["TopicArn"] != region["notices"]["topic"]:
        pytest.skip("not applicable: not the topic of the notices")
    found = aws.need("sns", "list_subscriptions_by_topic", TopicArn=topic["TopicArn"])["Subscriptions"]
    ours = [one for one in found if one["Endpoint"] == region["notices"]["queue"]]
    assert ours, "the incident queue is not subscribed"
    arn = ours[0]["SubscriptionArn"]
    told = aws.need("sns", "get_subscription_attributes", SubscriptionArn=arn)["Attributes"]
    assert told.get("RawMessageDelivery", "").lower() == "true", "messages arrive wrapped"
    assert not told.get("FilterPolicy"), "a filter policy holds notices back"
    waiting = [one["Endpoint"] for one in found if not one["SubscriptionArn"].startswith("arn:")]
    assert not waiting, f"never confirmed: {', '.join(waiting)}"


@pytest.mark.control("STK-MON-004")
def test_what_cannot_be_delivered_is_kept(topic: Resource, aws: Account) -> None:
    found = aws.need("sns", "list_subscriptions_by_topic", TopicArn=topic["TopicArn"])["Subscriptions"]
    for one in found:
        arn = one["SubscriptionArn"]
        if arn.startswith("arn:"):
            told = aws.need("sns", "get_subscription_attributes", SubscriptionArn=arn)["Attributes"]
            assert told.get("RedrivePolicy"), f"no dead letters for {one['Endpoint']}"
    assert topic.get("SQSFailureFeedbackRoleArn"), "failed deliveries are not written down"


@pytest.mark.control("STK-MON-005")
def test_a_queue_is_encrypted_with_our_own_key(queue: Resource, region: Region) -> None:
    key = queue.get("KmsMasterKeyId", "")
    assert _key(key, region), f"its key is {key or 'missing'}"


@pytest.mark.control("STK-MON-006")
def test_a_queue_admits_our_topic_and_rules_only_and_over_tls(queue: Resource) -> None:
    policy = queue.get("Policy")
    assert not _bound(policy), f"statements {_bound(policy)} let in others"
    clear = denies_everybody(
        policy, "sqs:SendMessage", [queue["QueueArn"]], "bool aws:securetransport", {"false"}
    )
    assert clear, "clear text is not refused"


@pytest.mark.control("STK-MON-007")
def test_a_queue_keeps_messages_for_two_weeks_and_those_nobody_can_read(
    queue: Resource, region: Region
) -> None:
    kept = int(queue["MessageRetentionPeriod"])
    assert kept == TWO_WEEKS, f"messages go after {kept} seconds"
    if queue["QueueArn"] != region["notices"]["dead_letters"]:
        redrive = json.loads(queue.get("RedrivePolicy") or "{}")
        assert redrive.get("deadLetterTargetArn") == region["notices"]["dead_letters"], "no dead letters"


# ---------------------------------------------------------------------- filters and alarms
def _filters(aws: Account, region: Region) -> dict[str, dict[str, Any]]:
    group = region["trail"]["log_group"]
    found = aws.read(
        "logs", "describe_metric_filters", absent=("ResourceNotFoundException",), logGroupName=group
    )
    return {
        metric["metricName"]: {**one, **metric}
        for one in (found or {}).get("metricFilters", [])
        for metric in one["metricTransformations"]
    }


def _alarm_of(name: str, aws: Account, space: str) -> dict[str, Any] | None:
    found = aws.need("cloudwatch", "describe_alarms", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    for alarm in found.get("MetricAlarms", []):
        if (alarm.get("Namespace"), alarm.get("MetricName")) == (space, name):
            return dict(alarm)
    return None


@pytest.mark.parametrize("name", sorted(CIS))
@pytest.mark.control("STK-MON-008")
def test_the_trail_is_searched_for_what_cis_asks_for(name: str, aws: Account, region: Region) -> None:
    _searched(name, CIS[name], aws, region)


@pytest.mark.parametrize("name", sorted(OURS))
@pytest.mark.control("STK-MON-009")
def test_the_trail_is_searched_for_attacks_on_what_protects_us(
    name: str, aws: Account, region: Region
) -> None:
    _searched(name, OURS[name], aws, region)


def _searched(name: str, words: tuple[str, ...], aws: Account, region: Region) -> None:
    found = _filters(aws, region).get(name)
    assert found, f"no metric filter counts {name}"
    missing = [word for word in words if word not in found["filterPattern"]]
    assert not missing, f"the filter {name} does not look for {', '.join(missing)}"
    alarm = _alarm_of(name, aws, found["metricNamespace"])
    assert alarm, f"no alarm watches {name}"


@pytest.mark.control("STK-MON-010")
def test_an_alarm_tells_when_it_goes_off_and_when_it_is_over(alarm: Resource, region: Region) -> None:
    assert alarm.get("ActionsEnabled") is True, "its actions are switched off"
    topic = region["notices"]["topic"]
    assert topic in alarm.get("AlarmActions", []), "nobody is told when it goes off"
    assert topic in alarm.get("OKActions", []), "nobody is told when it is over"


@pytest.mark.control("STK-MON-011")
def test_an_alarm_knows_what_silence_means(alarm: Resource) -> None:
    if "AlarmRule" in alarm.data:
        pytest.skip("not applicable: it watches other alarms")
    said = alarm.get("TreatMissingData", "missing")
    assert said in ("breaching", "notBreaching"), f"missing data is {said}"
    if alarm.facts["id"].rpartition("/")[2].startswith(SPEAKING):
        assert said == "breaching", "what always speaks may fall silent unnoticed"


# What reports all the time: its silence is trouble.
SPEAKING = ("tunnel-", "flow-", "trail-usage", "nodes-failing", "nodes-silent", "windows-rolled")
# Usage that is judged by what is usual (M12), by the names of their alarms.
USUAL = ("traffic-out", "trail-usage", "keys-used", "flow-", "bytes-")


@pytest.mark.control("STK-MON-012")
def test_abnormal_usage_is_noticed_by_what_is_usual(aws: Account, region: Region) -> None:
    found = aws.need("cloudwatch", "describe_alarms", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    bands = {
        alarm["AlarmName"].rpartition("/")[2]
        for alarm in found.get("MetricAlarms", [])
        if alarm.get("ThresholdMetricId")
        and any("ANOMALY_DETECTION_BAND" in q.get("Expression", "") for q in alarm.get("Metrics", []))
    }
    missing = [prefix for prefix in USUAL if not any(name.startswith(prefix) for name in bands)]
    assert not missing, f"nothing learns what is usual for {', '.join(missing)}"


@pytest.mark.control("STK-MON-013")
def test_each_vpn_connection_has_an_alarm_for_its_tunnels(
    vpn: Resource, aws: Account, region: Region
) -> None:
    found = aws.need("cloudwatch", "describe_alarms", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    # Of the whole connection: AWS Site-to-Site VPN User Guide, "Monitor tunnels using CloudWatch": the value
    # of TunnelState is 1 with both tunnels up, 0.5 with one (static) and 0 without any.
    dimensions = [{"Name": "VpnId", "Value": vpn["VpnConnectionId"]}]
    ours = [
        alarm
        for alarm in found.get("MetricAlarms", [])
        if (alarm.get("Namespace"), alarm.get("MetricName")) == ("AWS/VPN", "TunnelState")
        and alarm.get("Dimensions", []) == dimensions
    ]
    assert ours, "nobody notices when its tunnels go down"
    assert any(_notices_one_tunnel(alarm, region["notices"]["topic"]) for alarm in ours), (
        "its alarm would not speak, or not soon, when one of the two tunnels is down"
    )


def _notices_one_tunnel(alarm: dict[str, Any], topic: str) -> bool:
    """Does this alarm tell the topic within a quarter of an hour that the state fell below both tunnels?"""
    below = alarm["ComparisonOperator"] == "LessThanThreshold" and 0.5 < alarm["Threshold"] <= 1
    minutes = alarm["Period"] * alarm["EvaluationPeriods"] / 60
    told = alarm.get("ActionsEnabled") is True and topic in alarm.get("AlarmActions", [])
    silent = alarm.get("TreatMissingData") == "breaching"
    return below and alarm.get("Statistic") == "Minimum" and minutes <= 15 and told and silent


@pytest.mark.control("STK-MON-014")
def test_abnormal_cost_is_told(aws: Account, region: Region) -> None:
    account = str(region["account"])
    told: set[tuple[str, str]] = set()
    for budget in aws.need("budgets", "describe_budgets", AccountId=account).get("Budgets", []):
        of = {"AccountId": account, "BudgetName": budget["BudgetName"]}
        for one in aws.need("budgets", "describe_notifications_for_budget", **of).get("Notifications", []):
            found = aws.need("budgets", "describe_subscribers_for_notification", **of, Notification=one)
            told |= {(one["NotificationType"], s["Address"]) for s in found["Subscribers"]}
    topic = region["notices"]["topic"]
    assert {("ACTUAL", topic), ("FORECASTED", topic)} <= told, "no budget tells the topic of the notices"


# ---------------------------------------------------------------------- dashboards
@pytest.mark.control("STK-MON-015")
def test_each_layer_has_a_dashboard_of_its_parameters_and_alarms(dashboard: Resource, region: Region) -> None:
    if dashboard.expected is None:
        pytest.skip("not applicable: somebody's own dashboard")
    widgets = json.loads(dashboard["DashboardBody"])["widgets"]
    assert any(widget["type"] == "metric" for widget in widgets), "it shows no parameter"
    layer = dashboard.expected["layer"]
    wanted = {alarm["arn"] for alarm in region["alarms"].values() if alarm["layer"] == layer}
    shown = {arn for widget in widgets for arn in widget["properties"].get("alarms", [])}
    assert wanted <= shown, f"{len(wanted - shown)} alarm(s) of the layer are not shown"


@pytest.mark.control("STK-MON-016")
def test_a_dashboard_looks_at_our_region_only(dashboard: Resource, region: Region) -> None:
    widgets = json.loads(dashboard["DashboardBody"])["widgets"]
    regions = {w["properties"]["region"] for w in widgets if "region" in w.get("properties", {})}
    assert regions <= {region["region"]}, f"it reads {', '.join(regions - {region['region']})}"


# ---------------------------------------------------------------------- event rules
@pytest.mark.control("STK-MON-017")
def test_an_event_rule_is_on_and_reaches_the_incident_queue(
    event_rule: Resource, aws: Account, region: Region
) -> None:
    assert event_rule["State"] != "DISABLED", "it is disabled"
    targets = aws.need("events", "list_targets_by_rule", Rule=event_rule["Name"])["Targets"]
    assert targets, "it has no target"
    if event_rule.expected is not None:
        queue = region["notices"]["queue"]
        ours = [one for one in targets if one["Arn"] == queue]
        assert ours, "the incident queue is not its target"
        assert "stockade/notice/1" in ours[0].get("InputTransformer", {}).get("InputTemplate", ""), (
            "what it sends is no record"
        )


@pytest.mark.control("STK-MON-018")
def test_an_event_that_cannot_be_delivered_is_kept(event_rule: Resource, aws: Account) -> None:
    targets = aws.need("events", "list_targets_by_rule", Rule=event_rule["Name"])["Targets"]
    lost = [one["Id"] for one in targets if not one.get("DeadLetterConfig", {}).get("Arn")]
    assert not lost, f"targets without dead letters: {', '.join(lost)}"


@pytest.mark.control("STK-MON-019")
def test_what_was_told_can_be_told_again(aws: Account, region: Region) -> None:
    found = aws.need("events", "list_archives").get("Archives", [])
    told = [aws.need("events", "describe_archive", ArchiveName=one["ArchiveName"]) for one in found]
    good = [one for one in told if _key(one.get("KmsKeyIdentifier", ""), region)]
    assert good, "no archive of events under a key of ours"
    days = max(one.get("RetentionDays") or 10**6 for one in good)
    # CERT-In, Directions under section 70B(6) of the IT Act, 28 April 2022, (iv): logs of 180 days.
    assert days >= 180, f"events are kept for {days} days"
