"""What stands in the incident queue: one shape, whatever it came from. Pure.

A record is JSON: `schema` ("stockade/notice/1"), `id` (repeated deliveries carry the same one), `time` (ISO
8601, UTC), `region`, `account`, `source` (e.g. aws.guardduty), `severity` (critical, high, medium, low, or
page: calls people for what is in the queue already and opens no incident), `rule`, `title`, `resource`,
`event` (all that was told). Rules of EventBridge write it themselves (`detection.routes`); alarms and budgets
come through the topic in their own shape. `read` gives the one shape for each of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict, cast

SCHEMA = "stockade/notice/1"
SEVERITIES = ("critical", "high", "medium", "low", "page")
FIELDS = ("schema", "id", "time", "region", "account", "source", "severity", "rule", "title", "resource")


class Record(TypedDict):
    """One record of the incident queue."""

    schema: str
    id: str
    time: str
    region: str
    account: str
    source: str
    severity: str
    rule: str
    title: str
    resource: str
    event: Any


def read(body: str, arrived: datetime) -> Record:
    """A message of the incident queue as a record. What is none of the known shapes is never lost: it
    becomes a record of medium severity that says so. `arrived` needs a zone.
    """
    try:
        message = json.loads(body)
    except ValueError:
        return _unknown(body, body, arrived)
    if not isinstance(message, dict):
        return _unknown(body, message, arrived)
    if message.get("schema") == SCHEMA and message.get("severity") in SEVERITIES:
        told = {name: str(message.get(name, "")) for name in FIELDS}
        return cast(Record, {**told, "event": message.get("event")})
    if "AlarmName" in message and "NewStateValue" in message:
        return _alarm(message, arrived)
    return _unknown(body, message, arrived)


def _alarm(message: Mapping[str, Any], arrived: datetime) -> Record:
    # CloudWatch User Guide, "Notifying users on alarm changes": the message of an alarm.
    name, state = str(message["AlarmName"]), str(message["NewStateValue"])
    arn = str(message.get("AlarmArn", ""))
    parts = name.split("/")
    severity = parts[1] if len(parts) == 3 and parts[1] in SEVERITIES else "medium"
    when = _time(str(message.get("StateChangeTime", "")), arrived)
    return Record(
        schema=SCHEMA,
        id=_digest(f"{arn} {state} {when}"),
        time=when,
        region=arn.split(":")[3] if arn.count(":") >= 5 else "",
        account=str(message.get("AWSAccountId", "")),
        source="aws.cloudwatch",
        severity=severity,
        rule=f"alarm/{parts[-1]}",
        title=f"{state}: {message.get('AlarmDescription') or name}",
        resource=arn,
        event=dict(message),
    )


def _unknown(body: str, message: Any, arrived: datetime) -> Record:
    budget = body.startswith("AWS Budget") or "Budget Name" in body
    return Record(
        schema=SCHEMA,
        id=_digest(body),
        time=arrived.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        region="",
        account="",
        source="aws.budgets" if budget else "unknown",
        severity="medium",
        rule="budget" if budget else "unknown",
        title="AWS Budgets: costs are beyond the threshold" if budget else "A message of an unknown shape",
        resource="",
        event=message,
    )


def _time(text: str, arrived: datetime) -> str:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = arrived
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
