"""From one pytest phase to one outcome: pass, fail, error or not applicable, with a message for a person."""

from __future__ import annotations

from typing import Any

import pytest

from report.model import Status
from verify.evidence import redact

NOT_APPLICABLE = "not applicable: "
MESSAGE_LIMIT = 1200


def judge(excinfo: pytest.ExceptionInfo[BaseException] | None, phase: str) -> tuple[Status, str] | None:
    """The status and message of a phase; None when the phase went well and decides nothing (setup, teardown).

    A failed assertion is a failed control. Anything else that goes wrong is an error: the check itself did
    not work,
    so it has proven nothing either way. A skip without "not applicable: reason" and any xfail are failures.
    """
    if excinfo is None:
        return (Status.PASS, "") if phase == "call" else None
    value = excinfo.value
    if isinstance(value, pytest.skip.Exception):
        return _judge_skip(str(value.msg))
    if isinstance(value, pytest.xfail.Exception):
        return Status.FAIL, _clean(f"xfail hides a failure and is not allowed here: {value.msg}")
    # A fixture that asserts judges as well: without a password policy, every rule about passwords has failed.
    if phase != "teardown" and isinstance(value, (AssertionError, pytest.fail.Exception)):
        return Status.FAIL, _clean(_own_words(str(value)) or "assertion failed without a message")
    where = "" if phase == "call" else f"{phase}: "
    return Status.ERROR, _clean(f"{where}{_sentence(value)}")


def _judge_skip(reason: str) -> tuple[Status, str]:
    if reason.startswith(NOT_APPLICABLE) and reason[len(NOT_APPLICABLE) :].strip():
        return Status.NOT_APPLICABLE, _clean(reason[len(NOT_APPLICABLE) :])
    return Status.FAIL, _clean(f"skipped without `not applicable: reason`: {reason or 'no reason'}")


def _own_words(text: str) -> str:
    """The test's own message; pytest's introspection is kept only when the test says nothing itself."""
    said, introspection, _ = text.partition("\nassert ")
    return said if introspection and said.strip() else text


def _sentence(value: BaseException) -> str:
    name = type(value).__name__
    return str(value) if name in ("ChannelFault", "CommandFault", "AccountFault") else f"{name}: {value}"


def _clean(text: str) -> str:
    text = redact(text).strip()
    return text if len(text) <= MESSAGE_LIMIT else f"{text[:MESSAGE_LIMIT]} …"


def as_data(
    status: Status, message: str, evidence: str, call: pytest.CallInfo[None], item: pytest.Item
) -> dict[str, Any]:
    """What travels from a worker to the judge with the test's report."""
    return {
        "status": status.value,
        "when": call.when,
        "message": message,
        "evidence": evidence,
        "seconds": round(call.duration, 4),
        "controls": claimed(item),
        "subject": subject_of(item),
    }


def claimed(item: pytest.Item) -> list[str]:
    """The control ids that a test claims, in the order written, each once."""
    ids = [name for mark in item.iter_markers("control") for name in mark.args]
    return list(dict.fromkeys(map(str, ids)))


def subject_of(item: pytest.Item) -> str:
    """The subject id of a collected test, set by the plugin when it was collected."""
    return str(getattr(item, "_stockade_subject", ""))
