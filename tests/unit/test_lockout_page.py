"""The page of lock-out cases says what the tests try, no more and no less."""

from __future__ import annotations

from pathlib import Path

from tests.roles.lockout import CASES, page

ROLES = Path(__file__).resolve().parents[1] / "roles"


def test_the_page_is_current():
    assert page.PAGE.read_text() == page.text()


def test_names_are_distinct_and_every_concern_has_a_place():
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.concern for case in CASES} == set(page.TITLES)
    assert len(CASES) >= 40


def test_every_scene_is_a_test_and_every_test_a_scene():
    for file in ("killed", "scenes"):
        source = (ROLES / f"test_lockout_{file}.py").read_text()
        tests = {
            line[len("def test_") : line.index("(")]
            for line in source.splitlines()
            if line[:9] == "def test_"
        }
        named = {name for where, name, *_ in page.SCENES if where == file}
        assert {name for name in tests - named if not name.endswith("converges")} == set()
        assert named <= tests
