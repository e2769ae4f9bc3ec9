"""The strategy `ahead`: a play looks as with `linear`, and stops where `linear` stops."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from twin.play import ansible_environment

ROOT = Path(__file__).resolve().parents[2]
# Hosts with one interpreter share one process of mitogen's, which does one thing at a time.
HOSTS = {
    f"h{n}": {
        "ansible_connection": "local",
        "number": n,
        "ansible_python_interpreter": f"{{{{ home }}}}/python{n}",
    }
    for n in (1, 2)
}


def command(home: Path, tasks: list[dict[str, Any]], **play: Any) -> list[str]:
    """The command of a play over two hosts that are this machine; `home` is the variable of that name."""
    (home / "inventory.yml").write_text(json.dumps({"nodes": {"hosts": HOSTS, "vars": {"home": str(home)}}}))
    for number in (1, 2):
        (home / f"python{number}").symlink_to("/usr/bin/python3")
    whole = {"hosts": "nodes", "become": False, "gather_facts": False, "any_errors_fatal": True, **play}
    (home / "play.yml").write_text(json.dumps([{**whole, "tasks": tasks}]))
    inventory, book = str(home / "inventory.yml"), str(home / "play.yml")
    return [sys.executable, "-m", "ansible", "playbook", "-i", inventory, book]


def environment(strategy: str) -> dict[str, str]:
    return {
        **ansible_environment(),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_STRATEGY": strategy,
    }


def play(home: Path, tasks: list[dict[str, Any]], strategy: str = "ahead", **more: Any) -> tuple[int, str]:
    """Play it; the code, and what was said without times."""
    done = subprocess.run(
        command(home, tasks, **more),
        cwd=ROOT, env=environment(strategy), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def touch(name: str, **more: Any) -> dict[str, Any]:
    """A task that leaves a file `<name>-<host>`."""
    shell = f"touch {{{{ home }}}}/{name}-{{{{ inventory_hostname }}}}"
    return {"name": name, "ansible.builtin.shell": shell, **more}


TASKS: list[dict[str, Any]] = [
    touch("first", register="one"),
    {"name": "seen", "ansible.builtin.command": "echo {{ one.rc }} {{ number }}", "register": "two"},
    {"name": "skipped", "ansible.builtin.command": "false", "when": "two.stdout == '9 9'"},
    {"name": "kept", "ansible.builtin.set_fact": {"three": "{{ two.stdout }}"}},
    {"name": "loop", "ansible.builtin.command": "echo {{ item }} {{ three }}", "loop": ["a", "b"]},
    {"name": "told", "ansible.builtin.command": "true", "notify": "handled"},
    {"name": "refused", "ansible.builtin.command": "false", "ignore_errors": True, "register": "four"},
    {
        "block": [{"name": "broken", "ansible.builtin.command": "false"}, touch("unreached")],
        "rescue": [{"name": "rescued", "ansible.builtin.debug": {"msg": "{{ four.rc }}{{ three }}"}}],
    },
    touch("last", when="number == 2"),
]
HANDLERS = [{"name": "handled", "ansible.builtin.command": "true"}]


def said(output: str) -> list[str]:
    """What was said in its order, without what differs from run to run; hosts of a task in any order."""
    blocks: list[list[str]] = []
    rows: list[str] = []
    for line in output.splitlines():
        if re.match(r"(TASK|RUNNING HANDLER|PLAY)", line):
            blocks.append(sorted(rows))
            rows = []
            blocks.append([line.rstrip("* ")])
        elif re.match(r"(ok|changed|skipping|failed|fatal|h\d) ?", line) or "msg:" in line:
            rows.append(re.sub(r"FAILED! =>.*", "FAILED!", line))
    return [line for block in [*blocks, sorted(rows)] for line in block]


def test_a_play_looks_as_with_linear(tmp_path: Path) -> None:
    heard = {}
    for strategy in ("linear", "ahead"):
        (home := tmp_path / strategy).mkdir()
        code, output = play(home, TASKS, strategy, handlers=HANDLERS)
        assert code == 0, output
        assert {p.name for p in home.glob("*-h?")} == {"first-h1", "first-h2", "last-h2"}
        heard[strategy] = said(output)
    assert heard["ahead"] == heard["linear"]
    assert any("RUNNING HANDLER [handled]" in line for line in heard["ahead"])


def test_a_worker_does_the_next_tasks_without_waiting_for_the_others(tmp_path: Path) -> None:
    """The second host may only end its first task when the first host has done its second."""
    wait = "for i in $(seq 3000); do test -e {{ home }}/second-h1 && exit 0; sleep 0.1; done; exit 1"
    first = {"name": "first", "ansible.builtin.shell": "{{ 'true' if number == 1 else wait }}"}
    code, output = play(tmp_path, [first, touch("second")], vars={"wait": wait})
    assert code == 0, output


@pytest.mark.parametrize("fatal", [True, False])
def test_the_first_failure_ends_the_play_and_nobody_works_on(tmp_path: Path, fatal: bool) -> None:
    """The second host is slow: when it comes to the task behind the failure, the play has ended."""
    wait = "for i in $(seq 600); do test -e {{ home }}/failed && break; sleep 0.1; done; sleep 2"
    slow = {"name": "slow", "ansible.builtin.shell": "{{ 'true' if number == 1 else wait }}"}
    failing = "touch {{ home }}/failed; false"
    fail = {"name": "fail", "ansible.builtin.shell": "{{ failing if number == 1 else 'true' }}"}
    tasks = [slow, fail, touch("behind"), touch("further")]
    code, output = play(tmp_path, tasks, any_errors_fatal=fatal, vars={"wait": wait, "failing": failing})
    assert code == 2
    assert "failed=1" in output
    left = {p.name for p in tmp_path.glob("*-h?")}
    assert left == (set() if fatal else {"behind-h2", "further-h2"})


def test_what_decides_about_access_waits_for_its_turn(tmp_path: Path) -> None:
    """A second host is slow at the task before: a login is not asked for on the first one meanwhile."""
    slow = {"name": "slow", "ansible.builtin.shell": "{{ 'true' if number == 1 else 'sleep 1; false' }}"}
    code, output = play(tmp_path, [touch("before"), slow, guard("guard")])
    assert code == 2, output
    assert not list(tmp_path.glob("guard-h?"))
    assert "TASK [guard]" not in output


def guard(name: str) -> dict[str, Any]:
    """A task that decides about access, and leaves a file of that name."""
    files = [{"path": f"{{{{ home }}}}/{name}-{{{{ inventory_hostname }}}}", "content": "x"}]
    return {"name": name, "guarded_change": {"concern": "x", "guarded": False, "files": files}}


def by_whom(name: str) -> dict[str, Any]:
    """A task that leaves the number of the process that does it."""
    shell = (
        f"echo {{{{ lookup('pipe', 'echo $PPID') }}}} > {{{{ home }}}}/{name}-{{{{ inventory_hostname }}}}"
    )
    return {"name": name, "ansible.builtin.shell": shell}


@pytest.mark.parametrize(("forks", "same"), [("2", True), ("1", False)])
def test_one_process_waits_for_the_turn_of_what_decides_about_access(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forks: str, same: bool
) -> None:
    """With fewer forks than nodes it ends instead: who waits would keep others from coming so far."""
    monkeypatch.setenv("ANSIBLE_FORKS", forks)
    code, output = play(tmp_path, [by_whom("before"), guard("guard"), by_whom("after")])
    assert code == 0, output
    assert {p.name for p in tmp_path.glob("guard-h?")} == {"guard-h1", "guard-h2"}
    for host in HOSTS:
        numbers = {(tmp_path / f"{name}-{host}").read_text() for name in ("before", "after")}
        assert (len(numbers) == 1) is same, (host, numbers)


def test_who_waits_for_a_turn_that_does_not_come_leaves_its_place_to_handlers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both forks are taken when the second host fails: one waits for its turn, the other has just ended."""
    monkeypatch.setenv("ANSIBLE_FORKS", "2")
    told = {"name": "told", "ansible.builtin.command": "true", "notify": "handled"}
    slow = {"name": "slow", "ansible.builtin.shell": "{{ 'true' if number == 1 else 'sleep 1; false' }}"}
    handler = {**touch("handled"), "name": "handled"}
    tasks = [told, slow, guard("guard")]
    code, output = play(tmp_path, tasks, handlers=[handler], force_handlers=True)
    assert code == 2, output
    assert {p.name for p in tmp_path.glob("*-h?")} == {"handled-h1", "handled-h2"}, output


def test_a_worker_without_its_play_begins_nothing(tmp_path: Path) -> None:
    """Without mitogen, whose connections end with the play's process, nothing else would stop it."""
    (tmp_path / "ansible_mitogen.py").write_text("raise ImportError")
    wait = "for i in $(seq 600); do test -e {{ home }}/ended && break; sleep 0.1; done"
    slow = {"name": "slow", "ansible.builtin.shell": f"touch {{{{ home }}}}/begun; {wait}"}
    process = subprocess.Popen(
        command(tmp_path, [slow, touch("behind")]),
        cwd=ROOT,
        env={**environment("ahead"), "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 600
    while not (tmp_path / "begun").exists() and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(process.pid, 9)
    process.wait()
    (tmp_path / "ended").touch()
    time.sleep(5)
    assert (tmp_path / "begun").exists()
    assert not list(tmp_path.glob("behind-*"))


def test_step_by_step_nothing_is_done_before_it_is_allowed(tmp_path: Path) -> None:
    done = subprocess.run(
        [*command(tmp_path, [touch("first"), touch("second")]), "--step"],
        cwd=ROOT,
        env=environment("ahead"),
        input="y\nn\n",
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert {p.name for p in tmp_path.glob("*-h?")} == {"first-h1", "first-h2"}, done.stdout
