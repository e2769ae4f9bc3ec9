"""Ends are judged by the day it is: tests state theirs, whatever touches a real account may not."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import settings
from fault import Fault
from settings import calendar
from tests.conftest import TODAY
from verify.account import Account
from verify.evidence import Recorder

ROOT = Path(__file__).resolve().parents[2]
STACKS = sorted(path.name[7:-5] for path in ROOT.glob("Pulumi.*.yaml"))


def test_tests_have_a_day_of_their_own() -> None:
    assert calendar.today().isoformat() == os.environ[calendar.STATED] == TODAY


def test_without_it_the_clock_says_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(calendar.STATED)
    before = datetime.now(UTC).date()
    assert before <= calendar.today() <= datetime.now(UTC).date()


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_file_ends_some_day(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(calendar.STATED, "2028-01-01")
    with pytest.raises(settings.SettingsError) as caught:
        settings.load(stack, ROOT)
    over = {problem.key for problem in caught.value.problems if problem.value < "2028"}
    assert "access.teams.break-glass.until" in over


def test_a_command_goes_by_the_day_as_well() -> None:
    env = {**os.environ, calendar.STATED: "2028-01-01"}
    command = [sys.executable, "-m", "settings", "check", "in-mumbai"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "customers.acme-bank.sources.head-office.until" in done.stderr + done.stdout


def test_a_day_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(calendar.STATED, "tomorrow")
    with pytest.raises(Fault, match="STOCKADE_TODAY=tomorrow; a day is written"):
        calendar.today()


def test_a_real_account_is_not_verified_on_a_stated_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(Fault, match="a real account goes by the clock"):
        Account("ap-south-1", Recorder())


def test_pulumis_own_engine_is_not_given_a_stated_day() -> None:
    program = "import runpy; runpy.run_path('__main__.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode != 0
    assert "a real account goes by the clock" in done.stderr
