"""Flow logs into a folder of a bucket.

EC2 API reference, CreateFlowLogs, LogDestination: "You can specify a subfolder in the bucket",
bucket_ARN/subfolder_name/. moto 5.2.5 takes the whole of it for the bucket's name.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.flow_logs import FlowLogsBackend

from twin.account.extensions.placing import place


def install() -> None:
    """Look for the bucket alone, and keep what was asked for."""
    create = FlowLogsBackend.create_flow_logs

    def create_flow_logs(self: Any, **given: Any) -> Any:
        asked = given.get("log_destination")
        if given.get("log_destination_type") == "s3" and asked:
            given["log_destination"] = asked.split("/")[0]
        made, unsuccessful = create(self, **given)
        for log in made:
            log.log_destination = asked or log.log_destination
        return made, unsuccessful

    place(FlowLogsBackend, create_flow_logs=create_flow_logs)
