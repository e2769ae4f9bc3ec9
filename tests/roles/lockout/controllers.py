"""Controllers that are stopped on purpose, and what they are given to do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import forked
from tests.roles.lockout import run
from tests.roles.role_run import ROOT

LIMITS: dict[str, Any] = {"access_guard_revert_after": 12, "access_guard_proof_timeout": 4}


def variant(number: int) -> dict[str, Any]:
    """Good variables, others for each number below 29, so that every task has something to change."""
    person = {"name": "jordan", "keys": [], "expires": f"2099-01-{number % 29 + 1:02}"}
    return {
        **LIMITS,
        "access_guard_proof_timeout": 10,  # where one is proven it succeeds, however busy the machine is
        "users_people": [person],
        "users_password_min_length": 15 + number % 29,
        "ssh_server_login_grace_seconds": 31 + number % 29,
        "local_firewall_log_per_minute": 10 + number % 29,
    }


def patient(number: int) -> dict[str, Any]:
    """The same where nobody waits for a revert: a busy machine brings none about."""
    return {**variant(number), "access_guard_revert_after": 600, "access_guard_proof_timeout": 120}


def settled(node) -> dict[str, Any]:
    """What the guard has written down last, once nothing waits: it does so before it lets go of a change."""
    wait_until(lambda: run.look(node)["pending"] is None, 150, "the end of the revert")
    found: dict[str, Any] = run.look(node)["event"]
    return found


def in_time(node, attempt: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """An attempt; again when the machine was so busy that its timer came before the change was whole."""
    for _ in range(4):
        code, said = attempt()
        if "and was reverted meanwhile" not in said:
            break
        settled(node)
    return code, said


def shut(node) -> dict[str, Any]:
    """Firewall variables that leave administration to somebody else; the intent's ssh rules go as well."""
    here = node.inventory["all"]["children"]["nodes"]["children"]["edge"]["hosts"][node.name]
    inbound = [entry for entry in here["local_firewall_inbound"] if entry["port"] != 22]
    return {"local_firewall_admin_networks": ["192.0.2.0/24"], "local_firewall_inbound": inbound, **LIMITS}


def log(node) -> Path:
    """What the last controller said."""
    path: Path = node.inventory_file.parent / "controller.log"
    return path


@contextmanager
def controller(node, *roles: str, variables: dict[str, Any], **more: str) -> Iterator[Any]:
    """ansible-playbook as a process group of its own, which is killed as a whole at the end."""
    book = node.inventory_file.parent / f"{'-'.join(roles)}.yml"
    book.write_text(json.dumps([{"hosts": "nodes", "gather_facts": False, "roles": list(roles)}]))
    words = ["playbook", "-i", str(node.inventory_file), str(book), "-e", json.dumps(variables)]
    with (
        log(node).open("w") as said,
        forked.going(*words, cwd=ROOT, env=run.environment(node, **more), log=said) as process,
    ):
        yield process


def wait_until(condition, seconds: float, what: str) -> None:
    """Poll until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.2)


def pending(node) -> dict[str, Any] | None:
    """The change that waits for its proof."""
    found: dict[str, Any] | None = json.loads(node.sudo("stockade-guard status").stdout)["pending"]
    return found


def newest(node) -> int:
    """The generation of the last change, which waits for its proof or was reverted since."""
    found: int = json.loads(node.sudo("stockade-guard status").stdout)["generations"][-1]["generation"]
    return found


def ssh_that_stops(node, number: int, wait: bool) -> tuple[str, Path]:
    """An ssh for the controller that stops it at its n-th proof: (its path, the file that says so)."""
    home = node.inventory_file.parent
    script, count, stopped = home / "ssh-stops", home / "ssh-count", home / "ssh-stopped"
    stopped.unlink(missing_ok=True)
    count.write_text("")
    end = "sleep 600" if wait else "kill -9 0"
    script.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *"stockade-guard confirm"*) echo >> {count}\n'
        f'if [ "$(wc -l < {count})" -ge {number} ]; then touch {stopped}; {end}; fi;; esac\n'
        'exec ssh "$@"\n'
    )
    script.chmod(0o755)
    return str(script), stopped
