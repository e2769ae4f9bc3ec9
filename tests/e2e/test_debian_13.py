"""Debian 13: the whole playbook, an unchanged second run, the whole suite, a reboot, and the suite again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require_nodes
from tests.suite_run import harden, judged, red
from twin.machines import Lone, lone


@pytest.fixture(scope="module")
def node() -> Iterator[Lone]:
    require_nodes()
    with lone("debian-13", release="trixie") as made:
        yield made


def faults(node: Lone, home: Path) -> dict[tuple[str, str], str]:
    """What the suite finds wrong with the node."""
    return red(judged(node.inventory_file, home, node.machines.region))


def test_it_is_debian_13_and_is_hardened_once(node: Lone) -> None:
    assert "VERSION_CODENAME=trixie" in node.ssh("cat /etc/os-release").stdout
    harden(node.inventory_file)
    assert harden(node.inventory_file).changed == {node.name: 0}


def test_the_whole_suite_is_green_also_after_a_reboot(node: Lone, tmp_path: Path) -> None:
    assert faults(node, tmp_path) == {}
    node.reboot()
    assert node.sudo("systemctl list-units --failed --no-legend").stdout.strip() == ""
    assert faults(node, tmp_path) == {}
