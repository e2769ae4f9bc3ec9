"""`python -m twin preview`: what would be made, judged by the guardrails, without an account."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import guardrails
import settings
from guardrails.model import bounds_of
from twin import program

ROOT = Path(__file__).parents[2]


def test_a_preview_needs_no_account_and_passes_every_guardrail(tmp_path: Path) -> None:
    environment = {**os.environ, "STOCKADE_BUILD": str(tmp_path)}
    argv = [sys.executable, "-m", "twin", "preview", "--stack", "in-mumbai"]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "gates, 0 closed" in done.stdout
    assert (tmp_path / "preview/in-mumbai/index.html").exists()
    assert not (tmp_path / "twin" / "account.json").exists()


def test_the_plan_of_the_host_carries_what_the_guardrails_judge_by(tmp_path: Path) -> None:
    run = program.run("in-mumbai", None, "preview", root=ROOT, build=tmp_path)
    stated = settings.load("in-mumbai", ROOT).model_dump(mode="json", by_alias=True)
    plan = [guardrails.Planned(**entry) for entry in run.planned]  # type: ignore[typeddict-item]
    assert guardrails.judge(plan, bounds_of(stated)) == []
    isolated = next(
        entry["urn"]
        for entry in plan
        if entry["type"] == "aws:ec2/routeTable:RouteTable"
        and entry["inputs"]["tags"].get("stockade:tier") == "isolated"
    )
    default_route = next(
        entry
        for entry in plan
        if entry["type"] == "aws:ec2/route:Route"
        and entry["inputs"].get("destinationCidrBlock") == "0.0.0.0/0"
    )
    default_route["depends"]["routeTableId"] = [isolated]
    assert [finding.rule for finding in guardrails.judge(plan, bounds_of(stated))] == ["isolated-closed"]
