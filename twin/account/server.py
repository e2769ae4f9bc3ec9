"""moto's server on loopback, with the extensions installed and creations made repeatable."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moto.moto_server import threaded_moto_server, werkzeug_app
from werkzeug.serving import make_server

from twin.account import extensions
from twin.account.replay import Replay
from twin.account.turn import OneAtATime


class Requests(werkzeug_app.MotoRequestHandler):
    """Keeps connections open (a program makes a thousand calls) and writes no line per request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Only errors of the server itself are worth the log."""
        if str(code).startswith("5"):
            super().log_request(code, size)


class Server(threaded_moto_server.ThreadedMotoServer):
    """moto's threaded server around our application."""

    def _server_entry(self) -> None:
        self._server = make_server(
            self._ip_address, self._port, application(), threaded=True, request_handler=Requests
        )
        self._server_ready_event.set()
        self._server.serve_forever()


def application() -> Replay:
    """What answers: moto, one request at a time, creations made repeatable."""
    return Replay(OneAtATime(werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)))


def serve(
    account: str,
    region: str,
    port: int,
    images: Mapping[str, str],
    certificates: Mapping[str, Sequence[str]],
) -> Server:
    """Start serving; returns when the socket accepts. `images`: image id → owner's account; `certificates`:
    ARN → host names.
    """
    extensions.install()
    extensions.root_user.offer(account)
    extensions.images.offer(account, region, images)
    extensions.certificates.offer(account, region, certificates)
    server = Server(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    return server


def announce(path: Path, server: Server, facts: Mapping[str, str]) -> None:
    """Say where the account listens, in one atomic step."""
    _, port = server.get_host_and_port()
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps({**facts, "pid": os.getpid(), "port": port}))
    part.replace(path)
