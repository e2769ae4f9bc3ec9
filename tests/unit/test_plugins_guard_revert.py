"""The way back when things go wrong on it: power cuts at any write, full disks, clocks, accounts."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_plugins_guard import accounts, files, generations, guard_module

CONFIG, SUDOERS = "etc/ssh/sshd_config", "etc/sudoers.d/90-image"


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    for path, text in ((CONFIG, "Include x\n"), (SUDOERS, "image\n"), ("etc/pam.d/sshd", "auth\n")):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture
def guard(tree, tmp_path, monkeypatch):
    """A guard over a scratch tree whose systemd always says yes."""
    monkeypatch.setattr(files, "run", lambda *_a, **_k: (0, ""))
    return guard_module.Guard(home=str(tmp_path / "home"), root=str(tree))


def contents(tree):
    return {str(p.relative_to(tree)): p.read_text() for p in sorted(tree.rglob("*")) if p.is_file()}


def change(guard, tree):
    """What a guarded change does to the node, each write on its own."""
    number = guard.snapshot("test", [])
    guard.arm(number, "test", 60)
    for path, text in ((CONFIG, "broken\n"), (SUDOERS, "broken\n"), ("etc/pam.d/50-stockade", "new\n")):
        files.put_file(str(tree / path), text.encode(), 0o600, os.getuid(), os.getgid())


class PowerCut(BaseException):
    """Nothing catches it, as nothing does anything without power."""


@pytest.mark.parametrize("step", range(1, 28))
def test_power_may_go_at_any_write_to_the_disk(guard, tree, monkeypatch, step):
    """Every fsync, rename and unlink of a change is a place to die; the boot brings the node back."""
    before, left = contents(tree), [step]

    def dying(real):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                raise PowerCut
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patched:
        for name in ("fsync", "replace", "unlink"):
            patched.setattr(os, name, dying(getattr(os, name)))
        with contextlib.suppress(PowerCut):
            change(guard, tree)
    guard_module.Guard(guard.home, guard.root).revert("the node restarted", activate=False)
    after = {
        path: text for path, text in contents(tree).items() if not path.endswith((".stockade~", "ballast"))
    }
    assert after == before
    assert guard.pending() is None


def test_a_full_disk_gives_up_its_ballast_and_rewrites_in_place(guard, tree, monkeypatch):
    change(guard, tree)
    assert (Path(guard.home) / "ballast").stat().st_size == guard_module.BALLAST

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "put_file", full)
    assert guard.revert("no proof came") is not None
    assert (tree / CONFIG).read_text() == "Include x\n"
    assert (tree / SUDOERS).read_text() == "image\n"


def test_a_file_that_is_gone_comes_back_into_the_room_that_was_set_aside(guard, tree, monkeypatch):
    change(guard, tree)
    (tree / SUDOERS).unlink()
    real, ballast = files.put_file, Path(guard.home) / "ballast"

    def full(*arguments):
        if ballast.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*arguments)

    monkeypatch.setattr(files, "put_file", full)
    guard.revert("no proof came")
    assert (tree / SUDOERS).read_text() == "image\n"


def test_one_file_that_cannot_be_written_keeps_none_of_the_others_back(guard, tree, monkeypatch):
    change(guard, tree)
    real = files.put_file

    def stubborn(path, *rest):
        if path.endswith("sshd_config"):
            raise OSError(errno.EROFS, "Read-only file system")
        real(path, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(files, "put_file", stubborn)
        with pytest.raises(guard_module.GuardError, match="sshd_config: Read-only file system"):
            guard.revert("no proof came")
    assert (tree / SUDOERS).read_text() == "image\n"
    assert guard.pending() is not None, "what is not back yet is tried again"
    guard.revert("again")
    assert (tree / CONFIG).read_text() == "Include x\n"
    assert guard.pending() is None


@pytest.mark.parametrize("shift", [-86400, 86400])
def test_a_clock_that_is_set_shifts_no_deadline(guard, tree, monkeypatch, shift):
    change(guard, tree)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + shift)
    assert not guard.overdue(guard.pending())
    monkeypatch.setattr(guard_module, "uptime", lambda: time.clock_gettime(time.CLOCK_BOOTTIME) + 61)
    assert guard.overdue(guard.pending())


def test_a_change_of_an_earlier_boot_is_overdue(guard, tree, monkeypatch):
    change(guard, tree)
    monkeypatch.setattr(guard_module, "boot_id", lambda: "another")
    assert guard.overdue(guard.pending())


def test_the_watch_reverts_what_nobody_else_did_and_tries_until_it_works(guard, tree, monkeypatch):
    change(guard, tree)
    monkeypatch.setattr(guard_module, "boot_id", lambda: "another")
    real, failures = guard.revert, [1, 1]

    def revert(why):
        if failures:
            failures.pop()
            raise guard_module.GuardError("not yet")
        return real(why)

    monkeypatch.setattr(guard, "revert", revert)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    guard.watch()
    assert (tree / CONFIG).read_text() == "Include x\n"


@pytest.mark.parametrize(("there_before", "stays"), [(False, False), (True, True)])
def test_a_door_that_was_shut_meanwhile_is_opened_again(guard, tree, there_before, stays):
    door = tree / "etc/nologin"
    if there_before:
        door.touch()
    number = guard.snapshot("test", [])
    door.touch()
    guard.restore(number)
    assert door.exists() is stays


@pytest.mark.parametrize(
    ("attribute", "words"), [("f_bfree", "MB free below"), ("f_ffree", "inodes free below")]
)
def test_no_change_begins_without_room_for_the_way_back(guard, monkeypatch, attribute, words):
    guard.prepare()
    room = {"f_bfree": 10**9, "f_frsize": 4096, "f_files": 10**6, "f_ffree": 10**6, attribute: 1}
    monkeypatch.setattr(os, "statvfs", lambda _path: type("Room", (), room))
    with pytest.raises(guard_module.GuardError, match=words):
        guard.check_room()


FACTS: dict[str, Any] = {
    "shell": "/bin/bash", "locked": True, "groups": ["ssh-users"], "files": {},
    "ageing": {"last": "20000", "min": "", "max": "", "warn": "", "inactive": "", "expires": ""},
}  # fmt: skip


def aged(**fields):
    return {**FACTS, "ageing": {**FACTS["ageing"], **fields}}


@pytest.mark.parametrize(
    ("now", "command"),
    [
        ({**FACTS, "shell": "/nowhere"}, ("usermod", "-s", "/bin/bash", "admin")),
        ({**FACTS, "groups": []}, ("usermod", "-G", "ssh-users", "admin")),
        ({**FACTS, "locked": False}, ("usermod", "-L", "admin")),
        (aged(expires="1"), ("chage", "-E", "-1", "admin")),
        (aged(last="0"), ("chage", "-d", "20000", "admin")),
        (aged(last="20100"), None),
        (FACTS, None),
    ],
)
def test_an_account_comes_back_as_it_was(now, command):
    todo = [action for _, action in accounts.steps({"admin": FACTS}, {"admin": now})]
    assert todo == ([command] if command else [])


def test_whoever_has_left_stays_out_of_a_rollback_and_not_of_a_revert():
    left = {**aged(expires="1"), "shell": accounts.NOLOGIN, "groups": []}
    assert accounts.steps({"sam": FACTS}, {"sam": left}, {"sam"}, reopen=False) == []
    assert len(accounts.steps({"sam": FACTS}, {"sam": left}, {"sam"}, reopen=True)) == 3


def test_an_account_that_came_since_is_closed_when_it_is_ours_and_left_alone_otherwise():
    assert [what for what, _ in accounts.steps({}, {"sam": FACTS}, {"sam"})] == ["account sam is closed"]
    assert accounts.steps({}, {"postgres": FACTS}, {"sam"}) == []


def test_keys_are_not_written_through_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".ssh").symlink_to("elsewhere")
    step = ("keys", (str(tmp_path / ".ssh/authorized_keys"), 0o600, os.getuid(), os.getgid(), "key\n"))
    assert "a link stands in the way" in accounts.take(step)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_generation_that_is_damaged_below_its_name_is_no_silent_success(guard, tree):
    number = guard.snapshot("test", [])
    (Path(guard.generations) / str(number) / "files.tar").write_bytes(b"torn")
    (tree / CONFIG).write_text("broken\n")
    with pytest.raises(generations.tarfile.TarError):
        guard.restore(number)
