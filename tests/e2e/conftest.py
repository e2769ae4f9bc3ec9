"""What the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import forked


@pytest.fixture(scope="module", autouse=True)
def programs() -> Iterator[None]:
    """Programs that a test itself hosts are forked; those of `python -m twin` start as users start them."""
    with forked.programs():
        yield
