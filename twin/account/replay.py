"""Creations that can be repeated: the same token gets the first answer again.

AWS has this as the ClientToken of many calls. Here it holds for every call, so that a program killed
between "the account made it" and "the state knows it" finds the same resource on its next run instead of
making a second one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

_HEADER = "HTTP_X_STOCKADE_TOKEN"
Answer = tuple[str, list[tuple[str, str]], bytes]


class Replay:
    """WSGI middleware; remembers good answers by token for the life of the account."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._answers: dict[str, Answer] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer, from memory when the token is known."""
        token = environ.get(_HEADER)
        if not token:
            return self._application(environ, start_response)
        with self._guard:
            lock = self._locks.setdefault(token, threading.Lock())
        with lock:
            answer = self._answers.get(token)
            if answer is None:
                answer = self._ask(environ)
                if answer[0].startswith("2"):
                    self._answers[token] = answer
            else:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(answer[0], answer[1])
        return [answer[2]]

    def _ask(self, environ: dict[str, Any]) -> Answer:
        said: list[Any] = []

        def collect(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], Any]:
            said[:] = [status, headers]
            return lambda _: None

        body = b"".join(self._application(environ, collect))
        return said[0], list(said[1]), body
