"""Words to break a plan with: a fresh copy of our own plan, and changes of one resource in it."""

from __future__ import annotations

import functools
import json
import pickle
from collections.abc import Callable
from typing import Any

from guardrails import bounds_of
from guardrails.model import Bounds, Planned
from tests.infra.monitor import run_of, stack_file

Plan = list[Planned]
Break = Callable[[Plan], object]
# The rules that must turn red (joined by "+" when one mistake breaks two), what is broken, how.
Broken = tuple[str, str, Break]


def bounds(stack: str) -> Bounds:
    return bounds_of({key.removeprefix("stockade:"): value for key, value in stack_file(stack).items()})


def plan() -> Plan:
    """A fresh copy; a pickle is read ten times faster than a deep copy is made, and there are 200 of them."""
    copied: Plan = pickle.loads(_pickled())
    return copied


@functools.cache
def _pickled() -> bytes:
    return pickle.dumps(run_of("in-mumbai").planned)


def one(planned: Plan, type_: str, name: str | None = None) -> Planned:
    """By name, or the first one by name: the order in which a program registers is no order."""
    found = (p for p in planned if p["type"] == type_ and name in (None, p["name"]))
    return min(found, key=lambda p: p["name"])


def put(type_: str, path: str, value: Any, name: str | None = None) -> Break:
    """Set an input at a dotted path of the named resource of a type, or of the first by name."""

    def apply(planned: Plan) -> None:
        target: Any = one(planned, type_, name)["inputs"]
        *steps, last = path.split(".")
        for step in steps:
            target = target[int(step) if step.isdigit() else step]
        target[last] = value

    return apply


def drop(type_: str, path: str, name: str | None = None) -> Break:
    """Remove an input."""

    def apply(planned: Plan) -> None:
        target: Any = one(planned, type_, name)["inputs"]
        *steps, last = path.split(".")
        for step in steps:
            target = target[int(step) if step.isdigit() else step]
        del target[last]

    return apply


def lose(type_: str, name: str | None = None) -> Break:
    """Forget a resource."""
    return lambda planned: planned.remove(one(planned, type_, name))


def add(type_: str, inputs: dict[str, Any], **more: Any) -> Break:
    """One resource more, made properly but for what `inputs` or `more` say."""

    def apply(planned: Plan) -> None:
        like = one(planned, "aws:ec2/vpc:Vpc")
        urn = f"urn:pulumi:in-mumbai::stockade::{type_}::extra"
        extra: Any = {
            **like,
            "type": type_,
            "name": "extra",
            "urn": urn,
            "inputs": inputs,
            "depends": {},
            **more,
        }
        planned.append(extra)

    return apply


def statement(type_: str, **changes: Any) -> Break:
    """Replace the policy of the first resource of a type by one statement."""
    policy = {"Version": "2012-10-17", "Statement": [{"Sid": "Broken", "Resource": "*", **changes}]}
    return put(type_, "policy", json.dumps(policy))
