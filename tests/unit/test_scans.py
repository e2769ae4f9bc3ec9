"""Scans: a record holds for its own files only; what was not looked up is not clean; exceptions count."""

from __future__ import annotations

import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from fault import Fault
from scans import exceptions, tools
from scans.exceptions import Allowed, left
from scans.record import RECORD, Outcome, Record, fingerprint, judge

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 11, 22)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "code.py").write_text("1\n")
    subprocess.run(["git", "-C", str(tmp_path), "add", "code.py"], check=True)
    return tmp_path


def record(root: Path, status: str = "clean", made: datetime | None = None) -> None:
    outcome = Outcome.model_validate({"scan": "s", "tool": "t", "status": status, "findings": ("it",)})
    whole = Record(
        made=made or datetime(2026, 11, 20, tzinfo=UTC), files=fingerprint(root), outcomes=(outcome,)
    )
    (root / RECORD).parent.mkdir(parents=True)
    (root / RECORD).write_text(whole.model_dump_json(by_alias=True))


def test_a_clean_record_of_these_files_proves_them(checkout: Path) -> None:
    record(checkout)
    assert judge(checkout, 7, DAY).complaint == ""


def test_a_changed_file_makes_the_record_speak_of_others(checkout: Path) -> None:
    record(checkout)
    (checkout / "code.py").write_text("2\n")
    found = judge(checkout, 7, DAY)
    assert "speaks of other files" in found.complaint and found.absent


@pytest.mark.parametrize("status", ["found", "unknown"])
def test_only_clean_is_clean(checkout: Path, status: str) -> None:
    record(checkout, status)
    found = judge(checkout, 7, DAY)
    assert found.complaint == f"s: {status}, it"
    # Only what was not looked at may be not applicable against an emulated account; a finding never is.
    assert found.absent == (found.complaint if status == "unknown" else "")


@pytest.mark.parametrize("day", [date(2026, 11, 28), date(2026, 11, 19)])
def test_an_old_record_and_one_from_tomorrow_are_none(checkout: Path, day: date) -> None:
    record(checkout)
    assert "days old" in judge(checkout, 7, day).complaint


def test_a_missing_or_broken_record_is_told(checkout: Path) -> None:
    assert "is missing" in judge(checkout, 7, DAY).complaint
    (checkout / RECORD).parent.mkdir(parents=True)
    (checkout / RECORD).write_text("{}")
    found = judge(checkout, 7, DAY)
    assert "is no record" in found.complaint and not found.absent


def test_an_exception_that_nothing_needs_is_an_error() -> None:
    rules = [
        Allowed(finding="B1", path="a/*.py", why="a reason that holds"),
        Allowed(finding="B2", path="b.py", why="a reason that held"),
    ]
    assert left([("B1", "a/x.py", 3), ("B1", "c.py", 4)], rules) == [
        "c.py:4: B1",
        "scans/exceptions.yaml: nothing needs B2 in b.py",
    ]


def test_skipped_packages_are_no_answer() -> None:
    skipped: list[dict[str, Any]] = [
        {"name": "a", "skip_reason": "Dependency not found"},
        {"name": "b", "version": "1", "vulns": []},
    ]
    assert tools._advised(skipped) == (
        "unknown",
        ["1 of 2 packages could not be looked up at the index in use"],
    )
    assert tools._advised([])[0] == "unknown"
    assert tools._advised([{"name": "b", "version": "1", "vulns": []}]) == ("clean", [])
    flawed = [*skipped, {"name": "c", "version": "2", "vulns": [{"id": "CVE-1"}]}]
    assert tools._advised(flawed) == ("found", ["c 2: CVE-1"])


def test_a_tool_that_is_missing_is_not_clean(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "run").write_text("#!/bin/sh\necho\n")
    subprocess.run(["git", "-C", str(checkout), "add", "run"], check=True)
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert tools.run("shell", checkout, checkout).status == "unknown"


def test_a_pitfall_of_the_shell_is_found(checkout: Path) -> None:
    (checkout / "run").write_text('#!/bin/sh\nrm -r $1/"x"\n')
    subprocess.run(["git", "-C", str(checkout), "add", "run"], check=True)
    found = tools.run("shell", checkout, checkout)
    assert found.status == "found" and "SC2086" in found.findings[0]


def test_the_exceptions_that_ship_are_read_and_a_wrong_file_is_one_line(tmp_path: Path) -> None:
    assert exceptions.load(ROOT).licences.allowed
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "exceptions.yaml").write_text("python: []\n")
    with pytest.raises(Fault, match=r"scans/exceptions.yaml"):
        exceptions.load(tmp_path)


def prepared(root: Path, **files: str) -> None:
    """A checkout with these tracked files and what the scans read: no exception, no known finding."""
    (root / "scans").mkdir()
    rules = "python: []\nsecrets: []\nlicences: {allowed: [MIT], single: {}}\n"
    (root / "scans" / "exceptions.yaml").write_text(rules)
    (root / ".secrets.baseline").write_text('{"results": {}}')
    (root / "pyproject.toml").write_text("[tool.bandit]\nskips = []\n")
    for name, text in files.items():
        (root / f"{name}.py").write_text(text)
    subprocess.run(["git", "-C", str(root), "add", "-A"], check=True)


def test_a_secret_that_nobody_explained_is_found(checkout: Path) -> None:
    prepared(checkout, keys='ID = "' + "AKIA" + "IOSFODNN7" + 'QXRMPLZ"\n')
    found = tools.run("secrets", checkout, checkout)
    assert found.status == "found"
    assert "keys.py: AWS Access Key, not in .secrets.baseline" in found.findings
    assert "IOSFODNN7" not in found.model_dump_json()
    (checkout / "keys.py").write_text("ID = 1\n")
    assert tools.run("secrets", checkout, checkout).status == "clean"


def test_unsafe_python_is_found_outside_of_the_tests_only(checkout: Path) -> None:
    prepared(checkout, unsafe="import pickle\npickle.loads(b'')\n")
    found = tools.run("python", checkout, checkout)
    assert found.status == "found" and any("unsafe.py" in line and "B301" in line for line in found.findings)
    (checkout / "tests").mkdir()
    (checkout / "unsafe.py").rename(checkout / "tests" / "unsafe.py")
    subprocess.run(["git", "-C", str(checkout), "add", "-A"], check=True)
    assert tools.run("python", checkout, checkout).status == "clean"


def test_a_licence_that_is_not_allowed_and_a_stale_page_are_found(checkout: Path) -> None:
    prepared(checkout)
    (checkout / "requirements.lock").write_text("pytest==1\ncertifi==1\n")
    found = tools.run("licences", checkout, checkout)
    assert found.status == "found"
    assert any(line.startswith("certifi ") and "is not allowed" in line for line in found.findings)
    assert not any(line.startswith("pytest ") for line in found.findings)
    assert "docs/generated/licences.md is stale: python -m scans write" in found.findings
