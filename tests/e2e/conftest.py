"""What the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import forked


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--every-kind`: test_kinds.py over every kind, level and release; an hour instead of minutes."""
    parser.addoption("--every-kind", action="store_true", help="every kind, level and release")


@pytest.fixture(scope="module", autouse=True)
def programs() -> Iterator[None]:
    """Programs that a test itself hosts are forked; those of `python -m twin` start as users start them."""
    with forked.programs():
        yield
