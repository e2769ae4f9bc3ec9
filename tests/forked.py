"""Runs `python -m ansible …` or `python -m pytest …` as `subprocess.run` does, in less time.

Importing Ansible takes a second of a processor, pytest half of one, and the tests run them some hundred
times. So a run is forked from a process that has imported the code of others, as installed; everything of
ours (plugins, modules, roles, suites) is read by each run anew. Ansible reads its configuration while it is
imported: there is a process for each such environment. A run has its own arguments, directory and output.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

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
}
MOST = 5
"""Environments that a process is kept for; a test that wants one of its own gets a run of its own."""
_READ_AT_IMPORT = ("ANSIBLE_", "LC_", "LANG", "HOME", "NO_COLOR", "PATH", "PYTHON", "XDG_", "TMPDIR")


class _Outliving(subprocess.Popen[bytes]):
    """It ends with us, by itself: Python must not warn that it still runs."""

    def __del__(self) -> None:
        """Nothing to do."""


_prepared: dict[str, socket.socket] = {}
_guard = threading.Lock()


def python(
    module: str, *arguments: str, cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """`python -m MODULE ARGUMENTS`; what it said is captured as text. Raises TimeoutExpired, as run does."""
    argv = [sys.executable, "-m", module, *arguments]
    server = _server(module, {name: env[name] for name in env if name.startswith(_READ_AT_IMPORT)})
    if server is None:
        return subprocess.run(
            argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False
        )
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = _asked(
            server,
            {"module": module, "arguments": [*arguments], "cwd": str(cwd), "env": dict(env)},
            out,
            err,
            timeout,
        )
        said = [_read(file) for file in (out, err)]
    if code is None:
        raise subprocess.TimeoutExpired(argv, timeout, *said)
    return subprocess.CompletedProcess(argv, code, *said)


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _server(module: str, settings: Mapping[str, str]) -> socket.socket | None:
    """The connection to the process that is prepared for these; None when there are enough of them."""
    key = json.dumps([module, settings], sort_keys=True)
    with _guard:
        if key not in _prepared and len(_prepared) < MOST:
            ours, theirs = socket.socketpair()
            _Outliving(
                [sys.executable, str(Path(__file__).resolve()), module],
                env=settings, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            theirs.close()
            _prepared[key] = ours
        return _prepared.get(key)


def _asked(
    server: socket.socket, order: dict[str, Any], out: IO[str], err: IO[str], timeout: float
) -> int | None:
    """Its exit code, negative for a signal as Popen says it; None when it took too long and was killed."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    text = json.dumps(order).encode()
    with _guard:
        fds = array.array("i", [out.fileno(), err.fileno(), theirs.fileno()])
        server.sendmsg([len(text).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        server.sendall(text)
        theirs.close()
    ours.settimeout(timeout)
    with ours:
        pid = int(ours.recv(16))
        try:
            return int(ours.recv(16))
        except TimeoutError:
            # Whoever waits for it has not been told its end, so that the number is nobody else's.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            ours.settimeout(None)
            ours.recv(16)
            return None


def _serve() -> None:
    """Import, then fork a run for each order; ends with the process that started it."""
    sys.path.pop(0)
    for name in PRELOADED[sys.argv[1]]:
        importlib.import_module(name)
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
    if pid == 0:
        os.close(status)
        _run(facts, out, err)
    os.write(status, f"{pid}".encode())
    _, ended = os.waitpid(pid, 0)
    os.write(status, f"{os.waitstatus_to_exitcode(ended)}".encode())
    os._exit(0)


def _run(facts: dict[str, Any], out: int, err: int) -> None:
    """What `python -m` does from here on; ends by SystemExit, like that."""
    if facts["module"] == "ansible":
        from ansible.utils.path import cleanup_tmp_file  # noqa: PLC0415 - only where it is loaded

        atexit.unregister(cleanup_tmp_file)  # the directory belongs to all runs
    with open(os.devnull) as nothing:  # noqa: PTH123
        for fd, source in enumerate((nothing.fileno(), out, err)):
            os.dup2(source, fd)
    os.environ.clear()
    os.environ.update(facts["env"])
    os.chdir(facts["cwd"])
    sys.path.insert(0, facts["cwd"])
    sys.argv = [facts["module"], *facts["arguments"]]
    runpy.run_module(facts["module"], run_name="__main__", alter_sys=True)
    sys.exit(0)


if __name__ == "__main__":
    _serve()
