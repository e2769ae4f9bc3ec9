"""More nodes than the kernel's inotify instances let boot are refused before anything is made."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from fault import Fault
from twin.ledger import Ledger
from twin.machines import sketch, watches
from twin.machines.fleet import Machines
from twin.machines.nodes import Node
from twin.machines.scratch import contract
from twin.machines.wires import Wires


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A kernel with 100 instances a user, of which 60 are taken: five nodes fit in."""
    file = tmp_path / "max_user_instances"
    file.write_text("100\n")
    monkeypatch.setattr(watches, "LIMIT", file)
    monkeypatch.setattr(watches, "instances", lambda: 60)
    return file


def test_what_fits_boots(limit: Path) -> None:
    watches.require(5)
    limit.write_text("20\n")
    watches.require(0)


def test_one_node_more_is_refused_with_the_way_out(limit: Path) -> None:
    with pytest.raises(Fault) as refused:
        watches.require(6)
    assert str(refused.value) == (
        "fs.inotify.max_user_instances is 100, 60 are taken, nodes to boot: 6;"
        " each node's service manager needs 8 of them, and without them it boots to nowhere;"
        " `sysctl -w fs.inotify.max_user_instances=1024`, or --nodes with 5 of them at most"
    )
    limit.write_text("60\n")
    with pytest.raises(Fault, match=r"max_user_instances=1024`$"):
        watches.require(1)


@pytest.mark.skipif(os.geteuid() != 0, reason="not applicable: root's instances are what nodes take")
def test_instances_are_counted_as_the_kernel_has_them() -> None:
    libc, before = ctypes.CDLL(None), watches.instances()
    handles = [libc.inotify_init1(0) for _ in range(40)]
    try:
        # Other programs of this machine come and go meanwhile.
        assert abs(watches.instances() - before - 40) < 20
    finally:
        for handle in handles:
            os.close(handle)


def test_a_twin_asks_before_it_makes_anything(
    limit: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only what is to boot counts: a twin that runs is converged as ever."""
    limit.write_text("61\n")
    region, ledger = contract(), Ledger(tmp_path / "twin")
    machines = Machines(ledger, region, sketch.account(region), tmp_path)
    with pytest.raises(Fault, match="nodes to boot: 1;"):
        machines.raise_up(lambda _node, _state: None)
    assert list(ledger.home.glob("*")) == []
    monkeypatch.setattr(Node, "running", True)
    monkeypatch.setattr(Wires, "raise_up", lambda _: (_ for _ in ()).throw(Fault("wires", "are", "made")))
    with pytest.raises(Fault, match="wires"):
        machines.raise_up(lambda _node, _state: None)
