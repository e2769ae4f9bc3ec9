"""The node suite over a real node: blank, hardened, and hardened with one thing broken at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from report.model import Report, Status
from settings import parse
from twin.machines import Lone, sketch
from twin.machines.scratch import SETTINGS
from twin.play import ansible_environment

ROOT = Path(__file__).resolve().parents[2]
PROVEN = (Status.PASS, Status.FAIL, Status.WAIVED)


@dataclass
class Node:
    """A lone node and the suite as users run it over theirs."""

    lone: Lone
    home: Path

    def verify(self) -> Report:
        """Run tests/nodes over the node; no fault of the run itself is accepted."""
        results = self.home / "results.json"
        argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(ROOT / "tests/nodes")]
        argv += ["--region", str(self.home / "region.json"), "--results", str(results)]
        argv += ["--inventory", str(self.lone.inventory_file)]
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))
        }
        done = subprocess.run(
            argv, cwd=ROOT, env=clean, capture_output=True, text=True, check=False, timeout=300
        )
        assert results.exists(), done.stdout + done.stderr
        report = Report.load(results)
        assert not report.faults, report.faults
        assert done.returncode == report.exit_code()
        return report

    def red(self) -> set[str]:
        """The controls that fail now. A control that cannot be judged is a fault of its test."""
        report = self.verify()
        errors = [f"{r.control}: {r.message}" for r in report.results if r.status is Status.ERROR]
        assert not errors, errors
        return {r.control for r in report.results if r.status is Status.FAIL}


@pytest.fixture(scope="module")
def node(lone_node_module: Lone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that is blank at first; `hardened` hardens it."""
    home = tmp_path_factory.mktemp("node")
    (home / "region.json").write_text(json.dumps(sketch.region(parse(SETTINGS), "lone")))
    yield Node(lone_node_module, home)


@pytest.fixture(scope="module")
def hardened(node: Node) -> Node:
    """The same node after the hardening playbook."""
    argv = [
        sys.executable,
        "-m",
        "ansible",
        "playbook",
        "-i",
        str(node.lone.inventory_file),
        "playbooks/harden.yml",
    ]
    done = subprocess.run(
        argv, cwd=ROOT, env=ansible_environment(), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return node


def _ids(area: str, *numbers: int) -> set[str]:
    return {f"STK-{area}-{number:03d}" for number in numbers}


# What Debian's own image brings: these hold before anything is hardened. All others have to be red then.
DEBIAN_ITSELF = (
    _ids("AUD", 4, 5, 6)
    | _ids("FIL", 1, 2, 3, 5, 6, 7, 8, 10, 11, 13)
    | _ids("KRN", 6, 7, 8, 28, 30)
    | _ids("PAT", 1, 5)
    | _ids("SSH", 19)
    | _ids("SVC", 2, 8, 9, 11)
    | _ids("TIM", 3, 4)
    | _ids("USR", 1, 2, 3, 4, 5, 20, 24)
)


def test_a_blank_node_fails_exactly_what_hardening_brings(node: Node) -> None:
    report = node.verify()
    errors = [f"{r.control}: {r.message}" for r in report.results if r.status is Status.ERROR]
    assert not errors, errors
    proven = {r.control for r in report.results if r.status in PROVEN}
    red = {r.control for r in report.results if r.status is Status.FAIL}
    assert proven - red == DEBIAN_ITSELF


def test_a_hardened_node_is_green(hardened: Node) -> None:
    assert hardened.red() == set()


WEAKNESSES: dict[str, tuple[str, str, set[str]]] = {
    "a kernel parameter changed at run time": (
        "sysctl -w net.ipv4.conf.all.accept_redirects=1",
        "sysctl -w net.ipv4.conf.all.accept_redirects=0",
        _ids("KRN", 1),
    ),
    "the packet filter flushed": (
        "nft flush ruleset",
        "/usr/local/sbin/stockade-firewall load",
        _ids("FWL", 1, *range(3, 15)),
    ),
    "the ssh server's drop-ins gone": (
        "mkdir /root/sshd && mv /etc/ssh/sshd_config.d/*.conf /root/sshd/ && systemctl reload ssh",
        "mv /root/sshd/*.conf /etc/ssh/sshd_config.d/ && systemctl reload ssh",
        _ids("SSH", *range(1, 19)),
    ),
    "a later drop-in lets passwords in again": (
        "echo 'PasswordAuthentication yes' > /etc/ssh/sshd_config.d/00-cloud.conf && systemctl reload ssh",
        "rm /etc/ssh/sshd_config.d/00-cloud.conf && systemctl reload ssh",
        _ids("SSH", 1),
    ),
    "the clock left alone": ("systemctl stop chrony", "systemctl start chrony", _ids("TIM", 1, 2, 3, 4, 5)),
    "a file of accounts that everybody may write": (
        "chmod 0666 /etc/passwd",
        "chmod 0644 /etc/passwd",
        _ids("FIL", 1, 6),
    ),
    "a second account with the rights of root": (
        "echo 'toor:x:0:0::/root:/bin/bash' >> /etc/passwd; echo 'toor:!:20000::::::' >> /etc/shadow",
        "sed -i '/^toor:/d' /etc/passwd /etc/shadow",
        _ids("USR", 1, 3),
    ),
    "a package source that needs no signature": (
        "echo 'deb [trusted=yes] http://203.0.113.9/debian sid main' > /etc/apt/sources.list.d/extra.list",
        "rm /etc/apt/sources.list.d/extra.list",
        _ids("PAT", 2),
    ),
}


@pytest.mark.parametrize("weakness", WEAKNESSES)
def test_a_broken_thing_turns_exactly_its_controls_red(hardened: Node, weakness: str) -> None:
    spoil, repair, expected = WEAKNESSES[weakness]
    done = hardened.lone.sudo(spoil)
    assert done.returncode == 0, done.stderr
    try:
        assert hardened.red() == expected
    finally:
        undone = hardened.lone.sudo(repair)
    assert undone.returncode == 0, undone.stderr


def test_the_repaired_node_is_green_again(hardened: Node) -> None:
    assert hardened.red() == set()
