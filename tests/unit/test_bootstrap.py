"""The installer's one line when something cannot be installed, and that it leaves nothing behind."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("bootstrap", "requirements.lock", "installer.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "stand-ins").mkdir()
    return tmp_path


def stand_in(checkout: Path, name: str, script: str) -> None:
    path = checkout / "stand-ins" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def bootstrap(checkout: Path, *parts: str) -> subprocess.CompletedProcess[str]:
    path = f"{checkout / 'stand-ins'}:{os.environ['PATH']}"
    return subprocess.run(
        [checkout / "bootstrap", *parts],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_package_registry_that_does_not_answer_is_one_line_and_exit_2(checkout: Path) -> None:
    stand_in(checkout, "id", "echo 0")
    stand_in(checkout, "dpkg-query", "exit 1")
    stand_in(checkout, "apt-get", "echo 'could not resolve' ; exit 100")
    policy_before = Path("/usr/sbin/policy-rc.d").exists()
    done = bootstrap(checkout, "machine")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "registry must answer" in line
    assert "mmdebstrap" in line
    assert "build/log/apt.log" in line
    assert "could not resolve" in (checkout / "build/log/apt.log").read_text()
    assert Path("/usr/sbin/policy-rc.d").exists() == policy_before


def test_without_root_the_missing_packages_are_named_and_the_rest_goes_on(checkout: Path) -> None:
    stand_in(checkout, "id", "echo 1000")
    stand_in(checkout, "dpkg-query", "exit 1")
    stand_in(checkout, "apt-get", "touch called; exit 100")
    done = bootstrap(checkout, "machine")
    assert done.returncode == 0
    assert "not root" in done.stdout
    assert "systemd-container" in done.stdout
    assert not (checkout / "called").exists()


def test_python_packages_that_cannot_be_fetched_leave_no_environment_that_looks_done(checkout: Path) -> None:
    wanted = "no-such-package-of-stockade==1 --hash=sha256:"
    (checkout / "installer.lock").write_text(f"{wanted}{'0' * 64}\n")
    stand_in(checkout, "uv", "exit 1")
    offline = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_NO_INDEX": "1"}
    done = subprocess.run(
        [checkout / "bootstrap", "python"],
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "registry must answer" in done.stderr
    assert not (checkout / "build/venv/.locked").exists()


def test_an_unknown_part_is_refused(checkout: Path) -> None:
    done = bootstrap(checkout, "nodes")
    assert done.returncode == 2
    assert "unknown part 'nodes'" in done.stderr
