"""A run that was forked is the run that a process of its own would have been, and is never a stale one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests import forked
from twin.play import ansible_environment

# Its number, as a look-up sees it, which is done by a worker of its own.
RUN = "ps -o ppid= $PPID"
ENVIRONMENT = {**ansible_environment(), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_STRATEGY": "linear"}
FILTER = "class FilterModule:\n    def filters(self):\n        return {{'now': lambda _: '{said}'}}\n"


def book(folder: Path, *tasks: dict[str, object]) -> list[str]:
    """Arguments that play these tasks for a host that nobody connects to."""
    inventory, path = folder / "hosts.yml", folder / "book.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {"here": {}}}}))
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    return ["playbook", "-i", str(inventory), str(path)]


def said(text: str) -> dict[str, object]:
    return {"debug": {"msg": text}}


def endless(folder: Path) -> dict[str, object]:
    """Leaves the run's number in `pid`, and goes on."""
    return said(
        f"{{{{ lookup('pipe', '{RUN} > {folder}/part; mv {folder}/part {folder}/pid; sleep 600') }}}}"
    )


@pytest.fixture(autouse=True)
def forked_indeed(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many environments other tests of this process have asked for."""
    monkeypatch.setattr(forked, "MOST", 99)


def forked_run(folder: Path, arguments: list[str], timeout: float = 600, **more: str):
    return forked.python("ansible", *arguments, cwd=folder, env={**ENVIRONMENT, **more}, timeout=timeout)


@contextmanager
def going(folder: Path, *tasks: dict[str, object]) -> Iterator[forked.Going | subprocess.Popen[bytes]]:
    with (
        (folder / "log").open("w") as log,
        forked.going(*book(folder, *tasks), cwd=folder, env=ENVIRONMENT, log=log) as process,
    ):
        yield process


def test_it_ends_and_speaks_as_a_process_of_its_own(tmp_path: Path) -> None:
    good = book(tmp_path, said("{{ 6 * 7 }}"))
    (bad := tmp_path / "bad").mkdir()
    for arguments, code in (
        (good, 0),
        (book(bad, {"fail": {"msg": "on purpose"}}), 2),
        (["playbook", "--no-such-option"], 2),
    ):
        ours = forked_run(tmp_path, arguments)
        argv = [sys.executable, "-m", "ansible", *arguments]
        theirs = subprocess.run(
            argv, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False
        )
        assert ours.returncode == theirs.returncode == code, ours
        assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr)


def test_each_run_has_its_own_environment_directory_and_plugins(tmp_path: Path) -> None:
    """Nothing of ours is imported beforehand: what changed between two runs is what the second one takes."""
    (plugins := tmp_path / "filter_plugins").mkdir()
    asked = book(tmp_path, said("{{ lookup('env', 'WORD') }} {{ '' | now }}"))
    for word in ("first", "second"):
        (plugins / "now.py").write_text(FILTER.format(said=f"filter-{word}"))
        done = forked_run(tmp_path, asked, WORD=word)
        assert f"msg: {word} filter-{word}\n" in done.stdout, done.stdout + done.stderr


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    started = time.monotonic()
    for seconds in (8, 60, 400):  # until it got so far, on a machine however busy
        with pytest.raises(subprocess.TimeoutExpired):
            forked_run(tmp_path, book(tmp_path, endless(tmp_path)), timeout=seconds)
        if (tmp_path / "pid").exists():
            break
    assert time.monotonic() - started < 580
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_one_that_kills_itself_says_by_which_signal(tmp_path: Path) -> None:
    fatal = said(f"{{{{ lookup('pipe', 'kill -9 $({RUN}); sleep 1') }}}}")
    assert forked_run(tmp_path, book(tmp_path, fatal)).returncode == -9


def test_one_that_goes_on_leads_a_group_of_its_own_and_ends_with_its_test(tmp_path: Path) -> None:
    with going(tmp_path, endless(tmp_path)) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        deadline = time.monotonic() + 600
        while not (tmp_path / "pid").exists():
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.05)
        assert os.getpgid(process.pid) == process.pid == int((tmp_path / "pid").read_text())
    assert process.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 120
    while psutil.pid_exists(process.pid):
        assert time.monotonic() < deadline, "nobody waited for it"
        time.sleep(0.05)


def test_one_that_ends_its_group_ends_nothing_else(tmp_path: Path) -> None:
    fatal = said(f"{{{{ lookup('pipe', 'kill -9 -$(echo $({RUN})); sleep 1') }}}}")
    with going(tmp_path, fatal) as process:
        assert process.wait(600) == -signal.SIGKILL
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE, (
            "its number could be another's now"
        )
    assert forked_run(tmp_path, book(tmp_path, said("still here"))).returncode == 0
