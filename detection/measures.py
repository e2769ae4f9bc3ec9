"""Which alarms a region has, as data. Pure: a list for a given region, nothing made.

Where a metric exists per node, volume, bucket or load balancer, one Metrics Insights query watches all of
them, also those that somebody made by hand, and the number of alarms does not grow with the fleet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detection.filters import Filter
from detection.measures_fleet import network, nodes, periphery
from detection.measures_services import notices, services, storage
from detection.model import AlarmSpec, Metric
from detection.watched import Watched, namespace


def alarms(watched: Watched, filters: Sequence[Filter], limit: Mapping[str, float]) -> list[AlarmSpec]:
    """Every alarm of the region. Raises KeyError when a threshold is missing."""
    found = [
        *(_of_filter(found, namespace(watched.stack), limit) for found in filters),
        *nodes(watched, limit),
        *network(watched, limit),
        *storage(watched, limit),
        *services(watched, limit),
        *notices(watched, limit),
        *(periphery(limit) if watched.load_balancers else ()),
    ]
    names = [spec.id for spec in found]
    if len(set(names)) != len(names):
        raise ValueError("two alarms of one name")
    return found


def _of_filter(found: Filter, space: str, limit: Mapping[str, float]) -> AlarmSpec:
    return AlarmSpec(
        found.id,
        found.layer,
        found.severity,
        found.says if not found.benchmark else f"{found.says} ({found.benchmark})",
        limit[found.id],
        "notBreaching",
        (Metric(space, found.id, "Sum"),),
        anomaly=found.usage,
        periods=3 if found.usage else 1,
        needed=2 if found.usage else None,
    )
