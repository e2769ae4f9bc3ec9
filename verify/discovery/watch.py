"""Topics, queues, metric filters, alarms, dashboards and event rules."""

from __future__ import annotations

from verify.account import Account
from verify.discovery.joining import Contract, Finder, Found, join


def _topics(account: Account, contract: Contract) -> Found:
    promised = {contract["notices"]["topic"]: ("notices", contract["notices"])}
    seen = {}
    for entry in account.need("sns", "list_topics").get("Topics", []):
        arn = entry["TopicArn"]
        attributes = account.need("sns", "get_topic_attributes", TopicArn=arn)["Attributes"]
        seen[arn] = {**attributes, "Name": arn.rpartition(":")[2]}
    return join("topic", promised, seen, "sns.get_topic_attributes")


def _queues(account: Account, contract: Contract) -> Found:
    told = contract["notices"]
    promised = {told[key]: (name, {"arn": told[key]}) for key, name in QUEUES.items()}
    seen = {}
    for url in account.need("sqs", "list_queues").get("QueueUrls", []):
        found = account.need("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])[
            "Attributes"
        ]
        seen[found["QueueArn"]] = {**found, "Name": found["QueueArn"].rpartition(":")[2]}
    return join("queue", promised, seen, "sqs.get_queue_attributes")


QUEUES = {"queue": "incidents", "dead_letters": "dead-letters"}


def _alarms(account: Account, contract: Contract) -> Found:
    promised = {alarm["name"]: (name, alarm) for name, alarm in contract["alarms"].items()}
    answer = account.need("cloudwatch", "describe_alarms", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
    seen = {alarm["AlarmName"]: {**alarm, "Name": alarm["AlarmName"]} for alarm in found}
    return join("alarm", promised, seen, "cloudwatch.describe_alarms")


def _dashboards(account: Account, contract: Contract) -> Found:
    promised = {
        name: (layer.replace(" ", "-"), {"layer": layer}) for layer, name in contract["dashboards"].items()
    }
    seen = {}
    for entry in account.need("cloudwatch", "list_dashboards").get("DashboardEntries", []):
        name = entry["DashboardName"]
        seen[name] = account.need("cloudwatch", "get_dashboard", DashboardName=name)
    return join("dashboard", promised, seen, "cloudwatch.get_dashboard")


def _event_rules(account: Account, contract: Contract) -> Found:
    promised = {name: (key, {"route": key}) for key, name in contract["event_rules"].items()}
    seen = {}
    for rule in account.need("events", "list_rules").get("Rules", []):
        # A rule that an AWS service made for itself (of an archive, of Security Hub) is its own.
        if not rule.get("ManagedBy"):
            seen[rule["Name"]] = rule
    return join("event_rule", promised, seen, "events.list_rules")


KINDS: dict[str, Finder] = {
    "topic": _topics,
    "queue": _queues,
    "alarm": _alarms,
    "dashboard": _dashboards,
    "event_rule": _event_rules,
}
