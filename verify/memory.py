"""A plug-in of its own: what tens of thousands of collected tests cost in memory and in time."""

from __future__ import annotations

import gc
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Nothing of what is collected is garbage: looking for some costs more with each further node."""
    looking = gc.isenabled()
    gc.disable()
    try:
        return (yield)
    finally:
        if looking:
            gc.enable()


def pytest_itemcollected(item: pytest.Item) -> None:
    """A test that waits needs no request yet: pytest makes one, in the worker, where it finds none."""
    if isinstance(item, pytest.Function):
        item._request = False  # type: ignore[assignment]  # as pytest itself leaves a test that has run


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """What is left goes with the process: an interpreter that ends would look through it once more."""
    if config.option.at_once > 0:
        gc.freeze()
