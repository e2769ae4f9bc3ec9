"""The page of what the proof promises points at what is there, and leaves no broken case out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/proof-promises.md"
CASES = set(yaml.safe_load((ROOT / "tests/mutation/weaknesses/proof.yaml").read_text()))
TOKEN = re.compile(r"`([^`]+)`")
TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")
HEAD = ("promise", "where", "proof", "broken case")


def rows(page: str) -> list[tuple[str, ...]]:
    """The rows of every table: promise, where, proof, broken case."""
    lines = [line.strip("| ") for line in page.splitlines() if line.startswith("| ")]
    cells = [tuple(cell.strip() for cell in line.split(" | ")) for line in lines]
    return [row for row in cells if row != HEAD and "---" not in row]


def is_test(token: str) -> bool:
    """Whether it names a test that is there."""
    found = TEST.fullmatch(token)
    if not found or not (ROOT / found[1]).is_file():
        return False
    return bool(re.search(rf"^def {found[2]}\(", (ROOT / found[1]).read_text(), re.MULTILINE))


def problems(row: tuple[str, ...]) -> list[str]:
    """What of a row is not there. A page that measures is generated and proves as a test does."""
    if len(row) != len(HEAD):
        return [f"{len(row)} cells"]
    where, proof, broken = (TOKEN.findall(cell) for cell in row[1:])
    wrong = [token for token in where if not (ROOT / token).exists()]
    measured = {token for token in proof if token.startswith("docs/generated/") and (ROOT / token).exists()}
    wrong += [token for token in proof if token not in measured and not is_test(token)]
    wrong += [token for token in broken if token not in CASES and not is_test(token)]
    return wrong + ([] if where and proof and broken else ["nothing is named"])


def test_every_promise_points_at_what_is_there() -> None:
    found = rows(PAGE.read_text())
    assert len(found) > 50
    assert {row[0]: problems(row) for row in found if problems(row)} == {}
    assert len({row[0] for row in found}) == len(found), "a promise stands twice"


def test_every_broken_case_belongs_to_a_promise() -> None:
    named = {token for row in rows(PAGE.read_text()) for token in TOKEN.findall(row[3])}
    assert sorted(CASES - named) == []


def test_what_stands_beside_the_tables_is_there() -> None:
    text = "\n".join(line for line in PAGE.read_text().splitlines() if not line.startswith("|"))
    assert [token for token in TOKEN.findall(text) if not (ROOT / token).exists()] == []


GOOD = ("x", "`verify`", "`tests/unit/test_proof_promises.py::test_a_row_can_be_wrong`", "`drift unseen`")


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        (1, "`verify`", 0),
        (1, "`verify/nobody.py`", 1),
        (2, "`tests/unit/test_proof_promises.py::test_a_row_can_be_wron`", 1),
        (2, "`docs/generated/nothing.md`", 1),
        (2, "`docs/reports.md`", 1),
        (3, "`drift unsee`", 1),
        (3, "none", 1),
    ],
)
def test_a_row_can_be_wrong(place: int, text: str, said: int) -> None:
    assert len(problems((*GOOD[:place], text, *GOOD[place + 1 :]))) == said
