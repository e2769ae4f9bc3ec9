"""Whoever finds a resource in the account can tell what it is, whose it is, and that it is ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from guardrails.model import Bounds, Finding, Guardrail, Planned, at

# Purpose and zone name, joined by hyphens; never an index that shifts when another one is removed.
INDEXED = re.compile(r"\[\d+\]")
WORDS = re.compile(r"^[a-z0-9][A-Za-z0-9._-]*$")
PASSING = re.compile(r"(?i)(^|[-_/])(tmp|temp|foo|bar|untitled)([-_/]|$)")


def names_mean_something(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Names are purposes: no list index, no spaces, no `tmp`; they survive the removal of a neighbour."""
    for resource in resources:
        name = resource["name"]
        if resource["type"].startswith("aws:") and (INDEXED.search(name) or not WORDS.match(name)):
            yield Finding(
                "name-stable", resource["urn"], f"it is named {name!r}", "name it by purpose and zone"
            )
        if resource["type"].startswith("aws:") and PASSING.search(name):
            yield Finding("name-stable", resource["urn"], f"it is named {name!r}", "name its lasting purpose")


def tagged(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Whatever takes tags carries a Name, and no tag of its own replaces the owner or the stack."""
    for resource in resources:
        tags = at(resource["inputs"], "tags")
        if not resource["type"].startswith("aws:") or tags is None:
            continue
        if not tags.get("Name"):
            yield Finding("tag-name", resource["urn"], "its tags have no Name", "use tagging.tags(name)")
        for key in sorted({"stockade:stack", "stockade:owner"} & set(tags)):
            yield Finding(
                "tag-owner", resource["urn"], f"{key} is set here", "leave it to the provider's defaults"
            )


def under_a_component(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Every resource stands under a component of ours: its place says who answers for it."""
    for resource in resources:
        above = resource["parent"].split("::")[2] if resource["parent"] else ""
        if resource["type"].startswith("aws:") and not above.startswith("stockade:"):
            yield Finding(
                "place-component", resource["urn"], "it has no component", "make it inside one, parent=self"
            )


GUARDRAILS: tuple[Guardrail, ...] = (names_mean_something, tagged, under_a_component)
