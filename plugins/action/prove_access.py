"""Action plugin: a new connection from the controller, outside of any shared one, logs in and gains root.

It looks at the node the way the next administrator will: a ControlMaster or a mitogen channel that is already
open survives changes that keep everybody else out, so it proves nothing.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader

GUARD = "/usr/local/sbin/stockade-guard"
MARK = "stockade-proof:"
DENIALS = ("Permission denied", "Host key verification failed", "no matching", "expired")
DENIED_ENOUGH = 2  # a server that is just reloading may refuse once; more tries only earn its penalties
OPTIONS = ("host", "port", "ssh_executable", "ssh_common_args", "ssh_extra_args", "host_key_checking")


def ssh_command(options: dict[str, Any], timeout: int) -> list[str]:
    """The ssh argument list for a connection that shares nothing with another one.

    Options stand in front of the inventory's own arguments, because ssh keeps the first value that it sees.
    """
    command = [options.get("ssh_executable") or "ssh"]
    settings = ["ControlPath=none", "ControlMaster=no", "BatchMode=yes", f"ConnectTimeout={timeout}"]
    if options.get("host_key_checking") is False:
        settings.append("StrictHostKeyChecking=no")
    for setting in settings:
        command += ["-o", setting]
    if options.get("port"):
        command += ["-p", str(options["port"])]
    if options.get("private_key_file"):
        command += ["-i", str(options["private_key_file"])]
    for name in ("ssh_common_args", "ssh_extra_args"):
        command += shlex.split(options.get(name) or "")
    return [*command, "-l", options["remote_user"], options["host"]]


def as_root(user: str, script: str, with_password: bool = False) -> str:
    """The remote command line that runs `script` as root the way an administrator becomes root."""
    if user == "root":
        return f"sh -c {shlex.quote(script)}"
    ask = "-S -p ''" if with_password else "-n"
    return f"sudo {ask} sh -c {shlex.quote(script)}"


def script_for(confirm: int | None, expect: list[dict[str, str]]) -> str:
    """What the new login runs: the disarming, or the look at the key facts, each behind a mark."""
    if confirm is not None:
        return f"{GUARD} confirm {int(confirm)}"
    commands = list(dict.fromkeys(fact["command"] for fact in expect))
    return "\n".join(
        ["true", *(f"echo {shlex.quote(MARK + c)}; {c} 2>&1 || echo '{MARK}failed'" for c in commands)]
    )


def unmet(expect: list[dict[str, str]], output: str) -> list[str]:
    """Which expected facts the answers lack. A fact without `line` expects only that the command succeeds."""
    answers: dict[str, list[str]] = {}
    current: list[str] = []
    for line in output.splitlines():
        if line.startswith(MARK) and line != f"{MARK}failed":
            current = answers.setdefault(line.removeprefix(MARK), [])
        else:
            current.append(line.strip())
    problems = []
    for fact in expect:
        answer = answers.get(fact["command"], [f"{MARK}failed"])
        if f"{MARK}failed" in answer:
            problems.append(f"`{fact['command']}` failed: {' '.join(answer[:3])}")
        elif fact.get("line") and fact["line"] not in answer:
            problems.append(f"`{fact['command']}` lacks `{fact['line']}`")
    return problems


def logged_in(
    options: dict[str, Any], line: str, secret: str, expect: list[dict[str, str]], timeout: int
) -> dict[str, Any]:
    """A new login that runs `line`; tried again while the connection itself does not come about."""
    end, said, denied = time.monotonic() + timeout, "", 0
    while (left := end - time.monotonic()) > 0:
        command = [*ssh_command(options, max(1, int(left))), line]
        try:
            done = subprocess.run(
                command, input=secret, capture_output=True, text=True, timeout=left, check=False
            )
        except subprocess.TimeoutExpired:
            said = said or "no answer"
            break
        said = (done.stderr.strip() or done.stdout.strip())[-400:] or said
        if done.returncode == 0:
            problems = unmet(expect, done.stdout)
            return {"changed": False, "failed": bool(problems), "msg": "; ".join(problems)}
        denied += any(words in done.stderr for words in DENIALS)
        # 255 is ssh's own failure; anything else is the node's answer.
        if done.returncode != 255 or denied >= DENIED_ENOUGH:
            break
        time.sleep(min(1, left))
    said = said or f"ssh ended with {done.returncode} and said nothing"
    return {"changed": False, "failed": True, "msg": f"a new login with sudo failed: {said}"}


class ActionModule(ActionBase):
    """`prove_access: {confirm: N | expect: [{command, line}], timeout: SECONDS}`. It changes nothing."""

    _VALID_ARGS = frozenset(("confirm", "expect", "timeout"))

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Prove it, or fail with what the new connection said."""
        super().run(tmp, task_vars)
        args = self._task.args
        confirm = args.get("confirm")
        return self.prove(task_vars or {}, confirm, args.get("expect") or [], int(args.get("timeout", 20)))

    def prove(
        self, task_vars: dict[str, Any], confirm: int | None, expect: list[dict[str, str]], timeout: int
    ) -> dict[str, Any]:
        """One proof within `timeout` seconds."""
        return self.prepared(task_vars, confirm, expect)(timeout)

    def prepared(
        self, task_vars: dict[str, Any], confirm: int | None, expect: list[dict[str, str]]
    ) -> Callable[[int], dict[str, Any]]:
        """A proof that any thread may make: what it needs of Ansible's variables has been read."""
        options = self.options(task_vars)
        password = task_vars.get("ansible_become_password") or task_vars.get("ansible_become_pass")
        secret = f"{self._templar.template(password)}\n" if password else None
        line = as_root(options["remote_user"], script_for(confirm, expect), secret is not None)
        return lambda timeout: logged_in(options, line, secret or "", expect, timeout)

    def options(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The connection as the ssh plugin itself sets it up: inventory, environment, ansible.cfg."""
        kind = self._connection.transport
        if "ssh" not in kind:
            raise AnsibleActionFail(
                f"connection {kind}: a new login can be proven over ssh only; "
                "an access-critical change needs that proof; run it from a controller over ssh"
            )
        connection_loader.get("ssh", class_only=True)
        ours = {
            k: v
            for k, v in task_vars.items()
            if k.startswith(("ansible_ssh", "ansible_host", "ansible_port"))
        }
        variables = self._templar.template(ours)
        variables["inventory_hostname"] = task_vars["inventory_hostname"]
        found = {
            name: constants.config.get_config_value(
                name, plugin_type="connection", plugin_name="ssh", variables=variables
            )
            for name in OPTIONS
        }
        found["remote_user"] = self._play_context.remote_user
        found["private_key_file"] = self._play_context.private_key_file
        for key, name in (
            ("ansible_user", "remote_user"),
            ("ansible_ssh_private_key_file", "private_key_file"),
        ):
            if key in task_vars:
                found[name] = self._templar.template(task_vars[key])
        return found
