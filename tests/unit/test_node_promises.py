"""The page of promises points at what is there: paths, tests, controls and cases, in every row."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

import controls
from tests.mutation import test_nodes_weakened as mutation
from tests.mutation.weaknesses.nodes import TOGETHER, ids
from tests.roles.lockout import CASES
from tests.vm import weaknesses as virtual

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/node-promises.md"
# Judged on a kernel of its own only, where nothing turns them red: some lock themselves until the next boot.
UNBROKEN = ids("AUD", 8, 9, 18) | ids("KRN", 21, 35) | ids("PAT", 15)
TOKEN = re.compile(r"`([^`]+)`")
CONTROL = re.compile(r"STK-[A-Z]{3}-\d{3}")
TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")


def rows(page: str) -> list[tuple[str, ...]]:
    """The rows of every table: promise, where, proof, broken case."""
    lines = [line.strip("| ") for line in page.splitlines() if line.startswith("| ")]
    cells = [tuple(cell.strip() for cell in line.split(" | ")) for line in lines]
    return [
        row for row in cells if row[1:] != ("where", "proof of effect", "broken case") and "---" not in row
    ]


@cache
def seen_red() -> set[str]:
    """Controls of nodes that a blank node fails, or that a weakness turns red."""
    broken = [*(case[-1] for case in (*mutation.WEAKNESSES.values(), *TOGETHER, *virtual.TOGETHER))]
    nodes = {name for name, control in controls.load(ROOT).items() if "nodes" in control.applies_to}
    return (nodes - mutation.DEBIAN_ITSELF - UNBROKEN) | set().union(*broken)


def missing_test(token: str) -> bool:
    """Whether it names a test that is not there."""
    found = TEST.fullmatch(token)
    if not found or not (ROOT / found[1]).is_file():
        return True
    return not re.search(rf"^def {found[2]}\(", (ROOT / found[1]).read_text(), re.MULTILINE)


def problems(row: tuple[str, ...]) -> list[str]:
    """What of a row is not there, or is no proof."""
    if len(row) != 4:
        return [f"{len(row)} cells"]
    where, proof, broken = (TOKEN.findall(cell) for cell in row[1:])
    cases = {case.name for case in CASES}
    wrong = [token for token in where if not (ROOT / token).exists()]
    wrong += [token for token in proof if missing_test(token)]
    wrong += [
        token
        for token in broken
        if (
            token not in seen_red()
            if CONTROL.fullmatch(token)
            else token not in cases and missing_test(token)
        )
    ]
    wrong += ["nothing is named"] if not (where and proof and broken) else []
    # What is shown without a node is no effect on one.
    return wrong + (["no node"] if all(token.startswith("tests/unit/") for token in proof) else [])


def test_every_promise_points_at_what_is_there() -> None:
    found = rows(PAGE.read_text())
    assert len(found) > 70
    assert {row[0]: problems(row) for row in found if problems(row)} == {}
    assert len({row[0] for row in found}) == len(found), "a promise stands twice"


def test_every_named_case_is_kept_to_one_page() -> None:
    """A path, a test or a case elsewhere on the page, outside of the tables, is there as well."""
    text = "\n".join(line for line in PAGE.read_text().splitlines() if not line.startswith("|"))
    assert [token for token in TOKEN.findall(text) if not (ROOT / token).exists()] == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("x", "`roles/nobody`", "`tests/vm/test_2_broken.py::test_mended_it_is_green`", "`wrong-port`"), 1),
        (("x", "`roles`", "`tests/vm/test_2_broken.py::test_mended_it_is_gree`", "`wrong-port`"), 1),
        (("x", "`roles`", "`tests/vm/test_2_broken.py::test_mended_it_is_green`", "`wrong-harbour`"), 1),
        (("x", "`roles`", "`tests/vm/test_2_broken.py::test_mended_it_is_green`", "`STK-USR-999`"), 1),
        (("x", "`roles`", "`tests/vm/test_2_broken.py::test_mended_it_is_green`", "none"), 1),
        (("x", "`roles`", "`tests/unit/test_node_promises.py::test_a_row_can_be_wrong`", "`wrong-port`"), 1),
        (("x", "`roles`"), 1),
        (("x", "`roles`", "`tests/vm/test_2_broken.py::test_mended_it_is_green`", "`wrong-port`"), 0),
    ],
)
def test_a_row_can_be_wrong(row: tuple[str, ...], said: int) -> None:
    assert len(problems(row)) == said
