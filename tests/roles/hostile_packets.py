"""Packets that no honest program sends: a bounded flood, and a datagram with somebody else's address."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address

from twin.machines import Lone, namespaces
from twin.machines.wires import mac

MOST = 20_000  # openings of one flood; a test needs some thousand
BURST = 500  # after so many, what may come in one burst is used up
PAUSE = 0.0002  # seconds between two, which leaves the processor to what is tested


def connected(namespace: str, source: str, target: str, port: int) -> socket.socket:
    """A connection from an address in a namespace; it stays there whoever uses it."""
    with namespaces.inside(namespace):
        made = socket.socket()
    made.settimeout(60)
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
    over, enough = threading.Event(), threading.Event()

    def send() -> None:
        with namespaces.inside(namespace):
            for number in range(MOST):
                if number == BURST:
                    enough.set()
                with socket.socket() as opening:
                    opening.setblocking(False)
                    opening.bind((source, 0))
                    opening.connect_ex((target, port))
                if over.wait(PAUSE):
                    return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        enough.wait(60)
        yield
    finally:
        over.set()
        sender.join()


def checksum(content: bytes) -> int:
    """The internet checksum of an even number of bytes (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(content) // 2}H", content))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def forged(node: Lone, source: str, port: int) -> None:
    """A datagram on the node's own wire that says it comes from `source`; no router has looked at it."""
    card = node.machines.nodes[node.name].plan.card
    addresses = IPv4Address(source).packed + IPv4Address(card.address).packed
    datagram = struct.pack("!HHHH", 9, port, 9, 0) + b"x"  # without a checksum, as RFC 768 allows
    size = 20 + len(datagram)
    header = struct.pack("!BBHHHBBH", 0x45, 0, size, 0, 0, 64, socket.IPPROTO_UDP, 0) + addresses
    _on_the_wire(node, 0x0800, header[:10] + struct.pack("!H", checksum(header)) + header[12:] + datagram)


def forged6(node: Lone, source: str, target: str, port: int) -> None:
    """The same over IPv6, to one of the node's addresses on that wire."""
    addresses = IPv6Address(source).packed + IPv6Address(target).packed
    datagram = struct.pack("!HHHH", 9, port, 10, 0) + b"xy"
    said = checksum(addresses + struct.pack("!II", len(datagram), socket.IPPROTO_UDP) + datagram)
    datagram = datagram[:6] + struct.pack("!H", said) + datagram[8:]
    header = struct.pack("!IHBB", 6 << 28, len(datagram), socket.IPPROTO_UDP, 64) + addresses
    _on_the_wire(node, 0x86DD, header + datagram)


def _on_the_wire(node: Lone, protocol: int, packet: bytes) -> None:
    card = node.machines.nodes[node.name].plan.card
    frame = bytes.fromhex(mac(card.address).replace(":", "")) + bytes(6) + struct.pack("!H", protocol)
    with namespaces.inside(node.machines.wires.vpc(card.vpc)):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with wire:
        wire.bind((card.interface, 0))
        wire.send(frame + packet)
