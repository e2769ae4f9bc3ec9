"""Answers over TLS 1.2 or newer, AES-256-GCM or ChaCha20 only (see openssl.cnf), on every given port."""

import asyncio
import os
import socket
import ssl
from pathlib import Path

PATIENCE = 10
"""Seconds that one connection may take: a stand-in must not be the node's weak spot."""


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One short HTTP answer that names the node, whatever was asked."""
    body = f"{socket.gethostname()}\n".encode()
    try:
        async with asyncio.timeout(PATIENCE):
            await reader.readline()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
    except (TimeoutError, OSError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Listen on every port in /etc/twin-workload.ports, on IPv4 and IPv6."""
    ports = [int(word) for word in Path("/etc/twin-workload.ports").read_text().split()]
    state = Path(os.environ["STATE_DIRECTORY"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM+AES256:ECDHE+CHACHA20")
    context.load_cert_chain(state / "node.crt", state / "node.key")
    servers = [
        await asyncio.start_server(answer, None, port, ssl=context, ssl_handshake_timeout=PATIENCE)
        for port in ports
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
