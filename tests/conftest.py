"""Fixtures that boot real nodes. A machine that cannot boot them skips with the reason; CI fails then."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings.calendar import STATED
from twin.machines import Lone, lone, obstacle

# The files that take longest, the longest first: a worker that began with one of them late would end alone.
LONGEST = (
    "e2e/test_demo.py",
    "e2e/test_demo_regions.py",
    "e2e/test_kinds.py",
    "mutation/test_cloud_weakened.py",
    "mutation/test_nodes_weakened.py",
    "roles/test_lockout_killed.py",
    "e2e/test_program_regions.py",
    "e2e/test_vpn_tunnel.py",
    "roles/test_lockout_scenes.py",
    "e2e/test_demo_interrupted.py",
    "roles/test_lockout.py",
    "roles/test_lockout_node.py",
)
# The day on which every stack file of this repository is good: no test turns red because time goes by.
TODAY = "2026-11-22"


def pytest_configure(config: pytest.Config) -> None:
    """Pin the day, for this process and those it starts; a verification of a region goes by the clock."""
    if config.getoption("region", None) is None:
        os.environ[STATED] = TODAY


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first; otherwise the order is that of the command line and of the files."""
    rank = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(LONGEST)))


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
