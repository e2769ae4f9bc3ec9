"""The order in which the whole run starts its files (tests/conftest.py)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests import conftest

TESTS = Path(__file__).parents[1]


def test_every_file_that_is_said_to_take_long_exists_and_stands_once() -> None:
    assert [name for name in conftest.LONGEST if not (TESTS / name).is_file()] == []
    assert len(set(conftest.LONGEST)) == len(conftest.LONGEST)


def test_long_files_come_first_and_nothing_else_changes_its_place() -> None:
    second, first = (TESTS / name for name in reversed(conftest.LONGEST[:2]))
    paths = [TESTS / "unit/test_b.py", second, TESTS / "unit/test_a.py", first, second]
    items: Any = [SimpleNamespace(path=path, place=place) for place, path in enumerate(paths)]
    conftest.pytest_collection_modifyitems(items)
    assert [item.place for item in items] == [3, 1, 4, 0, 2]
