"""Detailed monitoring of instances, switched on and off later: moto knows it at the launch only.

EC2 API reference, MonitorInstances and UnmonitorInstances.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response

from twin.account.extensions.placing import place


def install() -> None:
    """Add both operations."""

    def monitor_instances(self: Any) -> Any:
        return _switch(self, "enabled")

    def unmonitor_instances(self: Any) -> Any:
        return _switch(self, "disabled")

    place(EC2Response, monitor_instances=monitor_instances, unmonitor_instances=unmonitor_instances)


def _switch(request: Any, state: str) -> Any:
    changed = []
    for name in request._get_param("InstanceIds", []):
        request.ec2_backend.get_instance(name).monitoring_state = state
        changed.append({"InstanceId": name, "Monitoring": {"State": state}})
    return ActionResult({"InstanceMonitorings": changed})
