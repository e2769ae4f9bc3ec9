"""Lambda functions and EventBridge schedules."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Setting, Spec, to_aws

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can name


def archive(files: Mapping[str, str]) -> bytes:
    """The same zip for the same files, wherever and whenever it is made."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            target.writestr(entry, text)
    return made.getvalue()


def digest(code: bytes) -> str:
    """As Lambda writes CodeSha256."""
    return base64.b64encode(hashlib.sha256(code).digest()).decode()


def _code(call: Call, identity: str) -> None:
    call.client("lambda").update_function_code(FunctionName=identity, ZipFile=archive(call.inputs["code"]))


_CONFIGURATION = (
    *("description", "handler", "memorySize", "role", "runtime", "timeout", "environment", "loggingConfig"),
)


def _configure(call: Call, identity: str) -> None:
    client = call.client("lambda")
    given = {name: call.inputs[name] for name in _CONFIGURATION if name in call.inputs}
    client.update_function_configuration(
        FunctionName=identity, **to_aws(client, "update_function_configuration", given, {})
    )


@dataclass(frozen=True, kw_only=True)
class Function(Spec):
    """A function from files that the program holds as text."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """Everything at once; the code as a zip."""
        left_out = {"code", *self.known_inputs}
        inputs = {name: value for name, value in call.inputs.items() if name not in left_out}
        code = {"ZipFile": archive(call.inputs["code"])}
        return to_aws(client, self.create, inputs, self.rename) | {"Code": code, "Tags": dict(call.tags)}

    def settle(self, call: Call, identity: str) -> None:
        """Nothing left to do."""

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        client, arn = call.client("lambda"), call.arn("lambda", f"function:{identity}")
        stale = set(client.list_tags(Resource=arn)["Tags"]) - set(call.tags)
        if stale:
            client.untag_resource(Resource=arn, TagKeys=sorted(stale))
        client.tag_resource(Resource=arn, Tags=dict(call.tags))


def _function_facts(call: Call, _identity: str, item: Plain) -> Plain:
    found = call.client("lambda").list_tags(Resource=item["FunctionArn"])["Tags"]
    wanted = call.inputs.get("code")
    same = wanted is not None and digest(archive(wanted)) == item["CodeSha256"]
    logging = item.get("LoggingConfig") or {}
    return {
        "arn": item["FunctionArn"],
        "name": item["FunctionName"],
        # Lambda gives back no files, but a digest: code that somebody replaced shows as missing.
        "code": wanted if same else {},
        "loggingConfig": {"logFormat": logging.get("LogFormat"), "logGroup": logging.get("LogGroup")},
        "tagsAll": found,
    }


def _schedule(call: Call, _identity: str) -> None:
    client = call.client("scheduler")
    client.update_schedule(**_schedule_params(client, "update_schedule", call))


def _schedule_params(client: Any, operation: str, call: Call) -> Plain:
    inputs = {name: value for name, value in call.inputs.items() if name not in Spec.known_inputs}
    return to_aws(client, operation, inputs, {})


@dataclass(frozen=True, kw_only=True)
class Schedule(Spec):
    """A schedule in the default group; its id is `<group>/<name>`, as the provider writes it."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """Everything at once."""
        return _schedule_params(client, self.create, call)

    def settle(self, call: Call, identity: str) -> None:
        """Nothing left to do."""

    def identify(self, call: Call, answer: Plain) -> str:
        """Group and name."""
        return f"default/{call.inputs['name']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Read it."""
        try:
            found = call.client("scheduler").get_schedule(Name=identity.partition("/")[2])
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return {name: value for name, value in found.items() if name != "ResponseMetadata"}

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete it."""
        if self.fetch(call, identity) is not None:
            call.client("scheduler").delete_schedule(Name=identity.partition("/")[2])


SPECS = (
    Function(
        type="aws:lambda/function:Function",
        service="lambda",
        create="create_function",
        made="FunctionName",
        read="get_function_configuration",
        by="FunctionName",
        item="@",
        delete="delete_function",
        delete_by="FunctionName",
        rename={"name": "FunctionName"},
        name_input="name",
        exclusive=True,
        tags_as="Tags",
        after=(Setting(("code",), _code), Setting(_CONFIGURATION, _configure)),
        more=_function_facts,
    ),
    Schedule(
        type="aws:scheduler/schedule:Schedule",
        service="scheduler",
        create="create_schedule",
        name_input="name",
        exclusive=True,
        after=(
            Setting(
                ("description", "flexibleTimeWindow", "scheduleExpression", "state", "target"), _schedule
            ),
        ),
    ),
)
