"""Each control that only a kernel of its own can judge: something broken turns exactly these red."""

from __future__ import annotations

from contextlib import ExitStack

from tests.vm.virtual import Virtual
from tests.vm.weaknesses import TOGETHER


def test_what_is_broken_turns_exactly_its_controls_red(node: Virtual) -> None:
    with ExitStack() as repairs:
        for what, spoil, repair, _ in TOGETHER:
            repairs.callback(node.root, repair)
            done = node.attempt(spoil)
            assert done.returncode == 0, f"{what}: {done.stderr}"
        assert set(node.red()) == set().union(*(expected for *_, expected in TOGETHER))


def test_mended_it_is_green(node: Virtual) -> None:
    assert node.red() == {}
