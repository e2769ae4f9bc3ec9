"""Real packets from a chosen place, for tests: does an address answer on a port?"""

from __future__ import annotations

import select
import socket
import time

from twin.machines import namespaces
from twin.machines.facts import family

_NTP_REQUEST = b"\x23" + bytes(47)
"""Version 4, mode 3 (client): RFC 5905, section 7.3. Any server answers it."""


def answers(  # noqa: PLR0913, PLR0917  # where from, where to, how, and how long
    namespace: str, source: str | None, target: str, protocol: str, port: int, timeout: float
) -> bool:
    """Whether `target` answers on `port`, asked from `source` in a namespace.

    tcp: the connection is accepted. udp: any datagram comes back (an NTP request is sent, which other
    services may well ignore). A refusal and silence are both no.
    """
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with namespaces.inside(namespace):
        probe = socket.socket(socket.AF_INET if family(target) == 4 else socket.AF_INET6, kind)
    with probe:
        probe.settimeout(timeout)
        try:
            if source:
                probe.bind((source, 0))
            probe.connect((target, port))
            if protocol == "tcp":
                return True
            return _datagram_answered(probe, timeout)
        except OSError:
            return False


def _datagram_answered(probe: socket.socket, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        probe.send(_NTP_REQUEST)
        if select.select([probe], [], [], min(0.5, timeout))[0]:
            return bool(probe.recv(512))
    return False
