"""Plays lock-out cases against a node: one controller, one play, a login from outside after each case."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests import forked
from tests.roles.lockout.callback import lockout
from tests.roles.lockout.model import Case
from tests.roles.role_run import ROOT
from twin.machines import Lone
from twin.play import ansible_environment

HERE = Path(__file__).parent
SHORT: dict[str, Any] = {"access_guard_revert_after": 60, "access_guard_proof_timeout": 3}
# Seconds for a proof that has to succeed, and for its change, on a machine however busy: none takes so long.
HOLDS, HELD = 120, 300
PUT = "install -m 0644 /dev/stdin {}"


def environment(node: Lone, **more: str) -> dict[str, str]:
    """The environment of a controller whose steps the lock-out callback watches."""
    found = {**ansible_environment(), "ANSIBLE_ROLES_PATH": str(ROOT / "roles"), "ANSIBLE_NOCOLOR": "1"}
    found |= {"ANSIBLE_CALLBACK_PLUGINS": f"{HERE / 'callback'}:{ROOT / 'plugins/callback'}"}
    found |= {"ANSIBLE_CALLBACKS_ENABLED": "matched_hosts,lockout"}
    return found | {"STOCKADE_SSH": str(node.ssh_config), "STOCKADE_NODE": node.name} | more


def prepare(node: Lone) -> None:
    """Put the programs of the tests on the node."""
    for name in ("look", "storm"):
        text = (HERE / "on_node" / f"{name}.py").read_text()
        command = [
            "ssh",
            "-F",
            str(node.ssh_config),
            node.name,
            "sudo",
            PUT.format(f"/var/lib/lockout-{name}"),
        ]
        subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=120)


def look(node: Lone, seconds: float = lockout.PATIENCE) -> dict[str, Any]:
    """A login from outside that becomes root; waits for it."""
    os.environ.update(STOCKADE_SSH=str(node.ssh_config), STOCKADE_NODE=node.name)
    return lockout.look(seconds)


def texts(node: Lone, paths: Iterable[str]) -> dict[str, str]:
    """Present texts of files; empty for one that is not there."""
    reader = (
        "import json,os,sys; "
        "print(json.dumps({p: open(p).read() if os.path.exists(p) else '' for p in sys.argv[1:]}))"
    )
    said = node.sudo(f"python3 -c {shlex.quote(reader)} {' '.join(sorted(paths))}")
    assert said.returncode == 0, said.stderr
    found: dict[str, str] = json.loads(said.stdout)
    return found


def change(case: Case, now: dict[str, str]) -> dict[str, Any]:
    """The arguments of the guarded change that a case makes."""
    files = []
    for path, (old, new) in case.edits.items():
        assert old in now[path], f"{case.name}: {path} has no {old!r}"
        # Everywhere: sshd's settings stand in its Match block a second time.
        content = now[path].replace(old, new) if old else now[path] + new
        mode = case.modes.get(path, "0440" if "sudoers" in path else "0600" if "stockade" in path else "0644")
        files.append({"path": path, "content": content, "mode": mode, "owner": case.owners.get(path, "root")})
    commands = {"validate": case.validate, "check_applied": case.check, "activate": case.activate}
    return {
        "concern": case.name,
        "files": files,
        **{key: [shlex.split(command) for command in value] for key, value in commands.items()},
        "revert_after": HELD if case.ends == "proven" else case.revert_after,
        "proof_timeout": _patience(case),
    }


def _patience(case: Case) -> int:
    """Seconds within which a new login has to become root, or the change goes back."""
    return HOLDS if case.ends == "proven" else int(SHORT["access_guard_proof_timeout"])


def tasks(case: Case, now: dict[str, str]) -> list[dict[str, Any]]:
    """One case as tasks: before, the change, a look, after, a look."""
    lenient: dict[str, Any] = {"ignore_errors": True, "ignore_unreachable": True}
    if case.role:
        roled = {"include_role": {"name": case.role}, "vars": {**SHORT, **case.variables}}
        body: dict[str, Any] = {"block": [roled], "rescue": [{"debug": {"msg": "refused or reverted"}}]}
    elif case.preflight:
        body = {"preflight": {"proof_timeout": _patience(case), **case.preflight}, **lenient}
    else:
        body = {"guarded_change": change(case, now), **lenient}
    steps: list[dict[str, Any]] = []
    if case.before:
        steps.append({"name": f"before: {case.name}", "shell": case.before})
    steps.append({"name": f"case: {case.name}", **body})
    # What runs once is never done ahead of its turn, nor is what comes behind: a look is between two cases.
    seen: dict[str, Any] = {"name": f"look: {case.name}", "debug": {"msg": ""}, "run_once": True}
    if not (case.after and case.ends == "refused"):
        steps.append(seen)
    if case.after:
        steps += [{"name": f"after: {case.name}", "shell": case.after, **lenient}]
        steps += [{**seen, "name": f"look: {case.name} (after)"} if case.ends != "refused" else seen]
    return steps


def play(node: Lone, cases: Iterable[Case], name: str = "cases") -> dict[str, dict[str, Any]]:
    """Play the cases; per case what Ansible said and what the look found."""
    cases, home = list(cases), node.inventory_file.parent
    now = texts(node, {path for case in cases for path in case.edits})
    steps = [step for case in cases for step in tasks(case, now)]
    book, rows = home / f"{name}.yml", home / f"{name}.jsonl"
    rows.unlink(missing_ok=True)
    book.write_text(json.dumps([{"hosts": "nodes", "gather_facts": False, "tasks": steps}]))
    words = ["playbook", "-i", str(node.inventory_file), str(book)]
    env = environment(node, STOCKADE_LOOKS=str(rows))
    done = forked.python("ansible", *words, cwd=ROOT, env=env, timeout=3000)
    (home / f"{name}.log").write_text(done.stdout + done.stderr)
    assert rows.exists(), done.stdout + done.stderr
    return {row["case"]: row for row in map(json.loads, rows.read_text().splitlines())}


def ansible(node: Lone, *arguments: str, **more: str) -> tuple[int, str]:
    """One command of Ansible's; its return code and everything it said."""
    done = forked.python("ansible", *arguments, cwd=ROOT, env=environment(node, **more), timeout=1200)
    return done.returncode, done.stdout + done.stderr


def adhoc(node: Lone, module: str, arguments: dict[str, Any], **more: str) -> tuple[int, str]:
    """One module, straight."""
    where = ("-i", str(node.inventory_file), "nodes")
    return ansible(node, "adhoc", *where, "-m", module, "-a", json.dumps(arguments), **more)


def playbook(node: Lone, name: str, inventory: Path) -> tuple[int, str]:
    """A playbook of the house over another inventory."""
    return ansible(node, "playbook", "-i", str(inventory), f"playbooks/{name}.yml")


def roles_over(node: Lone, inventory: Path, *roles: str, **variables: Any) -> tuple[int, str]:
    """Roles over another inventory."""
    book = inventory.with_suffix(".play.yml")
    book.write_text(json.dumps([{"hosts": "nodes", "gather_facts": False, "roles": list(roles)}]))
    return ansible(node, "playbook", "-i", str(inventory), str(book), "-e", json.dumps(variables))
