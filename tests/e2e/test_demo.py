"""The main job as a user runs it: `python -m twin demo`, what it leaves, what it refuses, how it ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from network.intent import from_data
from network.reachability import reachability
from report.model import Report, Status
from tests.conftest import require_nodes
from tests.e2e.twin_command import ROOT, traces, twin
from twin.machines.fleet import Machines, attach


@dataclass
class Demo:
    """A finished demo."""

    build: Path
    done: subprocess.CompletedProcess[str]

    @property
    def report(self) -> Report:
        return Report.load(self.build / "report" / "results.json")

    def region(self) -> dict[str, Any]:
        (path,) = self.build.glob("region/*/region.json")
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def machines(self) -> Machines:
        return attach(self.build / "twin")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The first stack, taken from nothing to proven."""
    require_nodes()
    build = tmp_path_factory.mktemp("demo")
    try:
        yield Demo(build, twin(build, "demo", "--stack", "in-mumbai"))
    finally:
        twin(build, "down")


def test_it_ends_well_and_says_so(demo: Demo) -> None:
    assert demo.done.returncode == 0, demo.done.stdout[-4000:] + demo.done.stderr[-2000:]
    assert "OK: " in demo.done.stdout
    assert "NOT OK" not in demo.done.stdout
    for phase in (
        "Check settings",
        "Provision region",
        "Boot nodes",
        "Harden",
        "Verify",
        "Report",
    ):
        assert f"✓ {phase}" in demo.done.stdout


def test_at_least_a_hundred_controls_hold_on_five_nodes_of_three_roles(demo: Demo) -> None:
    report = demo.report
    proven = {result.control for result in report.results if result.status is Status.PASS}
    nodes = [subject for subject in report.subjects if subject.kind == "node"]
    assert len(proven) >= 100
    assert len(nodes) >= 5
    assert len({node.group for node in nodes}) >= 3
    assert report.run.scope == "region and nodes"
    assert report.exit_code() == 0


def test_the_report_lies_beside_the_results(demo: Demo) -> None:
    folder = demo.build / "report"
    assert "<svg" in (folder / "index.html").read_text()
    # JUnit has one case for each control on each subject; several tests may prove one.
    judged = {(result.control, result.subject) for result in demo.report.results}
    assert (folder / "junit.xml").read_text().count("<testcase") == len(judged)


def test_hardening_again_changes_nothing_on_any_node(demo: Demo) -> None:
    again = twin(demo.build, "harden")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Harden" in again.stdout
    (line,) = [line for line in again.stdout.splitlines() if line.startswith("✓ Harden")]
    assert f"0 changes on {len(demo.region()['nodes'])} nodes" in line, again.stdout[-3000:]


def test_bringing_it_up_again_changes_nothing_and_restarts_nothing(demo: Demo) -> None:
    machines = demo.machines()
    before = {name: machines.boot_id(name) for name in machines.nodes}
    again = twin(demo.build, "up", "--stack", "in-mumbai")
    assert again.returncode == 0, again.stdout + again.stderr
    (line,) = [line for line in again.stdout.splitlines() if line.startswith("✓ Provision region")]
    assert line.rstrip().endswith(" same"), line
    assert "create" not in line
    assert {name: machines.boot_id(name) for name in machines.nodes} == before


def test_real_packets_obey_the_intent_on_every_hardened_node(demo: Demo) -> None:
    region, machines = demo.region(), demo.machines()
    matrix = reachability(from_data(region["intent"]), region["nodes"])
    by_role: dict[str, list[dict[str, Any]]] = {}
    for node in region["nodes"]:
        by_role.setdefault(node["role"], []).append(node)

    def wrong(source: str, node: dict[str, Any], protocol: str, port: int, allowed: bool) -> str | None:
        outside = source == "internet" or source.startswith("source/")
        target = node.get("public_address") if outside else node["address"]
        if target is None:
            target = node["address"]
        answered = machines.probe(source, target, protocol, port, timeout=30.0 if allowed else 0.7)
        return None if answered is allowed else f"{source} → {node['name']} {protocol}/{port}: {answered}"

    asked = []
    for reach in matrix:
        kind, _, name = reach.source.partition("/")
        if kind == "load_balancer" or reach.target_role is None:
            continue  # AWS's own machines; the twin has none of them
        elsewhere = {"internet": "internet", "source": reach.source, "site": name}
        origin = elsewhere.get(kind) or by_role[name][0]["name"]
        for node in by_role[reach.target_role]:
            if node["name"] != origin:
                asked.append((origin, node, reach.protocol, reach.port, reach.allowed))
    asked += [("internet", node, "tcp", 8080, False) for node in region["nodes"]]
    with ThreadPoolExecutor(8) as pool:
        found = [problem for problem in pool.map(lambda question: wrong(*question), asked) if problem]
    answered_by = {node["name"] for _, node, _, _, allowed in asked if allowed}
    refused_by = {node["name"] for _, node, _, _, allowed in asked if not allowed}
    assert answered_by == refused_by == {node["name"] for node in region["nodes"]}
    assert not found, "\n".join(found)


def leaks(build: Path, secrets: list[str]) -> list[Path]:
    """Files of a build directory that hold a secret; a node's own disk and the login key itself left out."""
    files = [path for path in build.rglob("*") if "nodes" not in path.parts and path.is_file()]
    readable = [path for path in files if path.name != "ssh_key"]
    return [path for path in readable if any(text in path.read_text(errors="replace") for text in secrets)]


def test_no_secret_reaches_state_logs_or_report(demo: Demo) -> None:
    login = (
        (demo.build / "twin" / "ssh_key").read_text().splitlines()[3]
    )  # the first lines are alike in all keys
    shared = _pre_shared_keys(demo)
    secrets = [login, *shared]
    assert len(shared) >= 2 * len(demo.region()["vpn"]), "each tunnel has a key of its own"
    planted = demo.build / "log" / "planted.log"
    planted.write_text(f"key {shared[-1]}")
    assert leaks(demo.build, secrets) == [planted]
    planted.unlink()
    assert not [secret for secret in secrets if secret in demo.done.stdout + demo.done.stderr]


def _pre_shared_keys(demo: Demo) -> list[str]:
    import boto3  # noqa: PLC0415 - only here

    facts = [
        line.removeprefix("export ") for line in (demo.build / "twin" / "aws.env").read_text().splitlines()
    ]
    env = dict(line.replace("'", "").split("=", 1) for line in facts if "=" in line)
    client = boto3.client(
        "secretsmanager",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    names = [secret["ARN"] for secret in client.list_secrets()["SecretList"]]
    values = [json.loads(client.get_secret_value(SecretId=name)["SecretString"]) for name in names]
    return [text for value in values for text in value.values() if isinstance(text, str) and len(text) >= 8]


def test_another_stack_is_refused_while_one_is_up(demo: Demo) -> None:
    refused = twin(demo.build, "up", "--stack", "eu-frankfurt")
    assert refused.returncode == 2
    assert "in-mumbai is running" in refused.stderr
    assert "make down" in refused.stderr


def test_a_node_that_is_not_in_the_region_has_no_shell(demo: Demo) -> None:
    refused = twin(demo.build, "ssh", "edge-z-9")
    assert refused.returncode == 2
    assert "edge-a-1" in refused.stderr
    assert twin(demo.build, "ssh", "edge-a-1", "hostname").stdout.strip() == "edge-a-1"


def test_down_leaves_nothing(demo: Demo) -> None:
    assert traces(demo.build)
    gone = twin(demo.build, "down")
    assert gone.returncode == 0, gone.stderr
    assert traces(demo.build) == []
    assert "nothing was up" in twin(demo.build, "down").stdout


@pytest.mark.parametrize(
    ("stack", "more", "says"),
    [
        ("in-atlantis", (), "in-mumbai"),
        ("../in-mumbai", (), "in-mumbai"),
        ("in-mumbai", ("--nodes", "edge-a-1,appp"), "--nodes edge-a-1,appp: appp matches no node"),
    ],
)
def test_an_unknown_stack_or_node_creates_nothing(
    stack: str, more: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    refused = twin(tmp_path, "demo", "--stack", stack, *more)
    assert refused.returncode == 2
    assert says in refused.stderr
    assert traces(tmp_path) == []
    assert not list(tmp_path.glob("region/*"))


def test_a_wrong_stack_file_is_refused_line_by_line_and_creates_nothing(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns("build", ".git", ".*cache", "__pycache__"))
    stack = checkout / "Pulumi.in-mumbai.yaml"
    text = stack.read_text()
    broken = text.replace(
        "stockade:region: ap-south-1", "stockade:region: us-east-1\n  stockade:colour: blue"
    )
    assert broken != text
    stack.write_text(broken)
    environment = {**os.environ, "STOCKADE_BUILD": str(tmp_path / "build")}
    argv = [sys.executable, "-m", "twin", "demo", "--stack", "in-mumbai"]
    refused = subprocess.run(argv, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "us-east-1" in refused.stderr
    assert "colour" in refused.stderr
    assert traces(tmp_path / "build") == []
    assert not list((tmp_path / "build").glob("region/*"))
