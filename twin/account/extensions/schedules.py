"""EventBridge Scheduler: an enabled schedule that repeats at a rate makes its first call when it is created.

EventBridge Scheduler user guide, "Schedule types", rate-based: without a StartDate the schedule begins to
call its target immediately. Later calls do not happen here: the emulated account does not live that long.
"""

from __future__ import annotations

import sys
from typing import Any

from moto.awslambda.utils import get_backend
from moto.scheduler.models import EventBridgeSchedulerBackend

from twin.account.extensions.placing import place


def install() -> None:
    """Wrap the creation."""
    create = EventBridgeSchedulerBackend.create_schedule

    def create_schedule(self: Any, *values: Any, **named: Any) -> Any:
        schedule = create(self, *values, **named)
        repeats = str(schedule.schedule_expression).startswith("rate(")
        if repeats and schedule.state == "ENABLED" and not schedule.start_date:
            _call(self, schedule)
        return schedule

    place(EventBridgeSchedulerBackend, create_schedule=create_schedule)


def _call(backend: Any, schedule: Any) -> None:
    """Call the target as the schedule does: what becomes of it changes nothing about the schedule."""
    target = schedule.target
    if ":lambda:" not in target["Arn"]:
        return
    functions = get_backend(backend.account_id, backend.region_name)
    try:
        headers: dict[str, str] = {}
        answer = functions.invoke(
            target["Arn"], None, target.get("Input") or "{}", {"x-amz-invocation-type": "Event"}, headers
        )
        if "x-amz-function-error" in headers:
            print(f"schedule {schedule.name}: its function failed: {answer!r}", file=sys.stderr)
    except Exception as error:
        print(f"schedule {schedule.name}: {type(error).__name__}: {error}", file=sys.stderr)
