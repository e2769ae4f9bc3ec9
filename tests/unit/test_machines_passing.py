"""Passing homes: what killed processes left is removed by whoever comes next, however many come at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twin.ledger import Ledger
from twin.machines import ssh

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


def test_nodes_of_two_homes_share_no_connection_though_they_share_their_addresses(tmp_path: Path) -> None:
    """Ansible knows its shared connections by address and user alone: one would lead to the other's node."""
    places = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ssh_key.pub").write_text("ssh-ed25519 AAAA twin\n")
        facts = ssh.connection(tmp_path / name, ["edge-a-1"])["edge-a-1"]
        places.add((facts["ansible_control_path_dir"], facts["ansible_ssh_common_args"]))
    assert len({folder for folder, _ in places}) == len({arguments for _, arguments in places}) == 2
