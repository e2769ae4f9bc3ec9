"""A process that has imported Ansible, pytest or Pulumi's SDK and forks their runs, for tests/forked.py.

Its one argument is which of them; orders come over its standard input: an order, what the run writes to, and
what is told the run's number and its end.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from typing import Any, NoReturn

PROGRAM = "program"  # the runner of Pulumi programs, which is a file
PRELOADED = {
    "ansible": (
        "ansible.cli.adhoc",
        "ansible.cli.playbook",
        "ansible.executor.playbook_executor",
        "ansible.plugins.callback.default",
        "ansible.plugins.connection.ssh",
        "ansible.plugins.inventory.yaml",
        "ansible.plugins.strategy.linear",
        "ansible_mitogen.strategy",
        "ansible_mitogen.connection",
        "ansible_mitogen.process",
        "ansible_mitogen.services",
    ),
    # Without what pytest finds as plug-ins: it wants to read those itself.
    "pytest": (
        "_pytest.assertion.rewrite",
        "_pytest.debugging",
        "_pytest.doctest",
        "_pytest.fixtures",
        "_pytest.junitxml",
        "_pytest.logging",
        "_pytest.python",
        "_pytest.terminal",
        "ansible.inventory.manager",
        "ansible.vars.manager",
        "boto3",
        "botocore.client",
        "botocore.endpoint",
        "jinja2",
        "psutil",
        "pydantic.json_schema",
        "pydantic.main",
        "pydantic.type_adapter",
        "pytest",
        "yaml",
    ),
    # The services that our programs use: each is some hundred classes.
    PROGRAM: (
        "botocore.config",
        "botocore.session",
        "pulumi.log",
        "pulumi.runtime",
        "pulumi_aws",
        *(
            f"pulumi_aws.{service}"
            for service in (
                *("backup", "budgets", "cfg", "cloudtrail", "cloudwatch", "ebs", "ec2", "ec2transitgateway"),
                *("guardduty", "iam", "inspector2", "kms", "lambda_", "lb", "macie2", "networkfirewall"),
                *("route53", "s3", "scheduler", "securityhub", "shield", "sns", "sqs", "ssm", "vpc"),
            )
        ),
        "pydantic.main",
        "yaml",
    ),
}


def _serve() -> None:
    """Import, then fork a run for each order; ends with the process that started it."""
    sys.path.pop(0)
    for name in PRELOADED[sys.argv[1]]:
        getattr(importlib.import_module(name), "__all__", None)  # Pulumi's load at their first use
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    orders = socket.socket(fileno=os.dup(0))
    while (order := _received(orders)) is not None:
        facts, (out, err, status) = order
        if os.fork() == 0:
            orders.close()
            _watch(facts, out, err, status)
        for fd in (out, err, status):
            os.close(fd)


def _received(orders: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    size, fds, _, _ = socket.recv_fds(orders, 4, 3)
    if not size:
        return None
    length, text = int.from_bytes(size, "big"), b""
    while len(text) < length:
        text += orders.recv(length - len(text))
    return json.loads(text), fds


def _watch(facts: dict[str, Any], out: int, err: int, status: int) -> None:
    """Fork the run itself, say its number and then how it ended; never returns but in the run."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if facts.get("alone"):
        with suppress(OSError):  # both do it: whoever comes first, it is done before the number is told
            os.setpgid(pid, pid)
    if pid == 0:
        os.close(status)
        _run(facts, out, err)
    os.write(status, f"{pid}".encode())
    code = _ended(pid, taken=facts.get("alone", False))
    os.write(status, f"{code}".encode())
    os.read(status, 1)  # until the other end is closed: so long the number of one that is alone stays taken
    os._exit(0)


def _ended(pid: int, taken: bool) -> int:
    """Wait for a child; its code, negative for a signal. `taken`: its number stays its own until we end."""
    if not taken:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _run(facts: dict[str, Any], out: int, err: int) -> NoReturn:
    """What `python -m` does from here on."""
    if facts["module"] == "ansible":
        from ansible.utils.path import cleanup_tmp_file  # noqa: PLC0415 - only where it is loaded

        atexit.unregister(cleanup_tmp_file)  # the directory belongs to all runs
    with open(os.devnull) as nothing:  # noqa: PTH123
        for fd, source in enumerate((nothing.fileno(), out, err)):
            os.dup2(source, fd)
    os.environ.clear()
    os.environ.update(facts["env"])
    os.chdir(facts["cwd"])
    sys.argv = [facts["module"], *facts["arguments"]]
    try:
        if facts["module"] == PROGRAM:
            os.environ["STOCKADE_HOST_PARENT"] = str(os.getppid())  # whose death is its own: who waits for it
            runpy.run_path(facts["script"], run_name="__main__")
        else:
            sys.path.insert(0, facts["cwd"])
            runpy.run_module(facts["module"], run_name="__main__", alter_sys=True)
        code: object = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    _leave(code)


def _leave(code: object) -> NoReturn:
    """End as the interpreter does, but for taking apart what was imported, which would copy it all first."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if not isinstance(code, int):
        print(code, file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code & 0xFF if isinstance(code, int) else 1)


if __name__ == "__main__":
    _serve()
