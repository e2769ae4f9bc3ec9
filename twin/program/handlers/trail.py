"""Trails of CloudTrail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin.program.handlers.spec import Call, Plain, Setting, Spec, tag_list, tags_of, to_aws

# The SDK's plurals of the API's words.
_FIELDS = {
    "startsWiths": "StartsWith",
    "endsWiths": "EndsWith",
    "notStartsWiths": "NotStartsWith",
    "notEndsWiths": "NotEndsWith",
}
_NAMES = {
    "cloudWatchLogsGroupArn": "CloudWatchLogsLogGroupArn",
    "enableLogFileValidation": "EnableLogFileValidation",
}
_SETTLED = frozenset({"enableLogging", "eventSelectors", "advancedEventSelectors", "insightSelectors"})


def _selectors(call: Call, identity: str) -> None:
    client, given = call.client("cloudtrail"), call.inputs
    kinds = {kind: given[kind] for kind in ("eventSelectors", "advancedEventSelectors") if given.get(kind)}
    if not kinds:
        # UpdateTrail cannot take selectors away; a new trail's own selector is what is left.
        kinds = {"eventSelectors": [{"readWriteType": "All", "includeManagementEvents": True}]}
    client.put_event_selectors(TrailName=identity, **to_aws(client, "put_event_selectors", kinds, _FIELDS))


def _insights(call: Call, identity: str) -> None:
    wanted = [{"InsightType": found["insightType"]} for found in call.inputs.get("insightSelectors") or []]
    call.client("cloudtrail").put_insight_selectors(TrailName=identity, InsightSelectors=wanted)


def _logging(call: Call, identity: str) -> None:
    client, on = call.client("cloudtrail"), call.inputs.get("enableLogging", True)
    (client.start_logging if on else client.stop_logging)(Name=identity)


@dataclass(frozen=True, kw_only=True)
class Trail(Spec):
    """A trail; its ARN is its id."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """CreateTrail takes the tags beside the trail's own members."""
        given = {k: v for k, v in call.inputs.items() if k not in _SETTLED | self.known_inputs}
        parameters = to_aws(client, self.create, given, _NAMES)
        if call.tags:
            parameters["TagsList"] = tag_list(call.tags)
        return parameters

    def settle(self, call: Call, identity: str) -> None:
        """What is recorded first, then the start: nothing is missed that was meant to be there."""
        if call.inputs.get("eventSelectors") or call.inputs.get("advancedEventSelectors"):
            _selectors(call, identity)
        if call.inputs.get("insightSelectors"):
            _insights(call, identity)
        _logging(call, identity)

    def can_change(self, changed: set[str]) -> bool:
        """All but the name."""
        return not changed & {"name", "region"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """UpdateTrail for the trail's own members, then what has operations of its own."""
        client = call.client("cloudtrail")
        own = changed - _SETTLED - self.known_inputs
        if own:
            given = {k: v for k, v in call.inputs.items() if k in own}
            client.update_trail(**{**to_aws(client, "update_trail", given, _NAMES), "Name": identity})
        super().change(call, identity, changed)

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        client = call.client("cloudtrail")
        found = client.list_tags(ResourceIdList=[identity])["ResourceTagList"][0]["TagsList"]
        stale = [tag for tag in found if tag["Key"] not in call.tags]
        if stale:
            client.remove_tags(ResourceId=identity, TagsList=stale)
        client.add_tags(ResourceId=identity, TagsList=tag_list(call.tags))


def _facts(call: Call, identity: str, item: Plain) -> Plain:
    client = call.client("cloudtrail")
    selectors = client.get_event_selectors(TrailName=identity)
    insights = client.get_insight_selectors(TrailName=identity) if item.get("HasInsightSelectors") else {}
    found = client.list_tags(ResourceIdList=[identity])["ResourceTagList"][0]["TagsList"]
    return {
        "arn": identity,
        "homeRegion": item.get("HomeRegion", call.region),
        "cloudWatchLogsGroupArn": item.get("CloudWatchLogsLogGroupArn"),
        "enableLogFileValidation": item["LogFileValidationEnabled"],
        "enableLogging": client.get_trail_status(Name=identity)["IsLogging"],
        "eventSelectors": _as_inputs(selectors.get("EventSelectors")),
        "advancedEventSelectors": _as_inputs(selectors.get("AdvancedEventSelectors")),
        "insightSelectors": _as_inputs(insights.get("InsightSelectors")),
        "tagsAll": tags_of({"Tags": found}),
    }


def _as_inputs(value: Any) -> Any:
    words = {api: sdk for sdk, api in _FIELDS.items()}
    if isinstance(value, dict):
        return {words.get(k, k[:1].lower() + k[1:]): _as_inputs(item) for k, item in value.items()}
    return [_as_inputs(item) for item in value] if isinstance(value, list) else value


SPECS = (
    Trail(
        type="aws:cloudtrail/trail:Trail",
        service="cloudtrail",
        create="create_trail",
        made="TrailARN",
        read="get_trail",
        by="Name",
        item="Trail",
        delete="delete_trail",
        delete_by="Name",
        name_input="name",
        max_name=128,
        exclusive=True,
        tags_as="TagsList",
        after=(
            Setting(("eventSelectors", "advancedEventSelectors"), _selectors),
            Setting(("insightSelectors",), _insights),
            Setting(("enableLogging",), _logging),
        ),
        more=_facts,
    ),
)
