"""Checks over planned resources: in unit tests, before an update, and as a policy pack. One code, three
uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardrails import (
    edge,
    egress,
    encryption,
    exposure,
    inspection,
    keeping,
    names,
    naming,
    privilege,
    provider,
    reach,
    residency,
    secrecy,
    tunnels,
    watch,
    watching,
)
from guardrails.model import Bounds, Finding, Guardrail, Planned, bounds_of

# The name of an area → its guardrails, in the order in which a reader wants to see them.
AREAS: dict[str, tuple[Guardrail, ...]] = {
    "provider": provider.GUARDRAILS,
    "residency": residency.GUARDRAILS,
    "encryption": encryption.GUARDRAILS,
    "secrecy": secrecy.GUARDRAILS,
    "exposure": exposure.GUARDRAILS,
    "edge": edge.GUARDRAILS,
    "egress": egress.GUARDRAILS,
    "privilege": privilege.GUARDRAILS,
    "reach": reach.GUARDRAILS,
    "names": names.GUARDRAILS,
    "inspection": inspection.GUARDRAILS,
    "tunnels": tunnels.GUARDRAILS,
    "watch": watch.GUARDRAILS,
    "watching": watching.GUARDRAILS,
    "keeping": keeping.GUARDRAILS,
    "naming": naming.GUARDRAILS,
}
GUARDRAILS: tuple[Guardrail, ...] = tuple(guardrail for area in AREAS.values() for guardrail in area)


@dataclass(frozen=True)
class Gate:
    """One guardrail with what it found: open when it found nothing."""

    area: str
    name: str
    sentence: str
    findings: tuple[Finding, ...]

    @property
    def open(self) -> bool:
        """Whether the plan may pass."""
        return not self.findings


def gates(resources: Sequence[Planned], bounds: Bounds) -> list[Gate]:
    """Every guardrail over the plan, by area. An empty plan closes a gate of its own: nothing judged is
    nothing proven.
    """
    if not any(resource["type"].startswith("aws:") for resource in resources):
        nothing = Finding("plan-empty", "-", "no AWS resource was planned", "run the program first")
        return [Gate("provider", "plan", "There is a plan to judge.", (nothing,))]
    return [
        Gate(area, guardrail.__name__, _sentence(guardrail), tuple(sorted(guardrail(resources, bounds))))
        for area, guardrails in AREAS.items()
        for guardrail in guardrails
    ]


def judge(resources: Sequence[Planned], bounds: Bounds) -> list[Finding]:
    """Every finding of every guardrail, sorted."""
    return sorted(finding for gate in gates(resources, bounds) for finding in gate.findings)


def _sentence(guardrail: Guardrail) -> str:
    """The first paragraph of its docstring, on one line."""
    return " ".join((guardrail.__doc__ or "").split("\n\n")[0].split())


__all__ = [
    "AREAS",
    "GUARDRAILS",
    "Bounds",
    "Finding",
    "Gate",
    "Guardrail",
    "Planned",
    "bounds_of",
    "gates",
    "judge",
]
