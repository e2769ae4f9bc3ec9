"""An emulated account for one test file: started once, ended with the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from twin import account
from twin.program.aws import Clients

ACCOUNT, REGION = "444455556666", "ap-south-1"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Clients of a fresh account."""
    folder: Path = tmp_path_factory.mktemp("build")
    image = account.Image("ami-0f00000000000000b", "136693071363")
    found = account.start("unit", ACCOUNT, REGION, folder, image=image)
    try:
        yield Clients(found.endpoint, found.id, found.region, ("a", "b"))
    finally:
        account.stop(folder)
