"""Runs `python -m ansible …`, `python -m pytest …` or a Pulumi program as `subprocess` does, in less time.

Importing Ansible takes a second of a processor, Pulumi's SDK one to three, pytest half of one, and the tests
run them some hundred times. So a run is forked from a process that has imported the code of others, as
installed (tests/prepared.py); everything of ours (plugins, modules, roles, suites) is read by each run anew.
Ansible reads its configuration while it is imported: there is a process for each such environment. A run has
its own arguments, directory and output.
"""

from __future__ import annotations

import array
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

PROGRAM = "program"  # the runner of Pulumi programs, which is a file
PREPARED = Path(__file__).resolve().with_name("prepared.py")
MOST = 8
"""Environments of a module that a process is kept for; a test that wants another gets a run of its own."""
_READ_AT_IMPORT = ("ANSIBLE_", "LC_", "LANG", "HOME", "NO_COLOR", "PATH", "PYTHON", "XDG_", "TMPDIR")


class _Outliving(subprocess.Popen[bytes]):
    """It ends with us, by itself: Python must not warn that it still runs."""

    def __del__(self) -> None:
        """Nothing to do."""


_prepared: dict[str, socket.socket] = {}
_guard = threading.Lock()


@atexit.register
def _let_go() -> None:
    """The prepared processes end with their connections, and nobody is warned of one left open."""
    for connection in _prepared.values():
        connection.close()


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


def program(command: list[str], folder: Path, env: Mapping[str, str], log: IO[str]) -> int:
    """Stands in for `twin.program.started`: what a program says goes to the log; returns its exit code."""
    *_, script = command  # a program is told everything by its environment, nothing by its arguments
    assert command == [sys.executable, "-P", script], command
    server = _server(PROGRAM, {name: env[name] for name in env if name.startswith(_READ_AT_IMPORT)})
    if server is None:
        return subprocess.run(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
        ).returncode
    order = {"module": PROGRAM, "script": script, "arguments": [], "cwd": str(folder), "env": dict(env)}
    code = _asked(server, order, log, log, 900)
    if code is None:
        raise subprocess.TimeoutExpired(command, 900)
    return code


@contextmanager
def programs() -> Iterator[None]:
    """Meanwhile `twin.program.run` forks the programs that this process hosts."""
    from twin import program as host  # noqa: PLC0415 - loads the AWS SDK

    plain, host.started = host.started, program
    try:
        yield
    finally:
        host.started = plain


@contextmanager
def going(
    *arguments: str, cwd: Path, env: Mapping[str, str], log: IO[str]
) -> Iterator[Going | subprocess.Popen[bytes]]:
    """`python -m ansible ARGUMENTS` in a process group of its own, which is killed as a whole at the end."""
    server = _server("ansible", {name: env[name] for name in env if name.startswith(_READ_AT_IMPORT)})
    if server is None:
        process: Going | subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", "ansible", *arguments],
            cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    else:
        order = {
            "module": "ansible",
            "arguments": arguments,
            "cwd": str(cwd),
            "env": dict(env),
            "alone": True,
        }
        process = Going(*_begun(server, order, log, log))
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(process, Going):
            process.forget()


class Going:
    """A run that was begun; of `Popen` it has what a test needs."""

    def __init__(self, told: socket.socket, pid: int) -> None:
        """Until `told` is closed, nobody else gets the number."""
        self._told, self.pid = told, pid
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended; raises TimeoutExpired."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._told.recv(16))
            except TimeoutError as error:
                raise subprocess.TimeoutExpired("a forked run", timeout or 0) from error
        return self.returncode

    def forget(self) -> None:
        """Let go of its number."""
        self._told.close()


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _server(module: str, settings: Mapping[str, str]) -> socket.socket | None:
    """The connection to the process that is prepared for these; None when there are enough of them."""
    key = json.dumps([module, settings], sort_keys=True)
    with _guard:
        kept = sum(json.loads(other)[0] == module for other in _prepared)
        if key not in _prepared and kept < MOST:
            ours, theirs = socket.socketpair()
            _Outliving(
                [sys.executable, str(PREPARED), module],
                env=settings, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            theirs.close()
            _prepared[key] = ours
        return _prepared.get(key)


def _begun(
    server: socket.socket, order: dict[str, Any], out: IO[str], err: IO[str]
) -> tuple[socket.socket, int]:
    """What tells its end, and its number; the number is nobody else's while the first is open."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    text = json.dumps(order).encode()
    with _guard:
        fds = array.array("i", [out.fileno(), err.fileno(), theirs.fileno()])
        server.sendmsg([len(text).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        server.sendall(text)
        theirs.close()
    return ours, int(ours.recv(16))


def _asked(
    server: socket.socket, order: dict[str, Any], out: IO[str], err: IO[str], timeout: float
) -> int | None:
    """Its exit code, negative for a signal as Popen says it; None when it took too long and was killed."""
    told, pid = _begun(server, order, out, err)
    with told:
        told.settimeout(timeout)
        try:
            return int(told.recv(16))
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            told.settimeout(None)
            told.recv(16)
            return None
