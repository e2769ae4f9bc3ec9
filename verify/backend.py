"""The ordinary testinfra API over our channel."""

from __future__ import annotations

from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from verify.channel import Channel
from verify.evidence import Recorder


class ChannelBackend(BaseBackend):  # type: ignore[misc]  # testinfra is not typed for export
    """Runs testinfra's commands through one channel and notes each with its answer as evidence."""

    NAME = "stockade"

    def __init__(self, node: str, channel: Channel, recorder: Recorder) -> None:
        super().__init__(node)
        self._encoding = "UTF-8"  # the agent runs everything with LC_ALL=C; text of a node is UTF-8 or ASCII
        self.channel = channel
        self.recorder = recorder

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:
        """Run a command; `seconds=` is its time limit."""
        text = self.get_command(command, *args)
        answer = self.channel.run(text, kwargs.get("seconds"))
        self.recorder.note(f"$ {text}", answer.stdout or answer.stderr, f"exit status {answer.rc}")
        return self.result(answer.rc, self.encode(text), answer.stdout, answer.stderr)

    def decode(self, data: bytes) -> str:
        """A node may answer bytes that are no text; they must not crash a check."""
        return data.decode("utf-8", errors="replace")


def open_host(node: str, channel: Channel, recorder: Recorder) -> Host:
    """A testinfra Host of this node; raises ChannelFault when the node is out of reach."""
    channel.open()
    backend = ChannelBackend(node, channel, recorder)
    host = Host(backend)
    backend.set_host(host)
    return host
