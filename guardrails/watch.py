"""What notices is encrypted and closed, tells somebody, and is never switched off."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from guardrails.model import UNKNOWN, Bounds, Finding, Guardrail, Planned, at, listed, of_type, statements

TOPIC, QUEUE = "aws:sns/topic:Topic", "aws:sqs/queue:Queue"
POLICIES = {
    TOPIC: ("aws:sns/topicPolicy:TopicPolicy", "arn"),
    QUEUE: ("aws:sqs/queuePolicy:QueuePolicy", "queueUrl"),
}
ALARMS = ("aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm")
RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"


def channels_encrypted(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Topics and queues are encrypted with a key of ours."""
    for channel in of_type(resources, TOPIC, QUEUE):
        key = channel["inputs"].get("kmsMasterKeyId", "alias/aws/none")
        if isinstance(key, str) and key.startswith("alias/aws/"):
            yield Finding("channel-encrypted", channel["urn"], "it has no key of ours", "set kmsMasterKeyId")


def channels_closed(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Topics and queues have a policy that refuses clear text and binds each service it admits."""
    for kind, (policy_type, name) in POLICIES.items():
        policies = list(of_type(resources, policy_type))
        for channel in of_type(resources, kind):
            own = [one for one in policies if _policy_of(one, channel, name)]
            if not own:
                yield Finding("channel-closed", channel["urn"], "it has no policy", "add one")
        for policy in policies:
            if policy["inputs"].get("policy") not in UNKNOWN:
                yield from _judged(policy)


def _policy_of(policy: Planned, channel: Planned, name: str) -> bool:
    """By what it was computed from, or as its namesake in the same component while no id is known."""
    depends = policy.get("depends", {}).get(name)
    if depends:
        return channel["urn"] in depends
    return (policy["parent"], policy["name"]) == (channel["parent"], channel["name"])


def _judged(policy: Planned) -> Iterator[Finding]:
    found = statements(policy["inputs"]["policy"])
    clear = {"Bool": {"aws:SecureTransport": "false"}}
    if not any(
        s["Effect"] == "Deny" and s.get("Condition") == clear and s.get("Principal") == "*" for s in found
    ):
        yield Finding(
            "channel-closed", policy["urn"], "it does not refuse clear text", "deny it for everybody"
        )
    for statement in found:
        keys = {key.lower() for of in statement.get("Condition", {}).values() for key in of}
        if statement["Effect"] == "Allow" and not keys & {"aws:sourcearn", "aws:sourceaccount"}:
            yield Finding(
                "channel-closed",
                policy["urn"],
                f"statement {statement.get('Sid')} admits anybody's resources",
                "bind it with aws:SourceArn and aws:SourceAccount",
            )


def alarms_tell(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Every alarm tells somebody when it goes off and when it is over, and says what silence means."""
    for alarm in of_type(resources, *ALARMS):
        inputs = alarm["inputs"]
        for name in ("alarmActions", "okActions"):
            # A list whose topic is not known yet is a list; none at all is none.
            if not listed(inputs.get(name)) and name not in alarm.get("depends", {}):
                yield Finding("alarm-tells", alarm["urn"], f"it has no {name}", "tell the topic of notices")
        if at(inputs, "actionsEnabled") is False:
            yield Finding("alarm-tells", alarm["urn"], "its actions are off", "leave them on")
        if alarm["type"] == ALARMS[0] and inputs.get("treatMissingData") not in ("breaching", "notBreaching"):
            said = inputs.get("treatMissingData")
            yield Finding(
                "alarm-silence", alarm["urn"], f"missing data is {said!r}", "say what silence means"
            )


def rules_deliver(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Every rule is on and has a target; what cannot be delivered is kept."""
    targets = list(of_type(resources, TARGET))
    for rule in of_type(resources, RULE):
        if rule["inputs"].get("state") == "DISABLED" or at(rule["inputs"], "isEnabled") is False:
            yield Finding("rule-delivers", rule["urn"], "it is off", "enable it")
        if not any(_of(target, rule) for target in targets):
            yield Finding("rule-delivers", rule["urn"], "it has no target", "add one")
    for target in targets:
        if "deadLetterConfig" not in target["inputs"]:
            yield Finding("delivery-kept", target["urn"], "no dead-letter queue", "set deadLetterConfig")
    for subscription in of_type(resources, SUBSCRIPTION):
        if "redrivePolicy" not in subscription["inputs"]:
            yield Finding("delivery-kept", subscription["urn"], "no dead-letter queue", "set redrivePolicy")
    for queue in of_type(resources, QUEUE):
        dead = re.search(r"dead", queue["name"])
        if not dead and "redrivePolicy" not in queue["inputs"]:
            yield Finding("delivery-kept", queue["urn"], "no dead-letter queue", "set redrivePolicy")


def _of(target: Planned, rule: Planned) -> bool:
    named = target["inputs"].get("rule")
    return rule["urn"] in target.get("depends", {}).get("rule", []) or (
        named not in UNKNOWN and named == rule["inputs"].get("name")
    )


GUARDRAILS: tuple[Guardrail, ...] = (channels_encrypted, channels_closed, alarms_tell, rules_deliver)
