"""Rules of the names that nodes may resolve."""

from __future__ import annotations

from collections.abc import Iterator

from settings import facts
from settings.draft import Draft
from settings.problems import Problem
from settings.rules_region import Rule


def names_are_worth_listing(draft: Draft) -> Iterator[Problem]:
    """A listed name is nobody else's to answer for, and stands once."""
    listed = draft.dns.allowed_domains if draft.dns else ()
    for index, domain in enumerate(listed):
        key, bare = f"dns.allowed_domains.{index}", domain.removeprefix("*.")
        shared = next((s for s in facts.SHARED_DOMAINS if bare == s or (bare.endswith(f".{s}"))), None)
        if shared and (bare == shared or domain.startswith("*.")):
            yield Problem(
                key,
                domain,
                f"anybody can have a name under {shared}",
                "list the whole names that are needed, without a wildcard",
            )
        wider = [o for i, o in enumerate(listed) if i != index and o.startswith("*.") and o != domain]
        covered = [other for other in wider if domain.removeprefix("*.").endswith(other[1:])]
        if domain in listed[:index] or covered:
            other = covered[0] if covered else domain
            yield Problem(key, domain, f"{other} lists it already", "list a name once")


RULES: tuple[Rule, ...] = (names_are_worth_listing,)
