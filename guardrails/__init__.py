"""Checks over planned resources: in unit tests, before an update, and as a policy pack. One code, three
uses.
"""

from __future__ import annotations

from collections.abc import Sequence

from guardrails import encryption, exposure, privilege, provider, residency, tunnels
from guardrails.model import Bounds, Finding, Guardrail, Planned, bounds_of

GUARDRAILS: tuple[Guardrail, ...] = (
    *provider.GUARDRAILS,
    *residency.GUARDRAILS,
    *encryption.GUARDRAILS,
    *exposure.GUARDRAILS,
    *privilege.GUARDRAILS,
    *tunnels.GUARDRAILS,
)


def judge(resources: Sequence[Planned], bounds: Bounds) -> list[Finding]:
    """Every finding of every guardrail, sorted. An empty plan is a finding: nothing judged is nothing
    proven.
    """
    if not any(resource["type"].startswith("aws:") for resource in resources):
        return [Finding("plan-empty", "-", "no AWS resource was planned", "run the program first")]
    return sorted(finding for guardrail in GUARDRAILS for finding in guardrail(resources, bounds))


__all__ = ["GUARDRAILS", "Bounds", "Finding", "Guardrail", "Planned", "bounds_of", "judge"]
