"""One virtual node for all of these tests. A machine that cannot run it fails: nobody wants it by chance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.vm.virtual import Patient, Virtual
from twin.machines import lone
from twin.machines.virtual import VirtualNode


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Virtual]:
    """Untouched at first; the tests take it through its life in their order."""
    with lone("vm", VirtualNode) as made:
        yield Virtual(Patient(made.machines), tmp_path_factory.mktemp("vm"))
