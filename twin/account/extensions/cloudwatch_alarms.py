"""CloudWatch alarms: a new one knows nothing yet, a changed one keeps its state, a change of state is told;
dashboards are judged when they are put.

CloudWatch API reference: PutMetricAlarm (a new alarm is INSUFFICIENT_DATA, an existing one keeps its state),
SetAlarmState (actions of the new state run when they are enabled), PutDashboard (a body that is no JSON, or
whose widgets lack what they need, is refused). The message to a topic follows the User Guide, "Notifying
users on alarm changes".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError
from moto.cloudwatch.models import CloudWatchBackend
from moto.sns.models import sns_backends

from twin.account.extensions.placing import place
from twin.account.extensions.topics import publish_from

_STATE = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history")
_WIDGETS = ("metric", "text", "log", "alarm", "explorer")
# CloudWatch API reference, "Dashboard Body Structure and Syntax".
_WIDEST, _HIGHEST, _MOST = 24, 1000, 500


class _Steady(dict[str, Any]):
    """Alarms that may be listed while others are put: moto walks them live, and 24 are put at a time."""

    def values(self) -> Any:
        return list(super().values())


def install() -> None:
    """Wrap the three operations, and keep the alarms where they can be listed at any time."""
    begin = CloudWatchBackend.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        self.alarms = _Steady(self.alarms)

    place(CloudWatchBackend, __init__=__init__)
    put, change, put_dashboard = (
        CloudWatchBackend.put_metric_alarm,
        CloudWatchBackend.set_alarm_state,
        CloudWatchBackend.put_dashboard,
    )

    def put_metric_alarm(self: Any, *args: Any, **kwargs: Any) -> Any:
        _judge(kwargs)
        before = self.alarms.get(kwargs["name"])
        if before is not None:
            kwargs["tags"] = None  # API reference: tags of an existing alarm are left alone
        alarm = put(self, *args, **kwargs)
        if before is None:
            alarm.state_value = "INSUFFICIENT_DATA"
        else:
            for name in _STATE:
                setattr(alarm, name, getattr(before, name))
        return alarm

    def set_alarm_state(self: Any, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
        known = self.alarms.get(alarm_name)
        before = known.state_value if known else ""
        change(self, alarm_name, reason, reason_data, state_value)
        if before != state_value:
            _tell(self, self.alarms[alarm_name], before)

    def put_judged(self: Any, name: str, body: str) -> Any:
        judge_dashboard(body)
        return put_dashboard(self, name, body)

    place(CloudWatchBackend, put_metric_alarm=put_metric_alarm, set_alarm_state=set_alarm_state)
    place(CloudWatchBackend, put_dashboard=put_judged)


def _judge(asked: dict[str, Any]) -> None:
    """What CloudWatch refuses: no threshold of either kind, or one that no query gives."""
    if asked.get("rule") is not None:
        return
    band, queries = asked.get("threshold_metric_id"), asked.get("metric_data_queries") or []
    if band and band not in [query.id for query in queries]:
        raise ValidationError(f"ThresholdMetricId {band} is not the Id of a metric of the alarm")
    if not band and asked.get("threshold") is None:
        raise ValidationError("Exactly one of Threshold and ThresholdMetricId must be specified")
    if not queries and not asked.get("metric_name"):
        raise ValidationError("Exactly one of MetricName and Metrics must be specified")


def _tell(backend: Any, alarm: Any, before: str) -> None:
    actions = {
        "ALARM": alarm.alarm_actions,
        "OK": alarm.ok_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }[alarm.state_value]
    if not alarm.actions_enabled:
        return
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": backend.account_id,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "Region": backend.region_name,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
    }
    for action in actions:
        topic = sns_backends[backend.account_id][backend.region_name].topics.get(action)
        if topic is not None:
            subject = f'{alarm.state_value}: "{alarm.name}" in {backend.region_name}'
            publish_from(topic, "cloudwatch", alarm.alarm_arn, subject, message)


def judge_dashboard(body: str) -> None:
    """Raise what PutDashboard answers to a body it does not take."""
    try:
        widgets = json.loads(body)["widgets"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidParameterValue(f"The field DashboardBody must be a valid JSON object: {error}") from None
    if len(widgets) > _MOST:
        raise InvalidParameterValue(f"a dashboard has {_MOST} widgets at most")
    for place_, widget in enumerate(widgets):
        wrong = _wrong_with(widget)
        if wrong:
            raise InvalidParameterValue(f"/widgets/{place_}: {wrong}")


def _wrong_with(widget: dict[str, Any]) -> str:
    """The first thing a widget lacks."""
    kind, properties = widget.get("type"), widget.get("properties", {})
    width, height = widget.get("width", 6), widget.get("height", 6)
    metric = kind == "metric"
    needs = (
        (kind in _WIDGETS, f"type should be one of {', '.join(_WIDGETS)}"),
        (1 <= width <= _WIDEST and 1 <= height <= _HIGHEST, "width should be 1 to 24 and height 1 to 1000"),
        (widget.get("x", 0) + width <= _WIDEST, "x and width should fit into 24 columns"),
        (not metric or {"metrics", "annotations"} & set(properties), "should have metrics or annotations"),
        (not metric or "region" in properties, "should have region"),
        (kind != "text" or properties.get("markdown"), "should have markdown"),
        (kind != "alarm" or 1 <= len(properties.get("alarms", [])) <= 100, "should have 1 to 100 alarms"),
    )
    return next((said for held, said in needs if not held), "")
