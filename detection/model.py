"""What an alarm is, before anything is made of it. Plain data, no Pulumi import; values that only creation
tells (an id in a dimension) are passed through untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Severity = Literal["critical", "high", "medium", "page"]
SEVERITIES: tuple[str, ...] = get_args(Severity)
# A page calls people for what the incident queue holds already: it opens no incident of its own.
PAGE = "page"
LAYERS = (
    "region",
    "vpc",
    "iam",
    "os",
    "security group",
    "object storage",
    "data",
    "services",
    "periphery",
    "network",
)
# CloudWatch User Guide, "Using metric math": an alarm's expression takes ten metrics.
MOST_METRICS = 10
# What missing data means. Silence of something that always speaks is trouble; no event at all is none.
Missing = Literal["breaching", "notBreaching"]


@dataclass(frozen=True)
class Metric:
    """One metric of CloudWatch."""

    namespace: str
    name: str
    statistic: str
    dimensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AlarmSpec:
    """One alarm.

    The source is one metric, a `query` of Metrics Insights, or metric math (`query`) over `metrics`, which
    are `m0`, `m1` … in it. `anomaly` True: `threshold` is the width of the expected band in standard
    deviations, else a value. `comparison`: above | below | outside (both sides of a band).
    """

    id: str
    layer: str
    severity: Severity
    says: str
    threshold: float
    missing: Missing
    metrics: tuple[Metric, ...] = ()
    query: str | None = None
    anomaly: bool = False
    comparison: Literal["above", "below", "outside"] = "above"
    period: int = 300
    periods: int = 1
    needed: int | None = None  # datapoints out of `periods`; all of them when None

    def __post_init__(self) -> None:
        if (not self.metrics or len(self.metrics) > 1) and self.query is None:
            raise ValueError(f"alarm {self.id} has no source, or several and no expression over them")
        if len(self.metrics) > MOST_METRICS:
            raise ValueError(f"alarm {self.id}: CloudWatch takes {MOST_METRICS} metrics in an alarm")
        if self.layer not in LAYERS or self.severity not in SEVERITIES:
            raise ValueError(f"alarm {self.id}: unknown layer or severity")

    @property
    def operator(self) -> str:
        """CloudWatch's word for the comparison."""
        if self.anomaly:
            sides = {
                "above": "GreaterThanUpperThreshold",
                "below": "LessThanLowerThreshold",
                "outside": "LessThanLowerOrGreaterThanUpperThreshold",
            }
        else:
            sides = {"above": "GreaterThanOrEqualToThreshold", "below": "LessThanThreshold"}
        return sides[self.comparison]

    @property
    def datapoints(self) -> int:
        """How many of the evaluated periods have to breach."""
        return self.needed or self.periods


def alarm_name(stack: str, spec: AlarmSpec) -> str:
    """The alarm's name in the account. It carries the severity, so that whoever reads a notice has it."""
    return f"{stack}/{spec.severity}/{spec.id}"


def alarm_arn(account: str, region: str, name: str) -> str:
    """The ARN an alarm of this name has."""
    return f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}"


def queries(spec: AlarmSpec) -> list[dict[str, Any]]:
    """The metric data queries of an alarm that needs more than one plain metric; empty when it does not."""
    if spec.query is None and not spec.anomaly:
        return []
    found = [
        {
            "id": f"m{place}",
            "metric": {
                "metric_name": metric.name,
                "namespace": metric.namespace,
                "period": spec.period,
                "stat": metric.statistic,
                **({"dimensions": dict(metric.dimensions)} if metric.dimensions else {}),
            },
            "return_data": spec.query is None,
        }
        for place, metric in enumerate(spec.metrics)
    ]
    if spec.query is not None:
        # Metrics Insights has a period of its own; metric math takes that of its metrics.
        period = {} if spec.metrics else {"period": spec.period}
        found.append({"id": "e0", "expression": spec.query, "label": spec.id, "return_data": True, **period})
    if spec.anomaly:
        watched = "m0" if spec.query is None else "e0"
        band = f"ANOMALY_DETECTION_BAND({watched}, {spec.threshold:g})"
        found.append({"id": "band", "expression": band, "label": "expected", "return_data": True})
    return found
