"""Requests to the emulated account have turns: nobody else changes moto's tables meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from moto.moto_server import werkzeug_app

from twin.account import server
from twin.account.turn import OneAtATime, let_others


class Walk:
    """An application whose requests walk a table and change it, slowly; `GET /function` asks it once more."""

    def __init__(self) -> None:
        self.table = {str(number): number for number in range(20)}
        self.asked: Callable[..., Iterable[bytes]] = self
        self.closed = 0

    def __call__(self, environ: dict[str, Any], _start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/function":
            with let_others(), ThreadPoolExecutor(max_workers=1) as pool:
                pool.submit(ask, self.asked, "/").result(timeout=120)
        return self._answer()

    def _answer(self) -> Iterator[bytes]:
        try:
            for _ in self.table:
                time.sleep(0.001)
            self.table[threading.current_thread().name + str(time.monotonic_ns())] = 1
            yield b"whole"
        finally:
            self.closed += 1


def ask(application: Callable[..., Iterable[bytes]], path: str) -> bytes:
    return b"".join(application({"PATH_INFO": path}, lambda *_: None))


@pytest.fixture
def walk(monkeypatch: pytest.MonkeyPatch) -> Walk:
    """The account's own application, with the walk in the place of moto."""
    found = Walk()
    monkeypatch.setattr(werkzeug_app, "DomainDispatcherApplication", lambda _create: found)
    found.asked = server.application()
    return found


def test_many_threads_ask_and_each_is_answered_as_if_it_were_alone(walk: Walk) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda _: ask(walk.asked, "/"), range(16)))
    assert answers == [b"whole"] * 16
    assert (len(walk.table), walk.closed) == (36, 16)


def test_a_function_that_asks_the_account_is_answered_within_its_own_call(walk: Walk) -> None:
    assert ask(walk.asked, "/function") == b"whole"
    assert walk.closed == 2


def test_a_request_that_fails_gives_its_turn_back() -> None:
    def broken(_environ: Any, _start: Any) -> Iterable[bytes]:
        raise RuntimeError("no answer")

    with pytest.raises(RuntimeError, match="no answer"):
        ask(OneAtATime(broken), "/")
    assert ask(OneAtATime(lambda *_: [b"next"]), "/") == b"next"
