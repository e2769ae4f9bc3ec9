"""Procedures in the suite as users run it: green with records in time, red when stale, missing or altered."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from report.model import Report, Status
from tests import forked

ROOT = Path(__file__).resolve().parents[2]
RECORDED = {"STK-PRC-001", "STK-PRC-003"}
EMULATED = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}


def judged(home: Path, procedures: bool, today: str, env: dict[str, str] | None = None) -> dict[str, Status]:
    """Control → status of `pytest tests/procedures` over a copy of the catalogue with the example records."""
    if not (home / "controls").exists():
        shutil.copytree(ROOT / "controls" / "catalogue", home / "controls" / "catalogue")
        shutil.copytree(ROOT / "docs" / "examples" / "procedures", home / "records")
        subprocess.run(["git", "init", "-q", str(home)], check=True)
    node = {"name": "a-1", "role": "app", "address": "192.0.2.1"}
    contract: dict[str, object] = {
        "schema": "stockade/region/1",
        "stack": "t",
        "region": "r",
        "account": "1",
        "nodes": [node],
    }
    contract |= {"vpcs": {}} | ({"procedures": "records"} if procedures else {})
    (home / "region.json").write_text(json.dumps(contract))
    words = ["-q", "-p", "no:cacheprovider", "tests/procedures"]
    words += [
        "--region",
        str(home / "region.json"),
        "--controls",
        str(home),
        "--results",
        str(home / "r.json"),
    ]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTEST_"))}
    variables = {**clean, **(env or {}), "STOCKADE_TODAY": today}
    done = forked.python("pytest", *words, cwd=ROOT, env=variables, timeout=1200)
    assert (home / "r.json").exists(), done.stdout + done.stderr
    report = Report.load(home / "r.json")
    assert not report.faults, report.faults
    assert {s.kind for s in report.subjects} == {"procedure"}
    return {result.control: result.status for result in report.results}


def red(found: dict[str, Status]) -> set[str]:
    return {control for control, status in found.items() if status is not Status.PASS}


def test_records_in_time_are_green_and_each_weakness_turns_its_control_red(tmp_path: Path) -> None:
    every = set(judged(tmp_path, True, "2026-11-22"))
    owed = every - RECORDED
    assert red(judged(tmp_path, True, "2026-11-22")) == owed  # what nobody recorded is owed
    assert red(judged(tmp_path, True, "2027-03-01")) == owed | {"STK-PRC-003"}  # stale after 180 days
    document = tmp_path / "records" / "provider-attestations-2026-06-01.txt"
    before = document.read_bytes()
    document.write_bytes(before + b"and more\n")
    assert red(judged(tmp_path, True, "2026-11-22")) == owed | {"STK-PRC-001"}
    document.write_bytes(before)
    for name, control in (
        (document.stem, "STK-PRC-001"),
        ("third-party-assessment-2026-08-15", "STK-PRC-003"),
    ):
        record = tmp_path / "records" / f"{name}.yaml"
        whole = record.read_text()
        record.write_text(whole.replace("2027-09-30", "2026-11-21").replace("2027-01-31", "2026-11-21"))
        assert red(judged(tmp_path, True, "2026-11-22")) == owed | {control}  # ran out; open past its day
        record.write_text(whole)
    (tmp_path / "records" / "third-party-assessment-2026-08-15.yaml").unlink()
    assert red(judged(tmp_path, True, "2026-11-22")) == owed | {"STK-PRC-003"}


@pytest.mark.parametrize(
    ("env", "status"),
    [
        (EMULATED, Status.NOT_APPLICABLE),
        ({}, Status.FAIL),
        ({"AWS_ENDPOINT_URL": "https://s3.example"}, Status.FAIL),
    ],
)
def test_without_records_only_an_emulated_account_is_spared(
    tmp_path: Path, env: dict[str, str], status: Status
) -> None:
    assert set(judged(tmp_path, False, "2026-11-22", env).values()) == {status}
