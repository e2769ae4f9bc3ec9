"""EventBridge: rules that are off stay silent, targets get what AWS would send, what cannot be delivered
becomes a dead letter, and archives keep their key.

EventBridge API reference: PutRule (State), PutTargets (InputTransformer, DeadLetterConfig), CreateArchive and
DescribeArchive (KmsKeyIdentifier), TestEventPattern. A queue takes a rule's event only when its policy admits
events.amazonaws.com for that rule (User Guide, "Using resource-based policies").
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.events.models import UNDEFINED, Archive, EventPattern, Rule
from moto.events.responses import EventsHandler
from moto.sqs.models import sqs_backends

from twin.account.extensions.event_patterns import ABSENT, matches, transformed
from twin.account.extensions.placing import place
from twin.account.extensions.resource_policies import admits
from twin.account.extensions.topics import queue_of

_ARCHIVES = "prod.vhs.events.aws.internal"
_ENVELOPE = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")


def install() -> None:
    """Wrap rules and archives."""
    send, describe = Rule.send_to_targets, Archive.describe
    create, update = EventsHandler.create_archive, EventsHandler.update_archive

    def send_to_targets(self: Any, original_event: Any, transform_input: bool = True) -> None:
        if self.state == "DISABLED" or self.event_pattern.dump() is None:
            return  # a schedule has no pattern; no event wakes it
        if self.managed_by == _ARCHIVES:
            send(self, original_event, transform_input)
        elif self.event_pattern.matches_event(original_event):
            for target in self.targets:
                _deliver(self, target, _as_sent(original_event))

    def describe_archive(self: Any) -> dict[str, Any]:
        key = self.__dict__.get("kms_key_identifier")
        return {**describe(self), **({"KmsKeyIdentifier": key} if key else {})}

    def remember(operation: Any) -> Any:
        def with_key(self: Any) -> Any:
            answer = operation(self)
            archive = self.events_backend.archives[self._get_param("ArchiveName")]
            archive.kms_key_identifier = self._get_param("KmsKeyIdentifier")
            return answer

        return with_key

    place(Rule, send_to_targets=send_to_targets)
    place(Archive, describe=describe_archive)
    place(EventPattern, matches_event=matches_event)
    place(EventsHandler, create_archive=remember(create), update_archive=remember(update))
    place(EventsHandler, test_event_pattern=test_event_pattern)


def matches_event(self: Any, event: Any) -> bool:
    """Whether the pattern matches, arrays of objects included."""
    plain = json.loads(json.dumps(event))
    return matches(
        self.get_pattern(),
        plain,
        lambda found, wanted: self._does_item_match_filters(UNDEFINED if found is ABSENT else found, wanted),
    )


def test_event_pattern(self: Any) -> str:
    """TestEventPattern."""
    try:
        event = json.loads(self._get_param("Event"))
    except ValueError as error:
        raise JsonRESTError("ValidationException", f"Parameter Event is not valid: {error}") from error
    return json.dumps({"Result": EventPattern.load(self._get_param("EventPattern")).matches_event(event)})


def _as_sent(event: Any) -> dict[str, Any]:
    told = {name: event[name] for name in _ENVELOPE if name in event}
    if not isinstance(told["time"], str):
        told["time"] = datetime.fromtimestamp(told["time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return told


def _deliver(rule: Any, target: dict[str, Any], event: dict[str, Any]) -> None:
    body = _body(rule, target, event)
    if body is not None and _to_queue(rule, target["Arn"], body):
        return
    dead = target.get("DeadLetterConfig", {}).get("Arn")
    if dead:
        _to_queue(rule, dead, json.dumps(event))


def _body(rule: Any, target: dict[str, Any], event: dict[str, Any]) -> str | None:
    stated = target.get("InputTransformer")
    if not stated:
        return str(target["Input"]) if "Input" in target else json.dumps(event)
    reserved = {
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
        "aws.events.event.json": event,
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
    }
    body = transformed(stated["InputTemplate"], stated.get("InputPathsMap", {}), event, reserved)
    if body.lstrip().startswith("{"):
        try:
            json.loads(body)
        except ValueError:
            return None  # AWS does not send what is no JSON any more
    return body


def _to_queue(rule: Any, arn: str, body: str) -> bool:
    """Send to a queue; other kinds of targets are not served here and count as not delivered."""
    if ":sqs:" not in arn:
        return False
    queue = queue_of(arn)
    context = {
        "aws:sourcearn": rule.arn,
        "aws:sourceaccount": rule.account_id,
        "aws:securetransport": "true",
    }
    if queue is None or not admits(queue.policy, "events", "sqs:SendMessage", context):
        return False
    _, _, _, region, account, name = arn.split(":")
    sqs_backends[account][region].send_message(name, body)
    return True
