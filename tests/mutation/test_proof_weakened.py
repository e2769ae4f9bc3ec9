"""Whatever keeps the proof honest is broken on purpose, and a test of its own turns red each time."""

from __future__ import annotations

import importlib

import pytest

from tests.mutation.weakened_source import Outcome, Weakening, judged, weakenings

LISTED = weakenings()


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """All of them, one after the other, in copies of one process that has imported what is broken."""
    for one in LISTED:
        importlib.import_module(one.file.removesuffix(".py").replace("/", "."))
    return judged(LISTED)


def test_unbroken_their_tests_are_green(outcomes: dict[str, Outcome]) -> None:
    """In the same kind of copy: what is red below is so for what was broken."""
    assert outcomes[""].passed and not outcomes[""].failed, outcomes[""].said[-3000:]


@pytest.mark.parametrize("one", LISTED, ids=lambda one: one.name)
def test_what_is_broken_is_seen(one: Weakening, outcomes: dict[str, Outcome]) -> None:
    found = outcomes[one.name]
    unseen = [t for t in one.red if not any(f == t or f.startswith(f"{t}[") for f in found.failed)]
    assert one.red and not unseen, f"{unseen} stayed green; {found.said[-3000:]}"
