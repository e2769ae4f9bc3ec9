"""What pytest says at the end of a run: numbers, and each test only where somebody asks for it."""

from __future__ import annotations

import textwrap

import pytest

from tests.unit import verify_bench
from tests.unit.verify_bench import GOOD, Bench

pytest_plugins = ["pytester"]
bench = verify_bench.bench  # the fixture
TESTS = GOOD + textwrap.indent(
    textwrap.dedent("""
    @pytest.mark.control("STK-SSH-001")
    def test_bad(host, node):
        assert node["role"] != "edge", "open"

    @pytest.mark.control("STK-SSH-001")
    def test_no_matter(host):
        pytest.skip("not applicable: no matter")

    @pytest.fixture
    def broken(host):
        raise ValueError("a fixture's own fault")

    @pytest.mark.control("STK-SSH-001")
    def test_error(broken):
        pass
    """),
    "    ",
)
COUNTS = {"passed": 3, "failed": 1, "skipped": 2, "errors": 2}


def numbers(result: pytest.RunResult) -> dict[str, int]:
    return {name: n for name, n in result.parseoutcomes().items() if name in COUNTS}


def test_numbers_are_all_that_a_terminal_is_told(bench: Bench) -> None:
    result = bench.run(TESTS, fork=True)
    assert numbers(result) == COUNTS
    assert not any(line.startswith(".") or line.endswith("%]") for line in result.outlines)


@pytest.mark.parametrize("options", [("-v",), ("-rA",), ("--durations=0", "--durations-min=0")])
def test_who_asks_for_each_test_hears_of_each(bench: Bench, options: tuple[str, ...]) -> None:
    result = bench.run(TESTS, *options, fork=True)
    assert numbers(result) == COUNTS
    for name in ("test_good[app-a-1]", "test_good[edge-a-1]", "test_bad[edge-a-1]"):
        assert any(name in line for line in result.outlines), name


def test_a_failure_that_has_become_good_is_no_last_failure(bench: Bench) -> None:
    keeps = ("-p", "cacheprovider")
    bench.run(TESTS, *keeps, fork=True)
    last = bench.pytester.path / ".pytest_cache/v/cache/lastfailed"
    assert "test_bad[edge-a-1]" in last.read_text()
    bench.run(TESTS.replace('!= "edge"', '!= "x"'), *keeps, fork=True)
    assert "test_bad" not in last.read_text() and "test_error" in last.read_text()
