"""SNS: attributes are given back, endpoints are pending until they confirm, queues admit or refuse.

SNS API reference, SetTopicAttributes and GetTopicAttributes (delivery status roles, signature version;
counters), Subscribe (an HTTPS endpoint has to confirm: until then it is pending and receives nothing).
SNS Developer Guide, "Amazon SNS dead-letter queues": what a queue refuses goes to the subscription's redrive
target, if that admits it.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import ActionResult
from moto.sns.models import SNSBackend, Subscription, Topic
from moto.sns.responses import SNSResponse
from moto.sqs.models import sqs_backends

from twin.account.extensions.placing import place
from twin.account.extensions.resource_policies import admits

# Attributes that moto would spell apart and never give back.
_KEPT = ("SignatureVersion", "TracingConfig", "ArchivePolicy")
_FEEDBACK = ("SuccessFeedbackRoleArn", "FailureFeedbackRoleArn", "SuccessFeedbackSampleRate")


def _kept(name: str) -> bool:
    return name in _KEPT or name.endswith(_FEEDBACK)


def install() -> None:
    """Wrap what moto has."""
    create, subscribe = (
        SNSBackend.create_topic,
        SNSBackend.subscribe,
    )
    read, answer, publish = (
        SNSResponse.get_topic_attributes,
        SNSResponse.set_topic_attributes,
        Subscription.publish,
    )

    def create_topic(self: Any, name: str, attributes: Any = None, tags: Any = None) -> Any:
        stated = dict(attributes or {})
        kept = {key: stated.pop(key) for key in list(stated) if _kept(key)}
        topic = create(self, name, stated, tags)
        topic.__dict__.setdefault("kept", {}).update(kept)
        return topic

    def set_topic_attributes(self: Any) -> Any:
        name, value = self._get_param("AttributeName"), self._get_param("AttributeValue")
        if not _kept(name):
            return answer(self)
        topic = self.backend.get_topic(self._get_param("TopicArn"))
        topic.__dict__.setdefault("kept", {})[name] = value
        return ActionResult({})

    def get_topic_attributes(self: Any) -> Any:
        found = read(self)
        topic = self.backend.get_topic(self._get_param("TopicArn"))
        told: dict[str, Any] = found.result["Attributes"]  # type: ignore[index]
        told.update({key: value for key, value in topic.__dict__.get("kept", {}).items() if value})
        ours = [one for one in self.backend.subscriptions.values() if one.topic is topic]
        waiting = sum(bool(one.attributes["PendingConfirmation"]) for one in ours)
        told.update(SubscriptionsPending=waiting, SubscriptionsConfirmed=len(ours) - waiting)
        return found

    def subscribed(self: Any, topic_arn: str, endpoint: str, protocol: str) -> Any:
        known = set(self.subscriptions)
        found = subscribe(self, topic_arn, endpoint, protocol)
        if found.arn not in known and protocol in ("http", "https", "email"):
            found.attributes.update(PendingConfirmation=True, ConfirmationWasAuthenticated=False)
        return found

    def published(self: Any, message: str, message_id: str, **more: Any) -> None:
        if self.attributes["PendingConfirmation"]:
            return
        if self.protocol == "sqs" and not _queue_admits(self.endpoint, self.topic.arn):
            _redrive(self, message)
            return
        publish(self, message, message_id, **more)

    place(SNSBackend, create_topic=create_topic, subscribe=subscribed)
    place(SNSResponse, get_topic_attributes=get_topic_attributes, set_topic_attributes=set_topic_attributes)
    place(Subscription, publish=published)


def publish_from(topic: Topic, service: str, source: str, subject: str, message: dict[str, Any]) -> bool:
    """A service of AWS publishes on behalf of `source`; False when the topic's policy refuses it."""
    context = {
        "aws:sourcearn": source,
        "aws:sourceaccount": topic.account_id,
        "aws:securetransport": "true",
    }
    if not admits(topic.policy, service, "sns:Publish", context):
        return False
    topic.publish(json.dumps(message), subject=subject[:100])
    return True


def queue_of(arn: str) -> Any:
    """The queue of an ARN, or None."""
    _, _, _, region, account, name = arn.split(":")
    return sqs_backends[account][region].queues.get(name)


def _queue_admits(queue_arn: str, topic_arn: str) -> bool:
    queue = queue_of(queue_arn)
    context = {
        "aws:sourcearn": topic_arn,
        "aws:sourceaccount": topic_arn.split(":")[4],
        "aws:securetransport": "true",
    }
    return queue is not None and admits(queue.policy, "sns", "sqs:SendMessage", context)


def _redrive(subscription: Any, message: str) -> None:
    stated = subscription.attributes.get("RedrivePolicy")
    target = json.loads(stated)["deadLetterTargetArn"] if stated else ""
    if target and _queue_admits(target, subscription.topic.arn):
        _, _, _, region, account, name = target.split(":")
        sqs_backends[account][region].send_message(name, message)
