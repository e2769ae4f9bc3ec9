"""Create, update, replace and delete one resource, with the state written before and after each."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

import fault
from twin.program import wire
from twin.program.handlers.spec import Call, Spec, Unsupported
from twin.program.readback import differences
from twin.program.state import Record, State

Plain = dict[str, Any]
Hide = Callable[[Spec, Record], None]


class NotKept(Exception):
    """AWS took an input and does not give it back: the twin must not claim it."""


class Operations:
    """The verbs over one state."""

    def __init__(self, state: State) -> None:
        self.state = state

    @staticmethod
    def with_inputs(call: Call, record: Record) -> Call:
        """The same call with the inputs a record was made with (for ids and parents that inputs name)."""
        merged = {**call.inputs, **{k: v for k, v in record.inputs.items() if k != "tagsAll"}}
        return dataclasses.replace(call, inputs=merged)

    def create(
        self,
        spec: Spec,
        call: Call,
        record: Record,
        old: Record | None,
        *,
        replacing: bool,
        delete_first: bool,
        hide: Hide,
    ) -> Plain:
        """Make a resource, announced first so that a crash cannot make it twice. Returns its outputs."""
        if old is not None and old.pending and old.inputs != record.inputs:
            self._finish_and_remove(spec, call, old)
            old = None
        if replacing and old is not None:
            old = self._make_room(spec, call, old, delete_first)
        record.pending = old.pending if old is not None and old.pending else secrets.token_hex(16)
        self.state.put(record)
        record.id = spec.make(dataclasses.replace(call, token=record.pending))
        record.pending, record.unsettled = "", True
        self.state.put(record)
        spec.settle(call, record.id)
        return self._confirm(spec, call, record, hide)

    def _confirm(self, spec: Spec, call: Call, record: Record, hide: Hide) -> Plain:
        outputs = spec.look(call, record.id)
        if outputs is None:
            raise NotKept(f"{record.id} cannot be read back")
        lost = differences(call.inputs, outputs, spec.write_only)
        if lost:
            detail = "; ".join(
                f"{name}: set {_short(call.inputs[name])}, got {_short(outputs.get(name))}"
                for name in sorted(lost)
            )
            raise NotKept(f"not given back by the account: {detail}")
        record.outputs, record.unsettled = wire.seal(outputs, self.state.salt), False
        hide(spec, record)
        self.state.put(record)
        return outputs

    def _make_room(self, spec: Spec, call: Call, old: Record, delete_first: bool) -> Record | None:
        if spec.exclusive or delete_first:
            self.delete(spec, call, old)
            self.state.remove(old.urn)
        else:
            self.state.condemn(old)
        return None

    def _finish_and_remove(self, spec: Spec, call: Call, old: Record) -> None:
        # The creation was cut short and the program has changed since: finish it by its token, then remove it.
        identity = spec.make(dataclasses.replace(call, token=old.pending))
        spec.drop(call, identity, {})
        self.state.remove(old.urn)

    def update(self, spec: Spec, call: Call, record: Record, old: Record, changed: set[str]) -> Plain:
        """Apply changed inputs in place; returns the outputs read back."""
        self.state.put(dataclasses.replace(record, unsettled=True, outputs=old.outputs))
        if old.unsettled:
            spec.settle(call, record.id)
        spec.change(call, record.id, changed)
        return self._confirm(spec, call, record, lambda _spec, _record: None)

    def delete(self, spec: Spec, call: Call, record: Record) -> None:
        """Delete what a record stands for."""
        spec.drop(self.with_inputs(call, record), record.id, record.outputs)

    @staticmethod
    def as_fault(error: Exception, urn: str, step: str) -> fault.Fault:
        """One line for a failed step: the URN, what was tried, what AWS said."""
        if isinstance(error, fault.Fault):
            return error
        if isinstance(error, Unsupported):
            return fault.Fault(
                f"{urn}: input {error} is not supported by the twin's handler",
                "an input is set or refused, never dropped",
                "add it to the handler in twin/program/handlers/",
            )
        if isinstance(error, NotKept):
            return fault.Fault(
                f"{urn}: {step}: {error}",
                "everything the program sets is readable through the AWS API",
                "extend the emulation in twin/account/extensions/",
            )
        if isinstance(error, ResponseParserError):
            return fault.Fault(
                f"{urn}: {step}: the emulated account does not implement this call",
                "an answer that is no AWS answer is never success",
                "extend the emulation in twin/account/extensions/",
            )
        if isinstance(error, ClientError):
            detail = error.response.get("Error", {})
            said = f"{detail.get('Code', '?')}: {detail.get('Message', '')} ({error.operation_name})"
            return fault.Fault(f"{urn}: {step} failed", f"AWS says {said}", "fix the resource and run again")
        if isinstance(error, BotoCoreError):
            return fault.Fault(f"{urn}: {step} failed", str(error), "check `status`, then run again")
        return fault.Fault(
            f"{urn}: {step} failed: {type(error).__name__}: {error}",
            "the handler could not cope",
            "see twin/program/handlers/",
        )


def _short(value: Any) -> str:
    text = json.dumps(value, default=str) if value is not None else "nothing"
    return text if len(text) < 200 else text[:197] + "..."
