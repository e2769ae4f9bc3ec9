"""Lambda: a function in Python really runs, in a process of its own, against this account; no container.

Lambda API reference, CreateFunction: LoggingConfig is kept and given back, with Lambda's own group and the
text format where nothing else is said. Lambda developer guide, "Python handler": the handler is
`<module>.<function>`, gets the event and a context, and what it returns is answered as JSON; what it raises
is answered with errorType and errorMessage, and the call counts as failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from flask import request
from moto.awslambda.models import LambdaFunction

from twin.account.extensions.placing import place
from twin.account.turn import let_others

SLOWER = 10
"""So many times as long as in AWS may a function take: it shares this machine with everything else."""
# Reads the event from stdin; the last line it prints is the answer, everything before it the function's log.
_RUNTIME = """
import importlib, json, sys, traceback
sys.path.insert(0, sys.argv[1])
module, _, name = sys.argv[2].rpartition(".")
try:
    answer, failed = getattr(importlib.import_module(module), name)(json.load(sys.stdin), None), False
except Exception as error:
    traceback.print_exc(file=sys.stdout)
    answer, failed = {"errorType": type(error).__name__, "errorMessage": str(error)}, True
print(json.dumps({"answer": answer, "failed": failed}))
"""


def install() -> None:
    """Keep the logging configuration; run the code."""
    create, describe, update = (
        LambdaFunction.__init__,
        LambdaFunction.get_configuration,
        LambdaFunction.update_configuration,
    )

    def __init__(self: Any, account_id: str, spec: dict[str, Any], *more: Any, **named: Any) -> None:
        create(self, account_id, spec, *more, **named)
        self.logging = _logging(self, spec.get("LoggingConfig"))

    def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
        return {**describe(self, on_create), "LoggingConfig": self.logging}

    def update_configuration(self: Any, changes: dict[str, Any]) -> dict[str, Any]:
        if "LoggingConfig" in changes:
            self.logging = _logging(self, changes["LoggingConfig"])
        update(self, changes)
        found: dict[str, Any] = self.get_configuration()
        return found

    place(
        LambdaFunction,
        __init__=__init__,
        get_configuration=get_configuration,
        update_configuration=update_configuration,
        _invoke_lambda=_invoke,
    )


def _logging(function: Any, given: dict[str, Any] | None) -> dict[str, Any]:
    return {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}", **(given or {})}


def _invoke(self: Any, event: Any = None) -> tuple[str, bool, str]:
    """Moto's shape: the answer, whether the function failed, what it logged."""
    if not str(self.run_time).startswith("python"):
        raise NotImplementedError(f"functions in {self.run_time} do not run in the emulated account")
    body = event if isinstance(event, str) else json.dumps(event)
    with tempfile.TemporaryDirectory(prefix="function-") as folder:
        code = Path(folder) / "code.zip"
        code.write_bytes(self.code_bytes)
        argv, environment = [sys.executable, "-c", _RUNTIME, str(code), self.handler], _environment(self)
        try:
            with let_others():
                done = subprocess.run(
                    argv,
                    input=body,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=self.timeout * SLOWER,
                )
        except subprocess.TimeoutExpired:
            said = f"Task timed out after {self.timeout:.2f} seconds"
            return json.dumps({"errorMessage": said}), True, said
    *said_lines, last = done.stdout.splitlines() or [""]
    log = "\n".join([*said_lines, done.stderr]).strip()
    _log(self, log)
    try:
        result = json.loads(last)
    except ValueError:
        return json.dumps({"errorType": "Runtime.ExitError", "errorMessage": log[-500:]}), True, log
    return json.dumps(result["answer"]), bool(result["failed"]), log


def _environment(function: Any) -> dict[str, str]:
    """A function's own variables, the account's address, the machine's path; none of the server's keys."""
    endpoint = request.host_url.rstrip("/")
    return {
        "PATH": os.environ.get("PATH", ""),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ACCESS_KEY_ID": "function",
        "AWS_SECRET_ACCESS_KEY": "function",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        **function.environment_vars,
    }


def _log(function: Any, text: str) -> None:
    from moto.core.utils import unix_time_millis  # noqa: PLC0415

    group, logs = function.logging["LogGroup"], function.logs_backend
    if not text or group not in logs.groups:
        return
    stream = "twin"
    if stream not in logs.groups[group].streams:
        logs.create_log_stream(group, stream)
    logs.put_log_events(group, stream, [{"timestamp": int(unix_time_millis()), "message": text}])
