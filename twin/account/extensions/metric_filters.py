"""CloudWatch Logs metric filters: judged when they are put, put again without a second one, and counting.

CloudWatch Logs API reference, PutMetricFilter (creates or updates; the log group has to exist; a pattern that
does not parse is InvalidParameterException), DescribeMetricFilters, DeleteMetricFilter, TestMetricFilter. A
record that matches becomes a data point of the metric at the time of the record (User Guide, "Creating
metrics from log events using filters"); a minute with records of which none matches gets the default value.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.exceptions import JsonRESTError
from moto.core.utils import unix_time_millis
from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogsBackend
from moto.logs.responses import LogsResponse

from twin.account.extensions.filter_patterns import BadPattern, compiled, matches
from twin.account.extensions.placing import place


def install() -> None:
    """Replace the operations; count while records are put."""
    put_events = LogsBackend.put_log_events

    def put_log_events(self: Any, log_group_name: str, log_stream_name: str, log_events: Any) -> Any:
        answer = put_events(self, log_group_name, log_stream_name, log_events)
        _count(self, log_group_name, log_events)
        return answer

    place(LogsBackend, put_log_events=put_log_events)
    place(LogsResponse, put_metric_filter=put_metric_filter, delete_metric_filter=delete_metric_filter)
    place(LogsResponse, test_metric_filter=test_metric_filter)


def put_metric_filter(self: Any) -> str:
    """PutMetricFilter."""
    group, name = self._get_param("logGroupName"), self._get_param("filterName")
    pattern = self._get_param("filterPattern")
    if group not in self.logs_backend.groups:
        raise ResourceNotFoundException()
    _judge(pattern)
    stated = {
        "filterName": name,
        "filterPattern": pattern,
        "logGroupName": group,
        "metricTransformations": self._get_param("metricTransformations"),
        "applyOnTransformedLogs": bool(self._get_param("applyOnTransformedLogs")),
        "creationTime": int(unix_time_millis()),
    }
    self.logs_backend.filters.metric_filters = [*_others(self.logs_backend, group, name), stated]
    return ""


def delete_metric_filter(self: Any) -> str:
    """DeleteMetricFilter."""
    group, name = self._get_param("logGroupName"), self._get_param("filterName")
    kept = _others(self.logs_backend, group, name)
    if len(kept) == len(self.logs_backend.filters.metric_filters):
        raise ResourceNotFoundException(msg="The specified metric filter does not exist.")
    self.logs_backend.filters.metric_filters = kept
    return ""


def test_metric_filter(self: Any) -> str:
    """TestMetricFilter."""
    pattern = self._get_param("filterPattern")
    _judge(pattern)
    found = [
        {"eventNumber": number, "eventMessage": message, "extractedValues": {}}
        for number, message in enumerate(self._get_param("logEventMessages"), start=1)
        if matches(pattern, message)
    ]
    return json.dumps({"matches": found})


def _others(backend: Any, group: str, name: str) -> list[Any]:
    return [
        one
        for one in backend.filters.metric_filters
        if (one["logGroupName"], one["filterName"]) != (group, name)
    ]


def _judge(pattern: str) -> None:
    try:
        if pattern.strip():
            compiled(pattern)
    except BadPattern as error:
        raise JsonRESTError("InvalidParameterException", f"Invalid metric filter pattern: {error}") from error


def _count(backend: Any, group: str, events: list[dict[str, Any]]) -> None:
    told = cloudwatch_backends[backend.account_id][backend.region_name]
    for one in backend.filters.metric_filters:
        if one["logGroupName"] != group:
            continue
        (metric,) = one["metricTransformations"]
        for event in events:
            hit = matches(one["filterPattern"], event["message"])
            value = metric["metricValue"] if hit else metric.get("defaultValue")
            if value is not None:
                when = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).replace(tzinfo=None)
                datum = {"MetricName": metric["metricName"], "Value": float(value), "Timestamp": when}
                told.put_metric_data(metric["metricNamespace"], [datum])
