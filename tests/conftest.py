"""Fixtures that boot real nodes. A machine that cannot boot them skips with the reason; CI fails then."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from settings.calendar import STATED
from twin.machines import Lone, lone, obstacle

# The day on which every stack file of this repository is good: no test turns red because time goes by.
TODAY = "2026-11-22"


def pytest_configure(config: pytest.Config) -> None:
    """Pin the day, for this process and those it starts; a verification of a region goes by the clock."""
    if config.getoption("region", None) is None:
        os.environ[STATED] = TODAY


def require_nodes() -> None:
    """Skip the test, with the reason, where no node can be booted; fail when `CI` says that it must."""
    reason = obstacle()
    if reason is None:
        return
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"CI must be able to boot nodes: {reason}")
    pytest.skip(f"no node can be booted here: {reason}")


def _named(request: pytest.FixtureRequest) -> str:
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[-40:].strip("-")


@pytest.fixture
def lone_node(request: pytest.FixtureRequest) -> Iterator[Lone]:
    """A fresh, unhardened node of its own for one test."""
    require_nodes()
    with lone(_named(request)) as node:
        yield node


@pytest.fixture(scope="module")
def lone_node_module(request: pytest.FixtureRequest) -> Iterator[Lone]:
    """A fresh, unhardened node that the tests of one module share, in their order."""
    require_nodes()
    with lone(_named(request)) as node:
        yield node
