"""What `python -m twin` makes of a machine that loses it half-way, and of one that cannot boot nodes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from report.model import Report
from tests.conftest import require_nodes
from tests.e2e.twin_command import ROOT, traces, twin


def test_killed_in_the_middle_it_leaves_nothing_after_down_and_comes_up_again(tmp_path: Path) -> None:
    require_nodes()
    environment = {**os.environ, "STOCKADE_BUILD": str(tmp_path)}
    argv = [sys.executable, "-m", "twin", "up", "--stack", "in-mumbai"]
    process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[Boot nodes]"):
            break
    time.sleep(0.7)  # somewhere among the wires and the first nodes
    process.send_signal(signal.SIGKILL)
    process.communicate()
    try:
        assert traces(tmp_path)
        assert twin(tmp_path, "up", "--stack", "in-mumbai").returncode == 0
    finally:
        assert twin(tmp_path, "down").returncode == 0
    assert traces(tmp_path) == []


def test_a_machine_that_cannot_boot_nodes_runs_the_region_half_and_says_so(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for folder in os.environ["PATH"].split(":"):
        for tool in Path(folder).glob("*"):
            if tool.name != "systemd-nspawn" and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    try:
        done = twin(tmp_path / "build", "demo", "--stack", "in-mumbai", PATH=str(tools))
        lines = done.stdout.strip().splitlines()
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
        assert lines[0].startswith("REGION ONLY: systemd-nspawn missing")
        assert lines[-1].startswith("REGION ONLY: systemd-nspawn missing")
        report = Report.load(tmp_path / "build" / "report" / "results.json")
        assert report.run.scope == "region only"
        assert any("systemd-nspawn missing" in remark for remark in report.run.remarks)
        assert "systemd-nspawn missing" in (tmp_path / "build" / "report" / "index.html").read_text()
    finally:
        twin(tmp_path / "build", "down")
