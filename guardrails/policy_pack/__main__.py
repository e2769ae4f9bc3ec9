"""The guardrails as a Pulumi policy pack: `pulumi up --policy-pack guardrails/policy_pack`.

Pulumi shows the pack each resource's inputs one by one before anything is made, and at the end the whole
stack, where inputs have become outputs but the relations are known. Both are needed: inputs are remembered as
they pass, and judged at the end with the relations beside them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi_policy.policy
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from guardrails import AREAS, gates  # noqa: E402 - the pack is started by Pulumi, outside the repository's path
from guardrails.model import Bounds, Planned, bounds_of  # noqa: E402
from guardrails.policy_pack.stack_plan import hidden, inputs_of, planned_of  # noqa: E402
from settings import load  # noqa: E402

SEEN: dict[str, dict[str, Any]] = {}

# Its policies would see secrets in clear, and could not tell them from text that nobody marked.
_deserialize = vars(pulumi_policy.policy)["deserialize_properties"]
vars(pulumi_policy.policy)["deserialize_properties"] = lambda properties: _deserialize(hidden(properties))


def remember(args: ResourceValidationArgs, _report: ReportViolation) -> None:
    """Keep the resource's inputs; nothing is judged yet."""
    SEEN[args.urn] = inputs_of(args.props)


def bounds_of_stack(resources: list[PolicyResource]) -> Bounds:
    """The bounds its stack file states; the stack's name is the first part of every URN."""
    stack = resources[0].urn.split("::")[0].removeprefix("urn:pulumi:") if resources else ""
    return bounds_of(load(stack, ROOT).model_dump(mode="json", by_alias=True))


def judge_area(area: str) -> Callable[[StackValidationArgs, ReportViolation], None]:
    """All guardrails of one area over the whole stack."""

    def judge(args: StackValidationArgs, report: ReportViolation) -> None:
        plan: list[Planned] = planned_of(args.resources, SEEN)
        for gate in gates(plan, bounds_of_stack(args.resources)):
            for finding in gate.findings if gate.area == area else ():
                report(
                    f"{finding.rule}: {finding.problem}; {finding.fix}",
                    finding.urn if ":" in finding.urn else None,
                )

    return judge


def sentences(area: str) -> str:
    """What the area's guardrails demand."""
    return " ".join(" ".join((rule.__doc__ or "").split("\n\n")[0].split()) for rule in AREAS[area])


PolicyPack(
    "stockade",
    [
        ResourceValidationPolicy(
            "inputs", "Remembers what every resource was asked to be.", remember, EnforcementLevel.MANDATORY
        ),
        *(
            StackValidationPolicy(area, sentences(area), judge_area(area), EnforcementLevel.MANDATORY)
            for area in AREAS
        ),
    ],
    enforcement_level=EnforcementLevel.MANDATORY,
)
