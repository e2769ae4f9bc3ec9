"""One persistent, privileged channel to a node: many commands over one ssh connection.

The node is not trusted: every answer has a time limit and a size limit, and anything that is not an answer
ends the
channel with one clear sentence, never the run.
"""

from __future__ import annotations

import os
import secrets
import select
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from verify import agent

# Reads the agent from stdin, so that neither argv nor the node's sudo log carries the program.
BOOTSTRAP = (
    "import sys;r=sys.stdin.buffer;n=bytes.fromhex(r.readline().decode());"
    "exec(r.read(int(r.readline())),{'__name__':'__main__','NONCE':n})"
)
BANNER_LIMIT = 64 * 1024
PATIENCE = 5.0  # the agent keeps a command's limit; this much more is for an agent that does not
HEAD = struct.Struct(">4siBII")


class ChannelFault(RuntimeError):
    """The node cannot be spoken with (any more); everything still to be read from it is lost."""


class CommandFault(RuntimeError):
    """One command gave no usable answer; the channel goes on."""


@dataclass(frozen=True)
class Answer:
    """What one command said."""

    rc: int
    stdout: bytes
    stderr: bytes


class Channel:
    """Speaks with the agent that `argv` starts (ssh … python3 -c BOOTSTRAP, or the same without ssh).

    Times in seconds, each of them `patience` times as long on a node that is so much slower. Raises
    ChannelFault when the node is out of reach or does not keep to the protocol.
    """

    def __init__(
        self, argv: list[str], connect_seconds: float = 20, command_seconds: int = 30, patience: int = 1
    ) -> None:
        self._argv = argv
        self._connect_seconds = connect_seconds * patience
        self._command_seconds = command_seconds
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._said: bytes = b""  # the last of stderr: why ssh gave up
        self._fault: str | None = None
        self._ahead = bytearray()  # read and not yet asked for: head and answer mostly come in one piece

    def open(self) -> None:
        """Start the agent; returns when it has answered. Harmless when open."""
        if self._fault:
            raise ChannelFault(self._fault)
        if self._process is not None:
            return
        self._process = subprocess.Popen(
            self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        nonce, source = secrets.token_bytes(16), Path(agent.__file__).read_bytes()
        deadline = time.monotonic() + self._connect_seconds
        self._write(nonce.hex().encode() + b"\n" + str(len(source)).encode() + b"\n" + source, deadline)
        seen = b""
        while nonce not in seen:
            seen += self._read_some(BANNER_LIMIT, deadline)
            if len(seen) > BANNER_LIMIT:
                self._give_up(f"the node said {BANNER_LIMIT} bytes that are no answer of ours")
        if not seen.endswith(nonce):  # the agent says nothing more before it is asked
            self._give_up("the node answered out of turn or with garbage")

    def run(self, command: str | bytes, seconds: int | None = None) -> Answer:
        """Run one command by /bin/sh as root.

        Raises CommandFault when it takes longer than `seconds` or answers more than 8 MB; ChannelFault as
        above.
        """
        self.open()
        seconds = (seconds or self._command_seconds) * self._patience
        data = command.encode() if isinstance(command, str) else command
        deadline = time.monotonic() + seconds + PATIENCE
        if self._ahead:
            self._give_up("the node said more than it was asked for")
        asked = secrets.token_bytes(4)  # an answer that nobody asked for cannot know it
        self._write(struct.pack(">4sII", asked, len(data), seconds) + data, deadline)
        mark, status, flag, out, err = HEAD.unpack(self._read(HEAD.size, deadline))
        if mark != asked or out + err > agent.LIMIT + 2 * 65536:
            self._give_up("the node answered out of turn or with garbage")
        answer = Answer(status, self._read(out, deadline), self._read(err, deadline))
        if flag:
            why = f"took longer than {seconds} s" if flag == 1 else f"answered more than {agent.LIMIT} bytes"
            raise CommandFault(f"the command {why} and was ended: {data.decode(errors='replace')[:200]}")
        return answer

    @property
    def fault(self) -> str:
        """Why the node cannot be spoken with any more; "" while it can."""
        return self._fault or ""

    def close(self) -> None:
        """End the channel; harmless when closed."""
        if self._process is None:
            return
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                stream.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _give_up(self, why: str) -> None:
        last = [line for line in self._said.decode(errors="replace").splitlines() if line.strip()]
        self._fault = f"{why}: {last[-1][:300]}" if last else why
        if self._process is not None:
            self._process.kill()
        self.close()
        raise ChannelFault(self._fault)

    def _descriptors(self) -> tuple[int, int, int]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None or process.stderr is None:
            raise ChannelFault(self._fault or "the channel is closed")
        return process.stdin.fileno(), process.stdout.fileno(), process.stderr.fileno()

    def _write(self, data: bytes, deadline: float) -> None:
        stdin, _, stderr = self._descriptors()
        os.set_blocking(stdin, False)
        while data:
            readable, writable, _ = select.select(
                [stderr], [stdin], [], max(0.0, deadline - time.monotonic())
            )
            if not readable and not writable:
                self._give_up("the node did not answer in time")
            if readable and not self._listen(stderr):
                writable = [stdin]  # stderr is at its end: only a write tells whether the rest is alive
            try:
                data = data[os.write(stdin, data) :] if writable else data
            except OSError:
                self._drain(stderr)
                self._give_up("the connection ended")

    def _read(self, size: int, deadline: float) -> bytes:
        while len(self._ahead) < size:
            self._ahead += self._read_some(1 << 16 if size <= 1 << 16 else 1 << 20, deadline)
        data = bytes(self._ahead[:size])
        del self._ahead[:size]
        return data

    def _read_some(self, most: int, deadline: float) -> bytes:
        """At least one byte and at most this many."""
        _, stdout, stderr = self._descriptors()
        watched = [stdout, stderr]
        while True:
            ready = select.select(watched, [], [], max(0.0, deadline - time.monotonic()))[0]
            if not ready:
                self._give_up("the node did not answer in time")
            if stderr in ready and not self._listen(stderr):
                watched = [stdout]
            if stdout in ready:
                data = os.read(stdout, min(most, 1 << 20))
                if not data:
                    self._drain(stderr)
                    self._give_up("the connection ended")
                return data

    def _listen(self, stderr: int) -> bool:
        data = os.read(stderr, 65536)
        self._said = (self._said + data)[-4096:]
        return bool(data)

    def _drain(self, stderr: int) -> None:
        while select.select([stderr], [], [], 0.5)[0] and self._listen(stderr):
            pass
