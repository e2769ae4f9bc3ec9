"""Broken plans: notices in clear, open channels, alarms that tell nobody, rules that lead nowhere."""

from __future__ import annotations

import json
from typing import Any

from tests.infra.breaking import Break, Broken, Plan, drop, lose, one, put

TOPIC, QUEUE = "aws:sns/topic:Topic", "aws:sqs/queue:Queue"
TOPIC_POLICY, QUEUE_POLICY = "aws:sns/topicPolicy:TopicPolicy", "aws:sqs/queuePolicy:QueuePolicy"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"


def statements(kind: str, name: str, change: Any) -> Break:
    def apply(planned: Plan) -> None:
        inputs = one(planned, kind, name)["inputs"]
        document = json.loads(inputs["policy"])
        document["Statement"] = change(document["Statement"])
        inputs["policy"] = json.dumps(document)

    return apply


def untold(name: str) -> Break:
    def apply(planned: Plan) -> None:
        alarm = one(planned, ALARM, "root-used")
        alarm["inputs"].pop(name)
        alarm.get("depends", {}).pop(name, None)

    return apply


def unbound(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in s.items() if k != "Condition" or s["Effect"] == "Deny"} for s in found]


def in_clear(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [s for s in found if s["Effect"] == "Allow"]


BROKEN: list[Broken] = [
    ("channel-encrypted", "a topic in clear", drop(TOPIC, "kmsMasterKeyId", "notices")),
    (
        "channel-encrypted",
        "a queue under AWS's key",
        put(QUEUE, "kmsMasterKeyId", "alias/aws/sqs", "incidents"),
    ),
    ("channel-closed", "a queue without a policy", lose(QUEUE_POLICY, "incidents")),
    ("channel-closed", "a topic over clear text", statements(TOPIC_POLICY, "notices", in_clear)),
    ("channel-closed", "a queue for every account's rules", statements(QUEUE_POLICY, "incidents", unbound)),
    ("alarm-tells", "nobody is told", untold("alarmActions")),
    ("alarm-tells", "nobody is told that it is over", untold("okActions")),
    ("alarm-tells", "switched off", put(ALARM, "actionsEnabled", False, "root-used")),
    ("alarm-silence", "silence means nothing", put(ALARM, "treatMissingData", "ignore", "nodes-failing")),
    ("rule-delivers", "a disabled rule", put(RULE, "state", "DISABLED", "root-used")),
    ("rule-delivers", "a rule without a target", lose(TARGET, "root-used")),
    ("delivery-kept", "a target without dead letters", drop(TARGET, "deadLetterConfig", "root-used")),
    (
        "delivery-kept",
        "a subscription without dead letters",
        drop(SUBSCRIPTION, "redrivePolicy", "incidents"),
    ),
    ("delivery-kept", "a queue without dead letters", drop(QUEUE, "redrivePolicy", "incidents")),
]
