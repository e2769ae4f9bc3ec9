"""Runs on the node, as root, for one verification: reads commands from stdin, answers on stdout.

Sent over the channel as text, so it uses the standard library only and works with any Python from 3.8 on.
One request:  >4sII  its mark, length of the command, seconds it may take;  then the command (for /bin/sh).
One answer:   >4siBII  the request's mark, exit status, flag, length of stdout, length of stderr;  then both.
Flags: 0 complete, 1 the command took too long, 2 the command said too much (both: it was ended).
"""

import contextlib
import os
import re
import select
import signal
import struct
import sys
import time
from typing import BinaryIO

LIMIT = 8 * 1024 * 1024
GRACE = 0.5  # a daemon that a command left behind may hold its stdout open for ever
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# A slow node may take longer than systemctl waits by itself (25 s); what ends a command is its own limit.
ENVIRONMENT = {"LC_ALL": "C", "PATH": PATH, "HOME": "/root", "SYSTEMD_BUS_TIMEOUT": "600"}
OURS = [signal.SIGPIPE, signal.SIGXFSZ]  # which Python ignores and programs do not
# Words in which a shell sees nothing but words: it would only start the program, at its own cost.
PLAIN = re.compile(rb"[A-Za-z0-9_./+-]+( [A-Za-z0-9_./:,@%+=-]+)*")
# What dash does itself under the name of a program, so that the program never answers in its place.
OWN = b"""alias bg cd command echo eval exec exit export false fg getopts hash if jobs kill local
printf pwd read readonly return set shift test times trap true type ulimit umask unalias unset wait""".split()


def plain(command: bytes) -> "list[bytes]":
    """The words of a command for which a shell would do nothing but start the program; none: it needs one."""
    words = command.split(b" ") if PLAIN.fullmatch(command) else [b""]
    return words if words[0] not in (b"", *OWN) and place_of(words[0]) else []


def place_of(program: bytes) -> bytes:
    """Where PATH leads a shell that looks for a program; empty: nowhere."""
    places = [b""] if b"/" in program else [folder.encode() + b"/" for folder in PATH.split(":")]
    return next((place + program for place in places if os.access(place + program, os.X_OK)), b"")


class Process:
    """A command that runs in a session of its own, so that it can be ended with all its children.

    `posix_spawn` and not `subprocess`, which costs the node more than half of what a small program does.
    Raises OSError when it cannot be started.
    """

    def __init__(self, command: bytes) -> None:
        self.status: int | None = None
        self.out, out = os.pipe()
        try:
            self.err, err = os.pipe()
        except OSError:
            os.close(self.out)
            os.close(out)
            raise
        try:
            self.pid = self._start(command, out, err)
        except OSError:
            self.close()
            raise
        finally:
            os.close(out)
            os.close(err)

    def _start(self, command: bytes, out: int, err: int) -> int:
        nothing = (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)
        actions = (nothing, (os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, err, 2))

        def spawn(words: "list[bytes]") -> int:
            return os.posix_spawn(
                place_of(words[0]), words, ENVIRONMENT, file_actions=actions, setsid=True, setsigdef=OURS
            )

        shell = [b"/bin/sh", b"-c", command]
        words = plain(command)
        if not words:
            return spawn(shell)
        try:
            return spawn(words)
        except OSError:  # a script that names no interpreter is one for the shell
            return spawn(shell)

    def ended(self) -> bool:
        """Is it over? Then `status` is its exit status, or minus the signal that ended it."""
        if self.status is None:
            pid, code = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = -os.WTERMSIG(code) if os.WIFSIGNALED(code) else os.WEXITSTATUS(code)
        return self.status is not None

    def kill(self) -> None:
        """End it with all its children."""
        with contextlib.suppress(OSError):  # nobody is left of its session
            os.killpg(self.pid, signal.SIGKILL)
        if not self.ended():
            KILLED.append(self)

    def close(self) -> None:
        """Close its output."""
        os.close(self.out)
        os.close(self.err)


KILLED: "list[Process]" = []  # whose end was not waited for: a process in the kernel's hands takes its time


def read(process: Process, deadline: float) -> "tuple[int, bytes, bytes]":
    """All that a process says before the deadline, with the flag."""
    said = {process.out: bytearray(), process.err: bytearray()}
    out, err = said.values()
    waiting, idle = set(said), False
    while waiting:
        left = deadline - time.monotonic()
        gone = idle and process.ended()
        ready = select.select(list(waiting), [], [], 0.0 if gone else max(0.0, min(left, GRACE)))[0]
        idle = not ready
        if left <= 0:
            return 1, b"", b""
        if gone and idle:
            break
        for descriptor in ready:
            data = os.read(descriptor, 65536)
            said[descriptor] += data
            if not data:
                waiting.discard(descriptor)
        if len(out) + len(err) > LIMIT:
            return 2, b"", b""
    return 0, bytes(out), bytes(err)


def run(command: bytes, seconds: int) -> "tuple[int, int, bytes, bytes]":
    """Run one command; returns (exit status, flag, stdout, stderr)."""
    KILLED[:] = [process for process in KILLED if not process.ended()]
    deadline, pause = time.monotonic() + seconds, 0.0
    process = Process(command)
    try:
        flag, out, err = read(process, deadline)
        while not flag and not process.ended():  # it closed its output and goes on
            flag = int(time.monotonic() > deadline)
            time.sleep(pause)
            pause = min(0.05, 2 * pause + 0.0002)
        if flag:
            process.kill()
            return -1, flag, b"", b""
        assert process.status is not None
        return process.status, 0, out, err
    finally:
        process.close()


def serve(requests: "BinaryIO", answers: "BinaryIO") -> None:
    """Answer until the other side closes."""
    while True:
        head = requests.read(12)
        if len(head) < 12:
            return
        mark, length, seconds = struct.unpack(">4sII", head)
        try:
            status, flag, out, err = run(requests.read(length), seconds)
        except OSError as error:
            status, flag, out, err = 126, 0, b"", str(error).encode()
        answers.write(struct.pack(">4siBII", mark, status, flag, len(out), len(err)) + out + err)
        answers.flush()


if __name__ == "__main__":
    os.chdir("/")
    # The bootstrap's NONCE tells the first frame from a login banner.
    sys.stdout.buffer.write(globals()["NONCE"])
    sys.stdout.buffer.flush()
    serve(sys.stdin.buffer, sys.stdout.buffer)
