"""What benchmarks.verify makes of what it has measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.verify import Cost, verdicts, watch

GOOD = [
    "  [   1.5 s] verify: edge-a-1            300/300 tests, good",
    "some warning",
    "  [   2.5 s] verify: edge-a-2            300/300 tests, good",
]


def test_the_last_node_says_how_long_the_nodes_took() -> None:
    assert watch(GOOD, 2) == 2.5


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "0 of 2 nodes"),
        (GOOD[:1], "1 of 2 nodes"),
        ([GOOD[0], GOOD[2].replace("good", "1 not good")], "1 not good"),
        ([GOOD[0], GOOD[2].replace("good", "no answer, edge-a-2 was lost")], "no answer"),
        ([GOOD[0], GOOD[2].replace("300/300 tests, good", "290/300 tests, good so far")], "so far"),
    ],
)
def test_a_run_that_is_not_whole_and_good_is_no_measurement(lines: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        watch(lines, 2)


def test_a_goal_is_met_below_its_figure_and_missed_at_it() -> None:
    one = Cost(seconds=3, nodes=1.9, cpu=2, node_cpu=1, memory=100)
    many = Cost(seconds=59, nodes=55, cpu=70, node_cpu=49, memory=189)
    met = verdicts(one, one, many, (10, 100))
    assert [line.rsplit(", ", 1)[1] for line in met] == ["met"] * 4
    slow = replace(many, seconds=60, node_cpu=50, memory=190)
    missed = verdicts(replace(one, nodes=2.0), one, slow, (10, 100))
    assert [line.rsplit(", ", 1)[1] for line in missed] == ["missed"] * 4


def test_fewer_nodes_than_the_goal_names_are_said_to_be_fewer() -> None:
    one = Cost(1, 1, 1, 1, 1)
    assert "stated for 100" in verdicts(one, one, one, (2, 20))[1]
