"""Debian 13: the whole playbook, an unchanged second run, the whole suite, a reboot, and the suite again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from report.model import Report, Status
from tests.conftest import require_nodes
from twin.machines import Lone, lone
from twin.machines.scratch import contract
from twin.play import ansible_environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def node() -> Iterator[Lone]:
    require_nodes()
    with lone("debian-13", release="trixie") as made:
        yield made


def play(node: Lone) -> str:
    """Run the hardening playbook; what Ansible counted."""
    argv = [sys.executable, "-m", "ansible", "playbook", "-i", str(node.inventory_file)]
    done = subprocess.run(
        [*argv, "playbooks/harden.yml"],
        cwd=ROOT,
        env=ansible_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout.rsplit("PLAY RECAP", 1)[1]


def red(node: Lone, home: Path) -> dict[str, str]:
    """What the suite finds wrong with the node, by control."""
    (home / "region.json").write_text(json.dumps(contract(release="trixie")))
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(ROOT / "tests/nodes")]
    argv += ["--region", str(home / "region.json"), "--results", str(home / "results.json")]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*argv, "--inventory", str(node.inventory_file)],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (home / "results.json").exists(), done.stdout + done.stderr
    report = Report.load(home / "results.json")
    assert not report.faults, report.faults
    return {r.control: r.message for r in report.results if r.status in (Status.FAIL, Status.ERROR)}


def test_it_is_debian_13_and_is_hardened_once(node: Lone) -> None:
    assert "VERSION_CODENAME=trixie" in node.ssh("cat /etc/os-release").stdout
    play(node)
    assert "changed=0 " in play(node)


def test_the_whole_suite_is_green_also_after_a_reboot(node: Lone, tmp_path: Path) -> None:
    assert red(node, tmp_path) == {}
    node.reboot()
    assert node.sudo("systemctl list-units --failed --no-legend").stdout.strip() == ""
    assert red(node, tmp_path) == {}
