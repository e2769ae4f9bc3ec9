"""AWS Budgets."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Spec, Unsupported, tag_list, to_pulumi


def _budget(call: Call) -> Plain:
    inputs = call.inputs
    known = {"name", "budgetType", "timeUnit", "limitAmount", "limitUnit", "notifications"}
    for name in inputs:
        if name not in known | Spec.known_inputs:
            raise Unsupported(name)
    return {
        "BudgetName": inputs["name"],
        "BudgetType": inputs["budgetType"],
        "TimeUnit": inputs["timeUnit"],
        "BudgetLimit": {"Amount": str(inputs["limitAmount"]), "Unit": inputs["limitUnit"]},
    }


def _notification(stated: Plain) -> Plain:
    subscribers = [
        {"SubscriptionType": "SNS", "Address": arn} for arn in stated.get("subscriberSnsTopicArns") or []
    ]
    notification = {
        "NotificationType": stated["notificationType"],
        "ComparisonOperator": stated["comparisonOperator"],
        "Threshold": float(stated["threshold"]),
        "ThresholdType": stated["thresholdType"],
    }
    return {"Notification": notification, "Subscribers": subscribers}


@dataclass(frozen=True, kw_only=True)
class Budget(Spec):
    """A budget of the account; `<account>:<name>` is its id."""

    def make(self, call: Call) -> str:
        """With its notifications and tags."""
        with call.aws.once(call.token):
            call.client("budgets").create_budget(
                AccountId=call.aws.account,
                Budget=_budget(call),
                NotificationsWithSubscribers=[_notification(n) for n in call.inputs.get("notifications", [])],
                ResourceTags=tag_list(call.tags),
            )
        return f"{call.aws.account}:{call.inputs['name']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The budget, its notifications and whom each tells."""
        client, name = call.client("budgets"), identity.partition(":")[2]
        of = {"AccountId": call.aws.account, "BudgetName": name}
        try:
            budget = client.describe_budget(**of)["Budget"]
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        told = client.describe_notifications_for_budget(**of).get("Notifications", [])
        for one in told:
            found = client.describe_subscribers_for_notification(**of, Notification=one)["Subscribers"]
            one["subscriberSnsTopicArns"] = [s["Address"] for s in found if s["SubscriptionType"] == "SNS"]
        tags = client.list_tags_for_resource(ResourceARN=_budget_arn(call, name)).get("ResourceTags", [])
        return {**budget, "Notifications": told, "Tags": tags}

    def can_change(self, changed: set[str]) -> bool:
        """The limit and the tags; other notifications are another budget."""
        return changed <= {"limitAmount", "limitUnit", "tags", "tagsAll"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """UpdateBudget, then tags."""
        client = call.client("budgets")
        client.update_budget(AccountId=call.aws.account, NewBudget=_budget(call))
        if changed & {"tags", "tagsAll"}:
            arn = _budget_arn(call, identity.partition(":")[2])
            now = {t["Key"] for t in client.list_tags_for_resource(ResourceARN=arn).get("ResourceTags", [])}
            if now - set(call.tags):
                client.untag_resource(ResourceARN=arn, ResourceTagKeys=sorted(now - set(call.tags)))
            client.tag_resource(ResourceARN=arn, ResourceTags=tag_list(call.tags))

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete."""
        name = identity.partition(":")[2]
        try:
            call.client("budgets").delete_budget(AccountId=call.aws.account, BudgetName=name)
        except ClientError as error:
            if not self.means_gone(error):
                raise


def _budget_arn(call: Call, name: str) -> str:
    return f"arn:aws:budgets::{call.aws.account}:budget/{name}"


def _told(notification: Plain) -> Plain:
    percent = float(notification["Threshold"])
    whole = int(percent) if percent.is_integer() else percent  # the wire has one kind of number
    return {**to_pulumi(notification), "threshold": whole}


def _budget_facts(call: Call, _identity: str, item: Plain) -> Plain:
    limit = item.get("BudgetLimit", {})
    return {
        "name": item["BudgetName"],
        "arn": _budget_arn(call, item["BudgetName"]),
        "limitAmount": f"{float(limit['Amount']):g}",
        "limitUnit": limit["Unit"],
        "notifications": [_told(one) for one in item["Notifications"]],
    }


SPECS = (
    Budget(
        type="aws:budgets/budget:Budget",
        service="budgets",
        name_input="name",
        max_name=100,
        exclusive=True,
        tags_as="ResourceTags",
        more=_budget_facts,
    ),
)
