"""The ledger: what was started can always be ended, and nothing else ever is. Needs no root."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fault import Fault
from twin.ledger import TOKEN, Ledger, begun, prefix, token_of
from twin.sweeping import remains, sweep

SLEEP = [sys.executable, "-c", "import time; time.sleep(900)"]
STUBBORN = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(900)"]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    book = Ledger(tmp_path / "home")
    yield book
    sweep(book)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """Somebody else's process, which no sweep may touch."""
    process = subprocess.Popen(SLEEP)
    yield process
    process.kill()
    process.wait()


def test_an_entry_is_on_disk_before_the_process_exists(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def popen(*_args: object, **_more: object) -> None:
        seen.append(ledger.path.read_text())
        raise RuntimeError("stopped here")

    monkeypatch.setattr("twin.ledger.Outliving", popen)
    with pytest.raises(RuntimeError):
        ledger.spawn("service", SLEEP)
    assert '"name": "service"' in seen[0]
    assert f'"token": "{ledger.prefix}:service:' in seen[0]


def test_sweep_ends_what_was_spawned_and_a_second_sweep_finds_nothing(ledger: Ledger) -> None:
    process = ledger.spawn("service", SLEEP, grace=60)
    assert ledger.running("service") is not None
    assert sweep(ledger) == ["process service"]
    assert process.wait(60) == -signal.SIGTERM
    assert sweep(ledger) == []
    assert not ledger.path.exists()


def test_a_process_that_ignores_the_polite_signal_is_killed(ledger: Ledger) -> None:
    process = ledger.spawn("service", STUBBORN, grace=0.3)
    deadline = time.monotonic() + 120
    while not _ignores_the_polite_signal(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    sweep(ledger)
    assert process.wait(60) == -signal.SIGKILL


def test_a_process_started_just_before_its_pid_was_recorded_is_found(ledger: Ledger) -> None:
    token = ledger.token("service")
    ledger.record("process", "service", token=token, grace=0)
    process = subprocess.Popen(SLEEP, env={**os.environ, TOKEN: token})
    assert sweep(ledger) == ["process service"]
    assert process.wait(60) == -signal.SIGKILL


def test_children_of_a_spawned_process_are_ended_with_it(ledger: Ledger) -> None:
    script = f"import subprocess, sys; subprocess.run({SLEEP!r})"
    parent = ledger.spawn("service", [sys.executable, "-c", script])
    deadline = time.monotonic() + 120
    while len(ours := _carriers(ledger)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(ours) == 2
    sweep(ledger)
    assert _carriers(ledger) == []
    parent.wait(60)


def test_a_reused_pid_is_nobody_we_know(ledger: Ledger, bystander: subprocess.Popen[bytes]) -> None:
    started = begun(bystander.pid)
    for claimed in (started, started - 5):
        facts = {"token": ledger.token("service"), "pid": bystander.pid, "start_time": claimed, "grace": 0}
        ledger.record("process", "service", **facts)
        assert ledger.running("service") is None
    assert sweep(ledger) == []
    assert bystander.poll() is None


def test_another_home_is_left_alone(ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "other")
    process = other.spawn("service", SLEEP)
    sweep(ledger)
    assert process.poll() is None
    sweep(other)
    assert process.wait(60) is not None


def test_a_torn_last_line_hides_neither_what_was_before_nor_what_comes_after(ledger: Ledger) -> None:
    ledger.record("path", str(ledger.home / "a"))
    with ledger.path.open("a") as file:
        file.write('{"kind": "path", "na')
    ledger.record("path", str(ledger.home / "b"))
    assert [Path(entry.name).name for entry in ledger.entries()] == ["a", "b"]


def test_paths_in_the_home_go_and_any_other_path_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    inside, outside = ledger.home / "disk", tmp_path / "precious"
    (inside / "deep").mkdir(parents=True)
    outside.write_text("mine")
    ledger.record("path", str(inside))
    assert sweep(ledger) == [f"path {inside}"]
    for name in (str(outside), f"{ledger.home}/../precious", str(ledger.home), "/run"):
        ledger.record("path", name)
        with pytest.raises(Fault, match="still there"):
            sweep(ledger)
        assert outside.read_text() == "mine"
        ledger.path.unlink()


def test_what_is_left_is_named(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    process = ledger.spawn("service", SLEEP, grace=0)
    monkeypatch.setattr("twin.sweeping.PATIENCE", 0.0)
    monkeypatch.setattr(psutil.Process, "kill", lambda _self: None)
    with pytest.raises(Fault, match=f"process {process.pid}"):
        sweep(ledger)
    assert ledger.path.exists(), "the ledger stays until everything is gone"
    monkeypatch.undo()
    sweep(ledger)
    process.wait(60)
    assert remains(ledger) == []


def test_the_shared_thing_ends_with_its_last_lease(tmp_path: Path) -> None:
    shared = Ledger(tmp_path / "shared")
    process = shared.spawn("cache", SLEEP)
    users = [Ledger(tmp_path / name) for name in ("one", "two")]
    for user in users:
        lease = shared.home / "leases" / user.prefix
        user.record("lease", str(lease))
        lease.parent.mkdir(exist_ok=True)
        lease.write_text(f"{user.path}\n")
    sweep(users[0])
    assert process.poll() is None
    sweep(users[1])
    assert process.wait(60) is not None


def test_a_lease_of_a_home_that_is_gone_keeps_nothing_alive(tmp_path: Path) -> None:
    shared, user = Ledger(tmp_path / "shared"), Ledger(tmp_path / "one")
    process = shared.spawn("cache", SLEEP)
    (shared.home / "leases").mkdir()
    (shared.home / "leases" / "stk-dead").write_text(f"{tmp_path / 'gone' / 'ledger.jsonl'}\n")
    user.record("lease", str(shared.home / "leases" / user.prefix))
    sweep(user)
    assert process.wait(60) is not None


def test_names_follow_from_the_home_and_fit_an_interface(tmp_path: Path) -> None:
    assert prefix(tmp_path) == prefix(tmp_path) != prefix(tmp_path / "other")
    assert len(prefix(tmp_path)) == len("stk-00000000")


def _ignores_the_polite_signal(pid: int) -> bool:
    ignored = Path(f"/proc/{pid}/status").read_text().partition("SigIgn:")[2].split()[0]
    return bool(int(ignored, 16) >> (signal.SIGTERM - 1) & 1)


def _carriers(ledger: Ledger) -> list[int]:
    return [p for p in psutil.pids() if (token_of(p) or "").startswith(ledger.prefix) and not _dead(p)]


def _dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True
