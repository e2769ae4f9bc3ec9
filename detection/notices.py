"""Where notices go: the topic that alarms tell, the incident queue that rules and the topic fill, and the
queue for what could not be delivered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import budgets, cloudwatch, iam, sns, sqs

from detection.notice_policies import dead_letters_policy, incidents_policy, topic_policy
from iam.boundary import LOG_DELIVERY, delivery_boundary
from iam.documents import Document, Statement, document, of_account, render, trust
from tagging import tags

# Two weeks, the longest SQS keeps a message: a long weekend loses no incident.
KEPT_SECONDS = 14 * 86_400
# How long one reader has for a message before another may take it.
TAKEN_SECONDS = 120
TRIES = 5


@dataclass(frozen=True)
class NoticesArgs:
    """`key_arn` encrypts topic and queues, `log_key_arn` the record of failed deliveries. `endpoints`: HTTPS
    addresses that receive every notice of the topic. `monthly_cost`: USD, beyond which AWS Budgets speaks.
    """

    account: str
    region: str
    stack: str
    key_arn: pulumi.Input[str]
    log_key_arn: pulumi.Input[str]
    log_days: int
    endpoints: Sequence[str]
    monthly_cost: float


class Notices(pulumi.ComponentResource):
    """A topic, the incident queue and its dead letters: encrypted under our key, reached over TLS only."""

    names: dict[str, str]
    topic: sns.Topic
    incidents: sqs.Queue
    dead_letters: sqs.Queue

    def __init__(self, name: str, args: NoticesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:detection:Notices", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self.names = {what: f"{args.stack}-{what}" for what in ("notices", "incidents", "dead-letters")}
        self.topic = self._topic(self._delivery_role())
        self.dead_letters = self._queue("dead-letters", None)
        self.incidents = self._queue("incidents", self.dead_letters.arn)
        self._policies()
        self._subscriptions()
        self._budget()
        self.register_outputs({"topic": self.topic.arn, "queue": self.incidents.url})

    def contract(self) -> dict[str, pulumi.Output[str]]:
        """Its part of the region contract."""
        return {
            "topic": self.topic.arn,
            "queue": self.incidents.arn,
            "queue_url": self.incidents.url,
            "dead_letters": self.dead_letters.arn,
        }

    def _topic(self, delivery_role: iam.Role) -> sns.Topic:
        return sns.Topic(
            "notices",
            name=self.names["notices"],
            display_name=f"Stockade {self._args.stack}",
            kms_master_key_id=self._args.key_arn,
            signature_version=2,  # SHA-256; the first version signs with SHA-1
            sqs_failure_feedback_role_arn=delivery_role.arn,
            http_failure_feedback_role_arn=delivery_role.arn,
            tags=tags(self.names["notices"]),
            opts=self._child,
        )

    def _queue(self, what: str, dead_letters: pulumi.Output[str] | None) -> sqs.Queue:
        redrive = (
            dead_letters.apply(lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": TRIES}))
            if dead_letters is not None
            else None
        )
        return sqs.Queue(
            what,
            name=self.names[what],
            kms_master_key_id=self._args.key_arn,
            kms_data_key_reuse_period_seconds=300,
            message_retention_seconds=KEPT_SECONDS,
            visibility_timeout_seconds=TAKEN_SECONDS,
            redrive_policy=redrive,
            tags=tags(self.names[what]),
            opts=self._child,
        )

    def _policies(self) -> None:
        account, region, stack = self._args.account, self._args.region, self._args.stack
        rules = f"arn:aws:events:{region}:{account}:rule/{stack}-*"
        self.topic_policy = sns.TopicPolicy(
            "notices",
            arn=self.topic.arn,
            policy=self.topic.arn.apply(lambda arn: render(topic_policy(arn, account, region))),
            opts=self._child,
        )
        for what, queue, write in (
            ("incidents", self.incidents, incidents_policy),
            ("dead-letters", self.dead_letters, dead_letters_policy),
        ):
            self._queue_policy(what, queue, write, rules)

    def _queue_policy(
        self, what: str, queue: sqs.Queue, write: Callable[[str, str, str, str], Document], rules: str
    ) -> None:
        account = self._args.account
        both = pulumi.Output.all(queue.arn, self.topic.arn)
        policy = both.apply(lambda arns: render(write(arns[0], arns[1], account, rules)))
        sqs.QueuePolicy(what, queue_url=queue.url, policy=policy, opts=self._child)

    def _subscriptions(self) -> None:
        redrive = self.dead_letters.arn.apply(lambda arn: json.dumps({"deadLetterTargetArn": arn}))
        sns.TopicSubscription(
            "incidents",
            topic=self.topic.arn,
            protocol="sqs",
            endpoint=self.incidents.arn,
            raw_message_delivery=True,
            redrive_policy=redrive,
            opts=self._child,
        )
        for endpoint in self._args.endpoints:
            sns.TopicSubscription(
                # The endpoint is what it is: another address is another subscription.
                endpoint.removeprefix("https://").rstrip("/"),
                topic=self.topic.arn,
                protocol="https",
                endpoint=endpoint,
                redrive_policy=redrive,
                opts=self._child,
            )

    def _delivery_role(self) -> iam.Role:
        """The role by which SNS writes down what it could not deliver, and where it writes."""
        args = self._args
        # SNS Developer Guide, "Message delivery status": the name is SNS's choice.
        group = cloudwatch.LogGroup(
            "notices-undelivered",
            name=f"sns/{args.region}/{args.account}/{self.names['notices']}/Failure",
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_days,
            tags=tags("notices-undelivered"),
            opts=self._child,
        )
        boundary = iam.Policy(
            "notices-delivery-boundary",
            path=f"/stockade/{args.stack}/",
            description="The most the role of the notices' delivery record may ever do",
            policy=render(delivery_boundary(args.region)),
            tags=tags("notices-delivery-boundary"),
            opts=self._child,
        )
        role = iam.Role(
            "notices-delivery",
            path=f"/stockade/{args.stack}/",
            permissions_boundary=boundary.arn,
            assume_role_policy=render(trust("sns.amazonaws.com", of_account(args.account))),
            description="Lets the topic write down what it could not deliver",
            tags=tags("notices-delivery"),
            opts=self._child,
        )
        iam.RolePolicy("notices-delivery", role=role.name, policy=group.arn.apply(_writing), opts=self._child)
        return role

    def _budget(self) -> None:
        """Cost is usage seen from another side. Billing metrics stand in one region of the world only, which
        may not be ours; AWS Budgets belongs to the account, and tells our topic.
        """
        kinds = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
        budgets.Budget(
            "monthly-cost",
            name=f"{self._args.stack}-monthly-cost",
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=f"{self._args.monthly_cost:g}",
            limit_unit="USD",
            notifications=[
                {
                    "comparison_operator": "GREATER_THAN",
                    "notification_type": kind,
                    "threshold": percent,
                    "threshold_type": "PERCENTAGE",
                    "subscriber_sns_topic_arns": [self.topic.arn],
                }
                for kind, percent in kinds
            ],
            tags=tags(f"{self._args.stack}-monthly-cost"),
            # AWS tries the topic when it takes the budget.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.topic_policy]),
        )


def _writing(group_arn: str) -> str:
    resources = [group_arn, f"{group_arn}:*"]
    return render(document([Statement("Deliver", "Allow", LOG_DELIVERY, resources)]))
