"""Passing homes: what killed processes left is removed by whoever comes next, however many come at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twin.ledger import Ledger

ROOT = Path(__file__).resolve().parents[2]

NOBODY = 2**22 + 1  # above every process id
COMES = "from twin.machines import passing\nwith passing('next') as home:\n    print(home)\n"


def test_several_who_come_at_once_do_not_take_the_same_remains_apart(tmp_path: Path) -> None:
    left = tmp_path / "lone" / "killed-1"
    for number in range(5000):
        (left / "nodes" / str(number // 50) / str(number)).mkdir(parents=True)
    Ledger(left).record("path", str(left / "nodes"), owner_pid=NOBODY, owner_start=0.0)
    environment = {**os.environ, "STOCKADE_BUILD": str(tmp_path)}
    coming = [
        subprocess.Popen(
            [sys.executable, "-c", COMES], cwd=ROOT, env=environment, stdout=-1, stderr=-1, text=True
        )
        for _ in range(4)
    ]
    said = [process.communicate(timeout=600) for process in coming]
    assert [process.returncode for process in coming] == [0] * 4, said
    assert len({home for home, _ in said}) == 4
    assert list((tmp_path / "lone").iterdir()) == []
