"""Fixtures that boot real nodes. A machine that cannot boot them skips with the reason; CI fails then."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# The suites of nodes and of a region are below this folder too, and their runs need nothing of the twin.
if TYPE_CHECKING:
    from twin.machines import Lone

# The files that take longest, the longest first: a worker that began with one of them late would end alone.
LONGEST = (
    "e2e/test_demo.py",
    "mutation/test_nodes_weakened.py",
    "e2e/test_kinds.py",
    "roles/test_lockout_scenes.py",
    "roles/test_lockout.py",
    "e2e/test_demo_regions.py",
    "roles/test_lockout_killed.py",
    "mutation/test_cloud_weakened.py",
    "roles/test_patch_run.py",
    "roles/test_access_guard.py",
    "e2e/test_vpn_tunnel.py",
    "e2e/test_program_regions.py",
    "e2e/test_openscap.py",
    "e2e/test_machines_lifecycle.py",
    "e2e/test_verify_in_ci.py",
    "roles/test_patching.py",
    "e2e/test_program_host.py",
    "e2e/test_report_readers.py",
    "roles/test_users.py",
    "e2e/test_demo_interrupted.py",
    "roles/test_rollback.py",
    "e2e/test_machines_packets.py",
    "roles/test_own_ground.py",
    "mutation/test_network_options.py",
    "roles/test_audit.py",
)
# Files whose parameter is a thing of its own, made for it alone: each may be done by another worker.
APART = ("e2e/test_kinds.py", "e2e/test_demo_regions.py", "e2e/test_program_regions.py")
# The day on which every stack file of this repository is good: no test turns red because time goes by.
TODAY = "2026-11-22"


def pytest_configure(config: pytest.Config) -> None:
    """Pin the day, for this process and those it starts; a verification of a region goes by the clock."""
    if config.getoption("region", None) is None:
        from settings.calendar import STATED  # noqa: PLC0415

        os.environ[STATED] = TODAY


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first; otherwise the order is that of the command line and of the files."""
    rank = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(LONGEST)))


def unit_of(test: str) -> str:
    """What one worker does from start to end: a file, or of those in `APART` what has one parameter."""
    file, _, name = test.partition("::")
    return f"{file}[{name.partition('[')[2]}" if file.removeprefix("tests/") in APART else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadfile` by our units; any other way, and a verification of a region, is left alone."""
    if config.getoption("dist", None) != "loadfile" or config.getoption("region", None) is not None:
        return None
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # noqa: PLC0415 - optional

    scheduling = LoadFileScheduling(config, log)
    scheduling._split_scope = unit_of
    return scheduling


def require_nodes() -> None:
    """Skip the test, with the reason, where no node can be booted; fail when `CI` says that it must."""
    from twin.machines import obstacle  # noqa: PLC0415

    reason = obstacle()
    if reason is None:
        return
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"CI must be able to boot nodes: {reason}")
    pytest.skip(f"no node can be booted here: {reason}")


def _named(request: pytest.FixtureRequest) -> str:
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[-40:].strip("-")


def _lone(name: str) -> Iterator[Lone]:
    from twin.machines import lone  # noqa: PLC0415

    require_nodes()
    with lone(name) as node:
        yield node


@pytest.fixture
def lone_node(request: pytest.FixtureRequest) -> Iterator[Lone]:
    """A fresh, unhardened node of its own for one test."""
    yield from _lone(_named(request))


@pytest.fixture(scope="module")
def lone_node_module(request: pytest.FixtureRequest) -> Iterator[Lone]:
    """A fresh, unhardened node that the tests of one module share, in their order."""
    yield from _lone(_named(request))
