"""One request at a time: moto's tables are plain dictionaries, and a program asks from many threads.

Two requests at once, one that walks a table and one that changes it, end in an internal error that AWS never
gives. Python runs one of them at a time anyway, so nothing is lost by letting each end before the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_turn = threading.Lock()


class OneAtATime:
    """WSGI middleware: a request has the account for itself until its answer is whole."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer when it is this request's turn."""
        with _turn:
            answer = self._application(environ, start_response)
            try:
                return [b"".join(answer)]
            finally:
                getattr(answer, "close", bool)()


@contextmanager
def let_others() -> Iterator[None]:
    """Within a request: what is waited for here asks the account itself, and needs its turn."""
    _turn.release()
    try:
        yield
    finally:
        _turn.acquire()
