"""Runs on the node, as root, for one verification: reads commands from stdin, answers on stdout.

Sent over the channel as text, so it uses the standard library only and works with any Python 3 of the node.
One request:  >4sII  its mark, length of the command, seconds it may take;  then the command (for /bin/sh).
One answer:   >4siBII  the request's mark, exit status, flag, length of stdout, length of stderr;  then both.
Flags: 0 complete, 1 the command took too long, 2 the command said too much (both: it was ended).
"""

import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from typing import BinaryIO

LIMIT = 8 * 1024 * 1024
GRACE = 0.5  # a daemon that a command left behind may hold its stdout open for ever
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Words in which a shell sees nothing but words: it would only start the program, at its own cost.
PLAIN = re.compile(rb"[A-Za-z0-9_./+-]+( [A-Za-z0-9_./:,@%+=-]+)*")
# What dash does itself under the name of a program, so that the program never answers in its place.
OWN = b"""alias bg cd command echo eval exec exit export false fg getopts hash if jobs kill local
printf pwd read readonly return set shift test times trap true type ulimit umask unalias unset wait""".split()


def plain(command: bytes) -> "list[bytes]":
    """The words of a command for which a shell would do nothing but start the program; none: it needs one."""
    words = command.split(b" ") if PLAIN.fullmatch(command) else [b""]
    places = [b"" if b"/" in words[0] else folder.encode() + b"/" for folder in PATH.split(":")]
    known = words[0] not in (b"", *OWN) and any(os.access(place + words[0], os.X_OK) for place in places)
    return words if known else []


def start(command: bytes) -> "subprocess.Popen[bytes]":
    """Start a command, in a session of its own, so that it can be ended with all its children."""

    def popen(words: "list[bytes]") -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"LC_ALL": "C", "PATH": PATH, "HOME": "/root"},
            cwd="/",
            start_new_session=True,
        )

    shell = [b"/bin/sh", b"-c", command]
    try:
        return popen(plain(command) or shell)
    except OSError:  # a script that names no interpreter is one for the shell
        return popen(shell)


def run(command: bytes, seconds: int) -> "tuple[int, int, bytes, bytes]":
    """Run one command; returns (exit status, flag, stdout, stderr)."""
    process = start(command)
    assert process.stdout is not None and process.stderr is not None
    said = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    out, err = said.values()
    waiting, deadline, flag = set(said), time.monotonic() + seconds, 0
    while waiting and not flag:
        left = deadline - time.monotonic()
        gone = process.poll() is not None
        ready = select.select(list(waiting), [], [], max(0.0, min(left, GRACE)))[0]
        if left <= 0:
            flag = 1
        elif gone and not ready:
            break
        for descriptor in ready:
            data = os.read(descriptor, 65536)
            said[descriptor] += data
            if not data:
                waiting.discard(descriptor)
        if len(out) + len(err) > LIMIT:
            flag = 2
    if flag:
        os.killpg(process.pid, signal.SIGKILL)
        return -1, flag, b"", b""
    try:
        status = process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return -1, 1, b"", b""
    finally:
        process.stdout.close()
        process.stderr.close()
    return status, 0, bytes(out), bytes(err)


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
    # The bootstrap's NONCE tells the first frame from a login banner.
    sys.stdout.buffer.write(globals()["NONCE"])
    sys.stdout.buffer.flush()
    serve(sys.stdin.buffer, sys.stdout.buffer)
