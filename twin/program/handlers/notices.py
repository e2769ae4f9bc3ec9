"""SNS topics and subscriptions, SQS queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Spec, Unsupported, tag_list, tags_of

# Input → attribute, where the API speaks in attributes of text.
_TOPIC = {
    "displayName": "DisplayName",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "signatureVersion": "SignatureVersion",
    "sqsFailureFeedbackRoleArn": "SQSFailureFeedbackRoleArn",
    "httpFailureFeedbackRoleArn": "HTTPFailureFeedbackRoleArn",
}
_QUEUE = {
    "kmsMasterKeyId": "KmsMasterKeyId",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
    "redrivePolicy": "RedrivePolicy",
}
_SUBSCRIPTION = {
    "rawMessageDelivery": "RawMessageDelivery",
    "redrivePolicy": "RedrivePolicy",
    "filterPolicy": "FilterPolicy",
    "filterPolicyScope": "FilterPolicyScope",
    "deliveryPolicy": "DeliveryPolicy",
}


def _attributes(inputs: Plain, names: dict[str, str], beside: set[str]) -> dict[str, str]:
    """Inputs as attributes; one that has none is refused."""
    for name in inputs:
        if name not in names and name not in beside | Spec.known_inputs:
            raise Unsupported(name)
    return {
        names[name]: _text(value) for name, value in inputs.items() if name in names and value is not None
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(attributes: Plain, names: dict[str, str]) -> Plain:
    return {name: attributes[said] for name, said in names.items() if said in attributes}


@dataclass(frozen=True, kw_only=True)
class Topic(Spec):
    """A topic; its ARN is its id."""

    def make(self, call: Call) -> str:
        """With all its attributes at once."""
        with call.aws.once(call.token):
            answer = call.client("sns").create_topic(
                Name=call.inputs["name"],
                Attributes=_attributes(call.inputs, _TOPIC, {"name"}),
                Tags=tag_list(call.tags),
            )
        return str(answer["TopicArn"])

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Its attributes and tags."""
        client = call.client("sns")
        try:
            found = client.get_topic_attributes(TopicArn=identity)["Attributes"]
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return {**found, **client.list_tags_for_resource(ResourceArn=identity)}

    def can_change(self, changed: set[str]) -> bool:
        """Everything but the name."""
        return "name" not in changed

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """One attribute at a time; what is no longer stated is emptied."""
        client = call.client("sns")
        wanted = _attributes(call.inputs, _TOPIC, {"name"})
        for name in sorted(changed & set(_TOPIC)):
            value = wanted.get(_TOPIC[name], "")
            client.set_topic_attributes(TopicArn=identity, AttributeName=_TOPIC[name], AttributeValue=value)
        if changed & {"tags", "tagsAll"}:
            now = tags_of(client.list_tags_for_resource(ResourceArn=identity))
            stale = sorted(set(now) - set(call.tags))
            if stale:
                client.untag_resource(ResourceArn=identity, TagKeys=stale)
            client.tag_resource(ResourceArn=identity, Tags=tag_list(call.tags))


def _topic_facts(_call: Call, identity: str, item: Plain) -> Plain:
    return {"arn": identity, "name": identity.rpartition(":")[2], **_named(item, _TOPIC)}


@dataclass(frozen=True, kw_only=True)
class TopicPolicy(Spec):
    """The policy of a topic; without one of its own a topic has AWS's default, so it is never removed."""

    def make(self, call: Call) -> str:
        """Write it."""
        arn = str(call.inputs["arn"])
        call.client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=call.inputs["policy"]
        )
        return arn

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """As the topic has it."""
        try:
            found = call.client("sns").get_topic_attributes(TopicArn=identity)["Attributes"]
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return {"Arn": identity, "Policy": found["Policy"], "Owner": found["Owner"]}

    def can_change(self, changed: set[str]) -> bool:
        """In place."""
        return "arn" not in changed

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Write again."""
        self.make(call)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """It goes with the topic; until then the topic stays as closed as it is."""


@dataclass(frozen=True, kw_only=True)
class Subscription(Spec):
    """A subscription; its ARN is its id. What asks for a confirmation stays pending until it is given."""

    def make(self, call: Call) -> str:
        """Subscribe with the attributes."""
        inputs = call.inputs
        with call.aws.once(call.token):
            answer = call.client("sns").subscribe(
                TopicArn=inputs["topic"],
                Protocol=inputs["protocol"],
                Endpoint=inputs["endpoint"],
                Attributes=_attributes(inputs, _SUBSCRIPTION, {"topic", "protocol", "endpoint"}),
                ReturnSubscriptionArn=True,
            )
        return str(answer["SubscriptionArn"])

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Its attributes."""
        try:
            found = call.client("sns").get_subscription_attributes(SubscriptionArn=identity)
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return dict(found["Attributes"])

    def can_change(self, changed: set[str]) -> bool:
        """Attributes; not whom it serves."""
        return changed <= set(_SUBSCRIPTION)

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """One attribute at a time."""
        wanted = _attributes(call.inputs, _SUBSCRIPTION, {"topic", "protocol", "endpoint"})
        for name in sorted(changed):
            value = wanted.get(_SUBSCRIPTION[name], "")
            call.client("sns").set_subscription_attributes(
                SubscriptionArn=identity, AttributeName=_SUBSCRIPTION[name], AttributeValue=value
            )


def _subscription_facts(_call: Call, identity: str, item: Plain) -> Plain:
    raw = str(item.get("RawMessageDelivery", "false")).lower() == "true"
    return {
        **_named(item, _SUBSCRIPTION),
        "rawMessageDelivery": raw,
        "arn": identity,
        "topic": item["TopicArn"],
        "pendingConfirmation": str(item.get("PendingConfirmation", "false")).lower() == "true",
    }


@dataclass(frozen=True, kw_only=True)
class Queue(Spec):
    """A queue; its URL is its id."""

    def make(self, call: Call) -> str:
        """With all its attributes at once."""
        with call.aws.once(call.token):
            answer = call.client("sqs").create_queue(
                QueueName=call.inputs["name"],
                Attributes=_attributes(call.inputs, _QUEUE, {"name"}),
                tags=call.tags,
            )
        return str(answer["QueueUrl"])

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Its attributes and tags."""
        client = call.client("sqs")
        try:
            found = client.get_queue_attributes(QueueUrl=identity, AttributeNames=["All"])["Attributes"]
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return {**found, "Tags": client.list_queue_tags(QueueUrl=identity).get("Tags", {})}

    def can_change(self, changed: set[str]) -> bool:
        """Everything but the name."""
        return "name" not in changed

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """All changed attributes together."""
        client = call.client("sqs")
        wanted = _attributes(call.inputs, _QUEUE, {"name"})
        attributes = {_QUEUE[name]: wanted.get(_QUEUE[name], "") for name in changed & set(_QUEUE)}
        if attributes:
            client.set_queue_attributes(QueueUrl=identity, Attributes=attributes)
        if changed & {"tags", "tagsAll"}:
            stale = sorted(set(client.list_queue_tags(QueueUrl=identity).get("Tags", {})) - set(call.tags))
            if stale:
                client.untag_queue(QueueUrl=identity, TagKeys=stale)
            client.tag_queue(QueueUrl=identity, Tags=call.tags)

    def means_gone(self, error: ClientError) -> bool:
        """SQS has words of its own."""
        code = str(error.response.get("Error", {}).get("Code", ""))
        return "NonExistentQueue" in code or "QueueDoesNotExist" in code or super().means_gone(error)


def _queue_facts(_call: Call, identity: str, item: Plain) -> Plain:
    facts = {**_named(item, _QUEUE), "arn": item["QueueArn"], "url": identity}
    return facts | {"name": item["QueueArn"].rpartition(":")[2], "policy": item.get("Policy")}


@dataclass(frozen=True, kw_only=True)
class QueuePolicy(Queue):
    """The policy of a queue; the queue's URL is its id."""

    def make(self, call: Call) -> str:
        """Write it."""
        url = str(call.inputs["queueUrl"])
        client = call.client("sqs")
        client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": call.inputs["policy"]})
        return url

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """As the queue has it, or none."""
        found = super().fetch(call, identity)
        if found is None or not found.get("Policy"):
            return None
        return {"QueueUrl": identity, "Policy": found["Policy"]}

    def can_change(self, changed: set[str]) -> bool:
        """In place."""
        return "queueUrl" not in changed

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Write again."""
        self.make(call)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """A queue without a policy is its owner's alone."""
        try:
            call.client("sqs").set_queue_attributes(QueueUrl=identity, Attributes={"Policy": ""})
        except ClientError as error:
            if not self.means_gone(error):
                raise


SPECS = (
    Topic(
        type="aws:sns/topic:Topic",
        service="sns",
        delete="delete_topic",
        delete_by="TopicArn",
        name_input="name",
        max_name=256,
        exclusive=True,
        tags_as="Tags",
        more=_topic_facts,
    ),
    TopicPolicy(type="aws:sns/topicPolicy:TopicPolicy", service="sns"),
    Subscription(
        type="aws:sns/topicSubscription:TopicSubscription",
        service="sns",
        delete="unsubscribe",
        delete_by="SubscriptionArn",
        more=_subscription_facts,
    ),
    Queue(
        type="aws:sqs/queue:Queue",
        service="sqs",
        delete="delete_queue",
        delete_by="QueueUrl",
        name_input="name",
        max_name=80,
        exclusive=True,
        tags_as="tags",
        more=_queue_facts,
    ),
    QueuePolicy(type="aws:sqs/queuePolicy:QueuePolicy", service="sqs"),
)
