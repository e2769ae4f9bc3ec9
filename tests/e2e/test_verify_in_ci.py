"""The verifier as users run it on a real, hardened node: the CI examples as written, any inventory, drift."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from report.model import Status
from tests.suite_run import ROOT, environment, harden, suite
from twin.machines import Lone

EXAMPLES = ROOT / "docs" / "examples"
NODE = "edge-a-1"


@dataclass
class Fleet:
    """A hardened lone node with its contract, and a folder for reports."""

    lone: Lone
    home: Path

    @property
    def variables(self) -> dict[str, str]:
        """What the examples ask the CI system for."""
        return {
            "SUITES": "tests/nodes",
            "REGION": str(self.home / "region.json"),
            "INVENTORY": str(self.lone.inventory_file),
            "REPORT": str(self.home / "report"),
        }

    def run(self, *argv: str, shell: bool = False, **more: str) -> subprocess.CompletedProcess[str]:
        """A command in the repository, as a CI job starts it."""
        command = ["sh", "-e", "-c", argv[0]] if shell else list(argv)
        return subprocess.run(
            command,
            cwd=ROOT,
            env=environment("STOCKADE_TODAY") | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )


@pytest.fixture(scope="module")
def fleet(lone_node_module: Lone, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """One node for the whole module, hardened once."""
    home = tmp_path_factory.mktemp("ci")
    (home / "region.json").write_text(json.dumps(lone_node_module.machines.region))
    harden(lone_node_module.inventory_file)
    return Fleet(lone_node_module, home)


def github_steps() -> list[tuple[str, bool]]:
    """Every `run` of the example with whether it runs after a failure as well."""
    steps = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())["jobs"]["verify"]["steps"]
    return [(step["run"], step.get("if") == "always()") for step in steps if "run" in step]


def gitlab_steps() -> list[tuple[str, bool]]:
    """The same of GitLab's job."""
    job = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["verify"]
    before = [(line, False) for line in [*job["before_script"], *job["script"]]]
    return before + [(line, True) for line in job["after_script"]]


def kept() -> list[str]:
    """What both examples keep as artifacts, with GitHub's expressions and GitLab's variables resolved."""
    steps = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())
    upload = next(s for s in steps["jobs"]["verify"]["steps"] if "upload-artifact" in s.get("uses", ""))
    job = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["verify"]["artifacts"]
    found = [upload["with"]["path"], *job["paths"], job["reports"]["junit"]]
    return [re.sub(r"\$\{\{ vars\.STOCKADE_(\w+) \}\}|\$(\w+)", r"{\1\2}", path) for path in found]


@pytest.mark.parametrize("steps", [github_steps, gitlab_steps])
def test_an_example_runs_as_written_and_keeps_its_report(fleet: Fleet, steps: Any) -> None:
    said = []
    for command, _ in steps():
        done = fleet.run(command, shell=True, **fleet.variables)
        said.append(f"{command}\n{done.stdout}{done.stderr}")
        assert done.returncode == 0, "\n".join(said)
    for path in kept():
        assert Path(path.format(**fleet.variables)).exists(), path
    results = json.loads((Path(fleet.variables["REPORT"]) / "results.json").read_text())
    assert results["subjects"][0]["id"] == NODE and results["faults"] == []
    assert (Path(fleet.variables["REPORT"]) / "index.html").stat().st_size > 10_000


@pytest.mark.parametrize("steps", [github_steps, gitlab_steps])
def test_an_example_is_red_when_the_node_is_not_there(fleet: Fleet, steps: Any) -> None:
    lost = fleet.home / "lost.yml"
    lost.write_text(
        yaml.safe_dump({"all": {"hosts": {NODE: {"ansible_host": "127.0.0.1", "ansible_port": 9}}}})
    )
    variables = {**fleet.variables, "INVENTORY": str(lost), "REPORT": str(fleet.home / "lost")}
    codes: list[int] = []
    for command, always in steps():
        if always or not any(codes):
            codes.append(fleet.run(command, shell=True, **variables).returncode)
    assert 3 in codes, codes
    assert (fleet.home / "lost" / "junit.xml").exists() and (fleet.home / "lost" / "index.html").exists()


def test_any_inventory_and_any_group_reach_the_node(fleet: Fleet) -> None:
    """INI with other names, the same through a script; without a contract, and two side by side."""
    host = fleet.lone.inventory["all"]["children"]["nodes"]["children"]["edge"]["hosts"][NODE]
    shared = fleet.lone.inventory["all"]["vars"]
    reach = {k: v for k, v in {**shared, **host}.items() if k.startswith("ansible_")}
    words = " ".join(f"{key}={json.dumps(str(value))}" for key, value in reach.items())
    ini = fleet.home / "company.ini"
    ini.write_text(f"[shop_front]\nserver17 {words}\n[office]\nprinter ansible_host=192.0.2.1\n")
    script = fleet.home / "company"
    listed = {"shop_front": {"hosts": ["server17"]}, "_meta": {"hostvars": {"server17": reach}}}
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(listed)}\nEND\n")
    script.chmod(0o755)
    chosen = ("--expect", "server17", "-k", "test_ssh_server")
    code, first = suite(ini, fleet.home, "--limit", "shop_front", *chosen, today=False)
    again, second = suite(script, fleet.home, "-n", "2", *chosen, today=False)
    assert (code, again) == (0, 0), (first.faults, second.faults)
    for found in (first, second):
        assert {subject.id for subject in found.subjects} == {"server17"}
        assert len([r for r in found.results if r.status is Status.PASS]) > 15


def test_drift_is_told_by_the_suite_and_by_the_roles(fleet: Fleet) -> None:
    """Accepted, then a setting is loosened by hand: which control, which node, since when, which task."""
    report = ["--results", str(Path(fleet.variables["REPORT"]) / "results.json")]
    accept = fleet.run(sys.executable, "-m", "verify", "accept", *report)
    assert accept.returncode == 0, accept.stderr
    drift = ["-m", "verify", "drift", *report, "--region", fleet.variables["REGION"]]
    drift += ["--inventory", fleet.variables["INVENTORY"]]
    done = fleet.lone.sudo(
        'sed -i "s/^MaxAuthTries.*/MaxAuthTries 9/" /etc/ssh/sshd_config.d/00-stockade.conf'
    )
    assert done.returncode == 0, done.stderr
    found = fleet.run(sys.executable, *drift)
    assert found.returncode == 1, found.stdout + found.stderr
    said = json.loads((Path(fleet.variables["REPORT"]) / "drift.json").read_text())
    changed = {(c["subject"], c["before"], c["after"]) for c in said["changes"]}
    assert changed == {(NODE, "pass", "fail")}, said["changes"]
    assert {task["role"] for task in said["roles"]} == {"ssh_server"}
    assert "MaxAuthTries 9" in said["roles"][0]["text"]
