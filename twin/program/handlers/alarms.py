"""CloudWatch metric filters, alarms and dashboards; request metrics of buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Spec, Unsupported, tag_list, tags_of, to_aws, to_pulumi


# ---------------------------------------------------------------------- metric filters
@dataclass(frozen=True, kw_only=True)
class MetricFilter(Spec):
    """A metric filter; `<log group>:<name>` is its id."""

    def make(self, call: Call) -> str:
        """PutMetricFilter makes and changes."""
        client, given = call.client("logs"), call.inputs
        for name in given:
            if name not in {"name", "logGroupName", "pattern", "metricTransformation"} | Spec.known_inputs:
                raise Unsupported(name)
        stated = dict(given["metricTransformation"])
        stated = {
            "metricName": stated.pop("name"),
            "metricNamespace": stated.pop("namespace"),
            "metricValue": stated.pop("value"),
            **({"defaultValue": float(stated.pop("defaultValue"))} if "defaultValue" in stated else {}),
            **stated,
        }
        client.put_metric_filter(
            logGroupName=given["logGroupName"],
            filterName=given["name"],
            filterPattern=given["pattern"],
            metricTransformations=[stated],
        )
        return f"{given['logGroupName']}:{given['name']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The filter of exactly this name."""
        group, _, name = identity.rpartition(":")
        try:
            found = call.client("logs").describe_metric_filters(logGroupName=group, filterNamePrefix=name)
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        exact = [one for one in found["metricFilters"] if one["filterName"] == name]
        return dict(exact[0]) if exact else None

    def can_change(self, changed: set[str]) -> bool:
        """Pattern and metric."""
        return changed <= {"pattern", "metricTransformation"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Put again."""
        self.make(call)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete."""
        group, _, name = identity.rpartition(":")
        try:
            call.client("logs").delete_metric_filter(logGroupName=group, filterName=name)
        except ClientError as error:
            if not self.means_gone(error):
                raise


def _filter_facts(_call: Call, _identity: str, item: Plain) -> Plain:
    (told,) = item["metricTransformations"]
    names = {"metricName": "name", "metricNamespace": "namespace", "metricValue": "value"}
    metric = {names.get(key, key): value for key, value in told.items()}
    if "defaultValue" in metric:
        metric["defaultValue"] = f"{metric['defaultValue']:g}"
    return {"name": item["filterName"], "pattern": item["filterPattern"], "metricTransformation": metric}


# ---------------------------------------------------------------------- alarms
def _dimensions(stated: Plain) -> list[Plain]:
    return [{"Name": key, "Value": value} for key, value in sorted(stated.items())]


def _query(stated: Plain) -> Plain:
    query = {key: value for key, value in stated.items() if key != "metric"}
    if "metric" in stated:
        told = dict(stated["metric"])
        own = {key: told.pop(key) for key in ("period", "stat", "unit") if key in told}
        told["dimensions"] = _dimensions(told.get("dimensions") or {})
        query["metricStat"] = {"metric": told, **own}
    return query


@dataclass(frozen=True, kw_only=True)
class Alarm(Spec):
    """A metric alarm; its name is its id."""

    def make(self, call: Call) -> str:
        """PutMetricAlarm makes and changes."""
        client = call.client("cloudwatch")
        given = {key: value for key, value in call.inputs.items() if key not in Spec.known_inputs}
        if "dimensions" in given:
            given["dimensions"] = _dimensions(given["dimensions"])
        if "metricQueries" in given:
            given["metrics"] = [_query(one) for one in given.pop("metricQueries")]
        given["alarmName"] = given.pop("name")
        parameters = to_aws(client, "put_metric_alarm", given, {})
        client.put_metric_alarm(**parameters, Tags=tag_list(call.tags))
        return str(parameters["AlarmName"])

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The alarm of this name with its tags."""
        client = call.client("cloudwatch")
        found = client.describe_alarms(AlarmNames=[identity], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        if not found:
            return None
        return {**found[0], **client.list_tags_for_resource(ResourceARN=found[0]["AlarmArn"])}

    def can_change(self, changed: set[str]) -> bool:
        """Everything but the name."""
        return "name" not in changed

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Put again; tags of an alarm that exists have operations of their own."""
        if changed - {"tags", "tagsAll"}:
            self.make(call)
        if changed & {"tags", "tagsAll"}:
            client, arn = call.client("cloudwatch"), call.arn("cloudwatch", f"alarm:{identity}")
            stale = sorted(set(tags_of(client.list_tags_for_resource(ResourceARN=arn))) - set(call.tags))
            if stale:
                client.untag_resource(ResourceARN=arn, TagKeys=stale)
            client.tag_resource(ResourceARN=arn, Tags=tag_list(call.tags))

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete; what is gone already is fine for CloudWatch."""
        call.client("cloudwatch").delete_alarms(AlarmNames=[identity])

    def is_dead(self, item: Plain) -> bool:
        """An alarm's state is what it says about its metric."""
        return False


def _alarm_facts(_call: Call, identity: str, item: Plain) -> Plain:
    facts: Plain = {"arn": item["AlarmArn"], "name": identity, "okActions": item.get("OKActions", [])}
    if "Threshold" in item:
        limit = float(item["Threshold"])
        facts["threshold"] = int(limit) if limit.is_integer() else limit  # the wire has one kind of number
    pairs = {one["Name"]: one["Value"] for one in item.get("Dimensions") or []}
    facts["dimensions"] = pairs or None  # the SDK has a mapping here, never AWS's list
    if item.get("Metrics"):
        facts["metricQueries"] = [_told(one) for one in item["Metrics"]]
    return facts


def _told(query: Plain) -> Plain:
    told: Plain = to_pulumi({key: value for key, value in query.items() if key != "MetricStat"})
    if "MetricStat" in query:
        stat = query["MetricStat"]
        metric = {key: value for key, value in to_pulumi(stat["Metric"]).items() if key != "dimensions"}
        pairs = {one["Name"]: one["Value"] for one in stat["Metric"].get("Dimensions", [])}
        own = {key: value for key, value in to_pulumi(stat).items() if key != "metric"}
        told["metric"] = {**metric, **own, **({"dimensions": pairs} if pairs else {})}
    return told


# ---------------------------------------------------------------------- dashboards
@dataclass(frozen=True, kw_only=True)
class Dashboard(Spec):
    """A dashboard; its name is its id."""

    def make(self, call: Call) -> str:
        """PutDashboard makes and changes; what CloudWatch finds wrong in the body is a fault."""
        name = str(call.inputs["dashboardName"])
        answer = call.client("cloudwatch").put_dashboard(
            DashboardName=name, DashboardBody=call.inputs["dashboardBody"]
        )
        said = answer.get("DashboardValidationMessages") or []
        if said:
            raise ValueError(f"dashboard {name}: {said[0].get('DataPath')}: {said[0].get('Message')}")
        return name

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The dashboard of this name."""
        try:
            found = call.client("cloudwatch").get_dashboard(DashboardName=identity)
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        arn = found.get("DashboardArn")
        return {"DashboardName": identity, "DashboardBody": found["DashboardBody"], "DashboardArn": arn}

    def can_change(self, changed: set[str]) -> bool:
        """The body."""
        return changed <= {"dashboardBody"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Put again."""
        self.make(call)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete."""
        if self.fetch(call, identity) is not None:
            call.client("cloudwatch").delete_dashboards(DashboardNames=[identity])

    def means_gone(self, error: ClientError) -> bool:
        """CloudWatch says ResourceNotFound."""
        return "ResourceNotFound" in str(error.response.get("Error", {}).get("Code")) or super().means_gone(
            error
        )


# ---------------------------------------------------------------------- request metrics
@dataclass(frozen=True, kw_only=True)
class BucketMetric(Spec):
    """Request metrics of a bucket; `<bucket>:<name>` is its id."""

    def make(self, call: Call) -> str:
        """Put; without a filter they are over every object."""
        if call.inputs.get("filter"):
            raise Unsupported("filter")
        bucket, name = call.inputs["bucket"], call.inputs["name"]
        configuration: dict[str, Any] = {"Id": name}
        call.client("s3").put_bucket_metrics_configuration(
            Bucket=bucket, Id=name, MetricsConfiguration=configuration
        )
        return f"{bucket}:{name}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The configuration of this name."""
        bucket, _, name = identity.partition(":")
        try:
            call.client("s3").get_bucket_metrics_configuration(Bucket=bucket, Id=name)
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return {"Bucket": bucket, "Name": name}

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete."""
        bucket, _, name = identity.partition(":")
        try:
            call.client("s3").delete_bucket_metrics_configuration(Bucket=bucket, Id=name)
        except ClientError as error:
            if not self.means_gone(error):
                raise


SPECS = (
    MetricFilter(
        type="aws:cloudwatch/logMetricFilter:LogMetricFilter",
        service="logs",
        name_input="name",
        exclusive=True,
        more=_filter_facts,
    ),
    Alarm(
        type="aws:cloudwatch/metricAlarm:MetricAlarm",
        service="cloudwatch",
        name_input="name",
        max_name=255,
        exclusive=True,
        tags_as="Tags",
        more=_alarm_facts,
    ),
    Dashboard(type="aws:cloudwatch/dashboard:Dashboard", service="cloudwatch", exclusive=True),
    BucketMetric(type="aws:s3/bucketMetric:BucketMetric", service="s3", exclusive=True),
)
