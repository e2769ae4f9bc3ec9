"""What benchmarks.harden makes of what it has measured."""

from __future__ import annotations

import pytest

from benchmarks.harden import recap, verdicts

GOOD = "a : ok=9 changed=2    unreachable=0    failed=0\nb : ok=9 changed=1    unreachable=0    failed=0\n"


def test_changed_tasks_of_all_nodes_are_counted() -> None:
    assert recap(GOOD) == 3


@pytest.mark.parametrize(
    "output", ["", GOOD.replace("failed=0", "failed=1"), GOOD.replace("unreachable=0", "unreachable=1")]
)
def test_a_run_that_is_not_good_is_no_measurement(output: str) -> None:
    with pytest.raises(ValueError, match="not good"):
        recap(output)


def test_a_goal_is_met_below_its_figure_and_missed_at_it() -> None:
    met = verdicts(29.9, 5.0, 0, 30.0, 20)
    assert [line.rsplit(", ", 1)[1] for line in met] == ["met", "met", "met", "met"]
    missed = verdicts(30.0, 6.0, 1, 36.1, 20)
    assert [line.rsplit(", ", 1)[1] for line in missed] == ["missed"] * 4


def test_fewer_nodes_than_the_goal_names_are_said_to_be_fewer() -> None:
    (*_, line) = verdicts(1.0, 2.0, 0, 6.0, 5)
    assert "3.0 times" in line
    assert "stated for 20" in line
