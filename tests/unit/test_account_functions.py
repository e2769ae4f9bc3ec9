"""Lambda and EventBridge Scheduler of the emulated account: functions run, a schedule makes its first call,
and the windows that the program's own function rolls are the ones that IAM then holds.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from iam import window_roll
from iam.documents import Statement, document
from iam.window_policy import zone_data
from iam.windows import SOURCE
from tests.infra.evaluation import Policies, Request, allowed
from tests.unit.emulated_account import ACCOUNT, aws
from twin.program.aws import Clients
from twin.program.handlers.functions import archive, digest

__all__ = ["aws"]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/unit"
TEMPLATE = document([Statement("AtMost", "Allow", ["ec2:*"]), Statement("Never", "Deny", ["iam:*"])])
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def function(aws: Clients, code: dict[str, str], handler: str, **more: Any) -> str:
    iam, name = aws.client("iam"), f"unit-{uuid.uuid4().hex[:10]}"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    made = aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler=handler,
        Role=f"arn:aws:iam::{ACCOUNT}:role/{name}",
        Code={"ZipFile": archive(code)},
        Timeout=30,
        **more,
    )
    return str(made["FunctionArn"])


def invoke(aws: Clients, arn: str, event: Any) -> tuple[Any, str | None]:
    answer = aws.client("lambda").invoke(FunctionName=arn, Payload=json.dumps(event).encode())
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def test_a_function_runs_its_own_code_on_its_event(aws: Clients) -> None:
    arn = function(aws, {"sum.py": "def run(event, context):\n    return sum(event)\n"}, "sum.run")
    assert invoke(aws, arn, [1, 2, 39]) == (42, None)


def test_what_a_function_raises_is_a_failed_call(aws: Clients) -> None:
    arn = function(aws, {"bad.py": "def run(event, context):\n    raise KeyError('x')\n"}, "bad.run")
    answer, failed = invoke(aws, arn, {})
    assert failed and answer["errorType"] == "KeyError"


def test_a_functions_logging_is_kept_and_its_code_has_one_digest(aws: Clients) -> None:
    code = {"a.py": "def run(event, context):\n    return 1\n"}
    arn = function(aws, code, "a.run", LoggingConfig={"LogFormat": "Text", "LogGroup": "/unit/log"})
    found = aws.client("lambda").get_function_configuration(FunctionName=arn)
    assert found["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/unit/log"}
    assert found["CodeSha256"] == digest(archive(code)) == digest(archive(dict(code)))


@pytest.fixture
def policy(aws: Clients) -> str:
    closed = json.dumps(window_roll.closed(TEMPLATE))
    made = aws.client("iam").create_policy(PolicyName=f"unit-{uuid.uuid4().hex[:10]}", PolicyDocument=closed)
    return str(made["Policy"]["Arn"])


def order(arn: str) -> dict[str, Any]:
    zone = "Europe/Berlin"
    stated = {"days": list(window_roll.WEEKDAYS), "from": "00:00", "to": "24:00", "timezone": zone}
    return {"arn": arn, "hours": {**stated, "tzif": zone_data(zone)}, "until": None, "document": TEMPLATE}


def held(aws: Clients, arn: str) -> dict[str, Any]:
    iam = aws.client("iam")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return dict(found)


def may(boundary: dict[str, Any], moment: datetime) -> bool:
    context = {"aws:CurrentTime": moment.isoformat()}
    grant = document([Statement("All", "Allow", ["*"])])
    return allowed(Request(ROLE, "ec2:StartInstances", "*", context), Policies([grant], boundary))


def schedule(aws: Clients, target: str, arn: str, state: str = "ENABLED") -> None:
    aws.client("scheduler").create_schedule(
        Name=f"unit-{uuid.uuid4().hex[:10]}",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        State=state,
        Target={"Arn": target, "RoleArn": ROLE, "Input": json.dumps({"policies": [order(arn)]})},
    )


def test_the_first_call_of_the_schedule_opens_the_windows_and_a_missed_roll_closes_them(
    aws: Clients, policy: str
) -> None:
    now = datetime.now(UTC)
    assert not may(held(aws, policy), now), "before the first roll nothing is open"
    target = function(aws, {SOURCE.name: SOURCE.read_text()}, "window_roll.handler")
    schedule(aws, target, policy)
    rolled = held(aws, policy)
    assert may(rolled, now)
    ends = [
        s["Condition"]["DateLessThan"]["aws:CurrentTime"] for s in rolled["Statement"] if "Condition" in s
    ]
    last = datetime.fromisoformat(max(ends).replace("Z", "+00:00"))
    assert may(rolled, last - timedelta(seconds=1))
    assert not may(rolled, last), "access ends with the last window"
    assert not may(rolled, last + timedelta(days=30))


def test_a_schedule_that_is_off_calls_nothing(aws: Clients, policy: str) -> None:
    target = function(aws, {SOURCE.name: SOURCE.read_text()}, "window_roll.handler")
    schedule(aws, target, policy, "DISABLED")
    assert held(aws, policy) == window_roll.closed(TEMPLATE)
