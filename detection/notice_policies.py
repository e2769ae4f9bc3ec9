"""Who may use the topic and the queues, as pure documents (no Pulumi import)."""

from __future__ import annotations

from iam.documents import (
    Condition,
    Document,
    Statement,
    document,
    merge,
    of_account,
    on_behalf_of,
    without_tls,
)

# AWS publishes no condition context when EventBridge publishes to a topic (EventBridge User Guide, "Using
# resource-based policies", read 2026-11): a statement for it would let every account's rules in. So rules
# send to the queue, whose policy they meet with conditions, and the topic admits these two only.
PUBLISHERS = {
    "cloudwatch": "arn:aws:cloudwatch:{region}:{account}:alarm:*",
    "budgets": "arn:aws:budgets::{account}:*",
}


def topic_policy(topic: str, account: str, region: str) -> Document:
    """The topic takes notices of this account's alarms and budgets, over TLS, and from nobody else."""
    admitted = [
        Statement(
            f"NoticesOf{service.capitalize()}",
            "Allow",
            ["sns:Publish"],
            (topic,),
            {"Service": [f"{service}.amazonaws.com"]},
            merge(of_account(account), on_behalf_of(source.format(region=region, account=account))),
        )
        for service, source in PUBLISHERS.items()
    ]
    return document(
        [
            *admitted,
            Statement("NoClearText", "Deny", ["sns:Publish", "sns:Subscribe"], (topic,), "*", without_tls()),
        ]
    )


def incidents_policy(queue: str, topic: str, account: str, rules: str) -> Document:
    """The incident queue takes what the topic and our rules send. `rules`: pattern of their ARNs."""
    return document([*_senders(queue, topic, account, rules), _no_clear_text(queue)])


def dead_letters_policy(queue: str, topic: str, account: str, rules: str) -> Document:
    """The dead-letter queue takes what the topic and our rules could not deliver."""
    return document([*_senders(queue, topic, account, rules), _no_clear_text(queue)])


def _senders(queue: str, topic: str, account: str, rules: str) -> list[Statement]:
    sources: dict[str, Condition] = {
        "sns": {"ArnEquals": {"aws:SourceArn": topic}},
        "events": merge(of_account(account), on_behalf_of(rules)),
    }
    return [
        Statement(
            f"From{service.capitalize()}",
            "Allow",
            ["sqs:SendMessage"],
            (queue,),
            {"Service": [f"{service}.amazonaws.com"]},
            condition,
        )
        for service, condition in sources.items()
    ]


def _no_clear_text(queue: str) -> Statement:
    return Statement("NoClearText", "Deny", ["sqs:*"], (queue,), "*", without_tls())
