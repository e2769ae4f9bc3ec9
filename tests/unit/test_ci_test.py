"""What `.ci/test` says last and how it ends, with stand-ins for lint and pytest."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUMMARY = "================= 3631 passed in 2279.01s (0:37:59) ================="


def script(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o755)


def run(tmp_path: Path, *tests: str, lint: int = 0, scans: int = 0) -> tuple[int, list[str]]:
    """The exit code and the lines of a run whose lint, scans and tests end like this."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/test", tmp_path / ".ci/test")
    said = f'[ "$1" = scans ] && {{ echo scanned; exit {scans}; }}'
    # Lint is the last to end, as on a machine where the tests leave it nothing.
    script(tmp_path / ".ci/lint", said, "sleep 0.3", "echo linted", f"exit {lint}")
    script(tmp_path / "build/venv/bin/pytest", *tests)
    done = subprocess.run([tmp_path / ".ci/test"], capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout.splitlines()


def test_green_tests_and_a_green_lint_end_with_the_summary(tmp_path: Path) -> None:
    code, lines = run(tmp_path, f"echo '{SUMMARY}'")
    assert (code, lines) == (0, ["scanned", SUMMARY])


def test_a_red_lint_alone_is_shown_and_red_and_the_summary_still_comes_last(tmp_path: Path) -> None:
    code, lines = run(tmp_path, f"echo '{SUMMARY}'", lint=1)
    assert (code, lines) == (1, ["scanned", SUMMARY, "linted", SUMMARY])


@pytest.mark.parametrize("lint", [0, 1])
def test_red_tests_are_red_by_their_own_code_whatever_lint_says(tmp_path: Path, lint: int) -> None:
    code, lines = run(tmp_path, f"echo '{SUMMARY}'", "exit 3", lint=lint)
    assert (code, lines[-1]) == (3, SUMMARY)


def test_what_an_interpreter_says_behind_the_summary_does_not_come_last(tmp_path: Path) -> None:
    said = (f"echo '{SUMMARY}'", "echo 'sys:1: ResourceWarning: unclosed socket' >&2")
    code, lines = run(tmp_path, *said, lint=1)
    assert (code, lines[-1]) == (1, SUMMARY)


def test_tests_that_were_killed_are_red_though_an_earlier_run_was_green(tmp_path: Path) -> None:
    (tmp_path / "build/log").mkdir(parents=True)
    (tmp_path / "build/log/test.code").write_text("0\n")
    code, _ = run(tmp_path, "kill -9 $PPID")
    assert code != 0


def test_red_scans_are_red_and_no_test_is_run(tmp_path: Path) -> None:
    code, lines = run(tmp_path, f"echo '{SUMMARY}'", scans=1)
    assert (code, lines) == (1, ["scanned"])
