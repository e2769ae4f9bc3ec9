"""What a run left out without a word turns it red: a file, a module, a node behind another one's name."""

from __future__ import annotations

import textwrap

import pytest

from tests.unit import verify_bench
from tests.unit.verify_bench import GOOD, Bench

pytest_plugins = ["pytester"]
bench = verify_bench.bench  # the fixture
HEAD = "import pytest\n"
BAD = textwrap.dedent("""
    @pytest.mark.control("STK-SSH-001")
    def test_bad(host):
        assert 0, "open"
""")


def second(bench: Bench, text: str, name: str = "test_two.py") -> None:
    """Another file of the suite, which proves the same control."""
    (bench.pytester.path / "suite").mkdir(exist_ok=True)
    (bench.pytester.path / "suite" / name).write_text(text)


def test_an_ignored_file_makes_the_run_a_part(bench: Bench) -> None:
    second(bench, HEAD + BAD)
    assert bench.run(GOOD).ret == 1
    place = bench.pytester.path / "suite"
    for option in (f"--ignore={place / 'test_two.py'}", f"--ignore-glob={place}/*two*"):
        bench.run(GOOD, option)
        assert any("not a proof of the whole" in remark for remark in bench.results["run"]["remarks"]), option


@pytest.mark.parametrize("why", ["later", "not applicable: nothing here"])
def test_a_module_that_skips_itself_turns_the_run_red(bench: Bench, why: str) -> None:
    """It leaves no result behind that could say so, whatever its reason."""
    second(bench, HEAD + f"pytest.skip({why!r}, allow_module_level=True)\n" + BAD)
    assert bench.run(GOOD).ret == 1
    assert f"suite/test_two.py: skipped as a whole: {why}" in bench.faults()


def test_a_test_of_the_catalogue_that_was_not_collected_turns_the_run_red(bench: Bench) -> None:
    """Left out by the suite's own conftest or by an option that no one thought of."""
    second(bench, HEAD + BAD)
    bench.verified_by = {"STK-SSH-001": ["suite/test_it.py::test_good", "suite/test_two.py::test_bad"]}
    left_out = "suite/test_two.py was not collected whole: test_bad proves STK-SSH-001"
    bench.run(GOOD)
    assert left_out not in bench.faults()
    bench.run(GOOD, "-o", "python_files=test_it.py")
    assert left_out in bench.faults()
    second(bench, "collect_ignore = ['test_two.py']\n", "conftest.py")
    assert bench.run(GOOD).ret == 1
    assert left_out in bench.faults()
    bench.run(GOOD, "-k", "good")
    assert bench.faults() == "", "a part is told to be one"


def test_a_role_that_this_region_lacks_is_not_left_out(bench: Bench) -> None:
    bench.controls["STK-SSH-002"] = ["archive"]
    bench.verified_by = {"STK-SSH-002": ["suite/test_it.py::test_of_archives"]}
    only = '\n    @pytest.mark.control("STK-SSH-002")\n    @pytest.mark.server_roles("archive")\n'
    bench.run(GOOD + only + "    def test_of_archives(host):\n        pass\n")
    assert "collected" not in bench.faults(), bench.faults()


def test_two_nodes_at_one_place_turn_the_run_red(bench: Bench) -> None:
    """One of them was never looked at, and both would be green."""
    places = {"edge-a-1": ("127.0.0.1", 9), "app-a-1": ("127.0.0.1", 9), "app-b-1": ("127.0.0.1", 10)}
    bench.nodes.append(("app-b-1", "app"))
    for name, (address, port) in places.items():
        reach = {"ansible_connection": "ssh", "ansible_host": address, "ansible_port": port}
        bench.hosts[name] = reach
    bench.run(GOOD)
    assert "app-a-1, edge-a-1 are reached at one place, 127.0.0.1: only one of them can be" in bench.faults()
    assert "app-b-1" not in bench.faults()


def test_a_node_on_which_nothing_applies_turns_the_run_red(bench: Bench) -> None:
    tests = """
    @pytest.mark.control("STK-SSH-001")
    def test_x(host, node):
        if node["role"] == "edge":
            pytest.skip("not applicable: it says so")
    """
    assert bench.run(tests).ret == 1
    assert "edge-a-1: every result is not applicable: nothing was proven on it" in bench.faults()
    assert "app-a-1: every" not in bench.faults()
