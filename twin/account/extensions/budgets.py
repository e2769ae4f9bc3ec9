"""AWS Budgets: who is told, changes and tags.

AWS Budgets API reference: DescribeSubscribersForNotification, UpdateBudget, TagResource, UntagResource,
ListTagsForResource.
"""

from __future__ import annotations

import json
from typing import Any

from moto.budgets.exceptions import NotFoundException
from moto.budgets.responses import BudgetsResponse

from twin.account.extensions.placing import place


def install() -> None:
    """Add the operations, and keep the tags given at creation."""
    create = BudgetsResponse.create_budget

    def create_budget(self: Any) -> str:
        answer = str(create(self))
        _budget(self, self._get_param("Budget")["BudgetName"]).tags = _pairs(self._get_param("ResourceTags"))
        return answer

    place(
        BudgetsResponse,
        create_budget=create_budget,
        update_budget=update_budget,
        describe_subscribers_for_notification=describe_subscribers_for_notification,
        list_tags_for_resource=list_tags_for_resource,
        tag_resource=tag_resource,
        untag_resource=untag_resource,
    )


def update_budget(self: Any) -> str:
    """UpdateBudget: everything but name, type and notifications."""
    stated = self._get_param("NewBudget")
    _budget(self, stated["BudgetName"]).budget.update(stated)
    return "{}"


def describe_subscribers_for_notification(self: Any) -> str:
    """DescribeSubscribersForNotification."""
    wanted = self._get_param("Notification")
    for one in _budget(self, self._get_param("BudgetName")).notifications:
        if all(one.details.get(name) == value for name, value in wanted.items()):
            return json.dumps({"Subscribers": one.subscribers})
    raise NotFoundException("Unable to find the notification")


def list_tags_for_resource(self: Any) -> str:
    """ListTagsForResource."""
    tags = _of_arn(self).tags
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]})


def tag_resource(self: Any) -> str:
    """TagResource."""
    _of_arn(self).tags.update(_pairs(self._get_param("ResourceTags")))
    return "{}"


def untag_resource(self: Any) -> str:
    """UntagResource."""
    tags = _of_arn(self).tags
    for key in self._get_param("ResourceTagKeys"):
        tags.pop(key, None)
    return "{}"


def _pairs(tags: list[dict[str, str]] | None) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags or []}


def _of_arn(response: Any) -> Any:
    return _budget(response, response._get_param("ResourceARN").rpartition("/")[2])


def _budget(response: Any, name: str) -> Any:
    found = response.backend.budgets[response.current_account].get(name)
    if found is None:
        raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
    return found
