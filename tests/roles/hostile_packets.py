"""Packets that no honest program sends: a bounded flood, and a datagram with somebody else's address."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

from twin.machines import Lone, namespaces
from twin.machines.wires import mac

MOST = 20_000  # openings of one flood; a test needs some thousand
PAUSE = 0.0002  # seconds between two, which leaves the processor to what is tested


def connected(namespace: str, source: str, target: str, port: int) -> socket.socket:
    """A connection from an address in a namespace; it stays there whoever uses it."""
    with namespaces.inside(namespace):
        made = socket.socket()
    made.settimeout(5)
    made.bind((source, 0))
    made.connect((target, port))
    return made


def answered(connection: socket.socket, seconds: float) -> bool:
    """Whether a web server answers a request over a connection that stands."""
    connection.settimeout(seconds)
    connection.sendall(b"HEAD / HTTP/1.1\r\nHost: node\r\n\r\n")
    try:
        return bool(connection.recv(4096))
    except TimeoutError:
        return False


@contextmanager
def flood(namespace: str, source: str, target: str, port: int) -> Iterator[None]:
    """For the body of a `with`, openings of connections that nobody goes on with, thousands a second."""
    over = threading.Event()

    def send() -> None:
        with namespaces.inside(namespace):
            for _ in range(MOST):
                with socket.socket() as opening:
                    opening.setblocking(False)
                    opening.bind((source, 0))
                    opening.connect_ex((target, port))
                if over.wait(PAUSE):
                    return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        time.sleep(0.2)  # what may come in one burst is used up
        yield
    finally:
        over.set()
        sender.join()


def checksum(header: bytes) -> int:
    """Of an IPv4 header without its checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def forged(node: Lone, source: str, port: int) -> None:
    """A datagram on the node's own wire that says it comes from `source`; no router has looked at it."""
    card = node.machines.nodes[node.name].plan.card
    addresses = IPv4Address(source).packed + IPv4Address(card.address).packed
    datagram = struct.pack("!HHHH", 9, port, 9, 0) + b"x"  # without a checksum, as RFC 768 allows
    size = 20 + len(datagram)
    header = struct.pack("!BBHHHBBH", 0x45, 0, size, 0, 0, 64, socket.IPPROTO_UDP, 0) + addresses
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    frame = bytes.fromhex(mac(card.address).replace(":", "")) + bytes(6) + b"\x08\x00"
    with namespaces.inside(node.machines.wires.vpc(card.vpc)):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with wire:
        wire.bind((card.interface, 0))
        wire.send(frame + header + datagram)
