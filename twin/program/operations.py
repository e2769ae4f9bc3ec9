"""Create, update, replace and delete one resource, with the state written before and after each."""

from __future__ import annotations

import dataclasses
import json
import secrets
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

import fault
from twin.program.handlers.spec import Call, Spec, Unsupported
from twin.program.readback import differences
from twin.program.state import Record, State

if TYPE_CHECKING:
    from twin.program.engine import Case

Plain = dict[str, Any]


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

    def create(self, case: Case, record: Record) -> Plain:
        """Make a resource, announced first so that a crash cannot make it twice. Returns its outputs."""
        spec, call, old = case.spec, _needed(case), case.old
        if old is not None and old.pending and old.inputs != record.inputs:
            self._finish_and_remove(spec, call, old)
            old = None
        if case.decision == "replace" and old is not None:
            self._make_room(case, call, old)
            old = None
        record.pending = old.pending if old is not None and old.pending else secrets.token_hex(16)
        self.state.put(record)
        record.id = spec.make(dataclasses.replace(call, token=record.pending))
        record.pending, record.unsettled = "", True
        self.state.put(record)
        spec.settle(call, record.id)
        return self._confirm(case, record)

    def update(self, case: Case, record: Record) -> Plain:
        """Apply changed inputs in place; returns the outputs read back."""
        spec, call, old = case.spec, _needed(case), case.old
        self.state.put(dataclasses.replace(record, unsettled=True, outputs=old.outputs if old else {}))
        if old is not None and old.unsettled:
            spec.settle(call, record.id)
        spec.change(call, record.id, case.changed)
        return self._confirm(case, record)

    def _confirm(self, case: Case, record: Record) -> Plain:
        call, spec = _needed(case), case.spec
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
        record.outputs, record.unsettled = case.sealed(outputs, self.state.salt), False
        self.state.put(record)
        return outputs

    def _make_room(self, case: Case, call: Call, old: Record) -> None:
        if case.spec.exclusive or case.request.delete_first:
            self.delete(case.spec, call, old)
            self.state.remove(old.urn)
        else:
            self.state.condemn(old)

    def _finish_and_remove(self, spec: Spec, call: Call, old: Record) -> None:
        # The creation was cut short and the program has changed since: finish it by its token, then remove.
        identity = spec.make(dataclasses.replace(call, token=old.pending))
        spec.drop(call, identity, {})
        self.state.remove(old.urn)

    def delete(self, spec: Spec, call: Call, record: Record) -> None:
        """Delete what a record stands for."""
        spec.drop(self.with_inputs(call, record), record.id, record.outputs)

    @staticmethod
    def as_fault(error: Exception, urn: str, step: str) -> fault.Fault:
        """One line for a failed step: the URN, what was tried, what AWS said."""
        if isinstance(error, fault.Fault):
            return error
        for kind, words in _WORDS.items():
            if isinstance(error, kind):
                facts = {"urn": urn, "step": step, "error": error, "said": _said(error)}
                problem, rule, fix = (text.format(**facts) for text in words)
                return fault.Fault(problem, rule, fix)
        return fault.Fault(
            f"{urn}: {step} failed: {type(error).__name__}: {error}",
            "the handler could not cope",
            "see twin/program/handlers/",
        )


_EXTEND = "extend the emulation in twin/account/extensions/"
_WORDS: dict[type[Exception], tuple[str, str, str]] = {
    Unsupported: (
        "{urn}: input {error} is not supported by the twin's handler",
        "an input is set or refused, never dropped",
        "add it to the handler in twin/program/handlers/",
    ),
    NotKept: (
        "{urn}: {step}: {error}",
        "everything the program sets is readable through the AWS API",
        _EXTEND,
    ),
    ResponseParserError: (
        "{urn}: {step}: the emulated account does not implement this call",
        "an answer that is no AWS answer is never success",
        _EXTEND,
    ),
    ClientError: ("{urn}: {step} failed", "AWS says {said}", "fix the resource and run again"),
    BotoCoreError: ("{urn}: {step} failed", "{said}", "check that the account runs, then run again"),
}


def _said(error: Exception) -> str:
    if isinstance(error, ClientError):
        detail = error.response.get("Error", {})
        return f"{detail.get('Code', '?')}: {detail.get('Message', '')} ({error.operation_name})"
    return " ".join(str(error).split())


def _needed(case: Case) -> Call:
    if case.call is None:
        raise RuntimeError("a preview without an account makes nothing")
    return case.call


def _short(value: Any) -> str:
    text = json.dumps(value, default=str) if value is not None else "nothing"
    return text if len(text) < 200 else text[:197] + "..."
