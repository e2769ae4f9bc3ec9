"""The policy pack, started and asked as Pulumi does; and a plan that Pulumi's preview wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from guardrails import AREAS
from tests.infra.breaking import Plan, plan, put
from tests.infra.broken.base import PORT_22, default_route
from tests.infra.monitor import ROOT

PACK = ROOT / "guardrails/policy_pack"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


@pytest.fixture(scope="module")
def analyzer() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "PYTHON"))}
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(PACK)]
    with subprocess.Popen(command, cwd=PACK, env=clean, stdout=subprocess.PIPE) as pack:
        assert pack.stdout is not None
        try:
            port = int(pack.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            pack.kill()


def _struct(inputs: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(inputs, struct_pb2.Struct())


def _ask(analyzer: Any, planned: Plan) -> list[tuple[str, str, str]]:
    """(area, urn, message) of every mandatory violation, as the engine would collect them."""
    by_urn = {one["urn"]: one for one in planned}
    resources, found = [], []
    for one in planned:
        made_by = by_urn.get(one["provider"].rpartition("::")[0])
        provider = made_by and analyzer_pb2.AnalyzerProviderResource(
            type=made_by["type"],
            name=made_by["name"],
            urn=made_by["urn"],
            properties=_struct(made_by["inputs"]),
        )
        same: dict[str, Any] = {
            "type": one["type"],
            "urn": one["urn"],
            "name": one["name"],
            "provider": provider,
        }
        same["options"] = analyzer_pb2.AnalyzerResourceOptions(
            protect=one.get("protect", False), parent=one["parent"]
        )
        request = analyzer_pb2.AnalyzeRequest(properties=_struct(one["inputs"]), **same)
        found += analyzer.Analyze(request).diagnostics
        depends = {
            key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
            for key, urns in one.get("depends", {}).items()
        }
        # At the end Pulumi shows outputs; what AWS adds there must not count as an input.
        outputs = {**one["inputs"], "ingress": [{"fromPort": 0, "protocol": "-1"}]}
        resources.append(
            analyzer_pb2.AnalyzerResource(
                properties=_struct(outputs), parent=one["parent"], propertyDependencies=depends, **same
            )
        )
    found += analyzer.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources)).diagnostics
    assert {one.enforcementLevel for one in found} <= {analyzer_pb2.MANDATORY}, [one.message for one in found]
    # The SDK puts the policy's description before the message.
    return [(one.policyName, one.urn, one.message.splitlines()[-1]) for one in found]


def test_our_own_stack_passes_the_pack(analyzer: Any) -> None:
    assert _ask(analyzer, plan()) == []


def test_every_area_is_a_policy_that_says_what_it_demands(analyzer: Any) -> None:
    info = analyzer.GetAnalyzerInfo(empty_pb2.Empty())
    said = {policy.name: policy.description for policy in info.policies}
    assert set(said) == {"inputs", *AREAS}
    assert all(len(text) > 20 for text in said.values())
    assert {policy.enforcementLevel for policy in info.policies} == {analyzer_pb2.MANDATORY}


def test_a_port_open_to_everybody_is_a_violation_on_that_resource(analyzer: Any) -> None:
    planned = plan()
    PORT_22(planned)
    ((area, urn, message),) = _ask(analyzer, planned)
    assert (area, urn) == ("exposure", planned[-1]["urn"])
    assert message.startswith("ingress-intended: open to everybody: tcp 22-22")


def test_relations_reach_the_pack(analyzer: Any) -> None:
    planned = plan()
    default_route(planned)
    assert [(area, message.split(":")[0]) for area, _, message in _ask(analyzer, planned)] == [
        ("exposure", "isolated-closed")
    ]


def test_what_is_unknown_or_secret_is_judged_without_its_value(analyzer: Any) -> None:
    planned = plan()
    put("aws:ec2/vpcEndpoint:VpcEndpoint", "policy", UNKNOWN)(planned)
    put("aws:cloudwatch/logGroup:LogGroup", "authToken", {**SECRET, "value": "hunter2"})(planned)
    assert _ask(analyzer, planned) == []


# ---------------------------------------------------------------------- pulumi preview --json
def _preview(planned: Plan, **more: Any) -> str:
    steps: list[dict[str, Any]] = [{"op": "delete", "oldState": {}, "newState": None}]
    for one in planned:
        state: dict[str, Any] = {
            "propertyDependencies": one.get("depends", {}),
            "protect": one.get("protect"),
        }
        state |= {key: value for key, value in one.items() if key not in ("depends", "protect", "name")}
        steps.append({"op": "create", "urn": one["urn"], "newState": state})
    return json.dumps({"steps": steps, "diagnostics": [], **more})


def _guardrails(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "plan.json").write_text(text)
    command = [sys.executable, "-m", "guardrails", "--stack", "in-mumbai", str(tmp_path / "plan.json")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_preview_of_pulumi_is_judged_by_the_same_gates(tmp_path: Path) -> None:
    done = _guardrails(tmp_path, _preview(plan()))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().endswith("gates, 0 closed")
    planned = plan()
    PORT_22(planned)
    done = _guardrails(tmp_path, _preview(planned))
    assert done.returncode == 1
    assert done.stderr.startswith("closed: ingress-intended: urn:pulumi:in-mumbai")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a preview"),
        ("[]", "not a preview"),
        (
            _preview([], diagnostics=[{"severity": "error", "message": "no credentials"}]),
            "the preview failed: no cred",
        ),
    ],
)
def test_what_is_no_whole_preview_is_refused(tmp_path: Path, text: str, said: str) -> None:
    done = _guardrails(tmp_path, text)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_an_empty_preview_proves_nothing(tmp_path: Path) -> None:
    done = _guardrails(tmp_path, _preview([]))
    assert done.returncode == 1
    assert "plan-empty" in done.stderr
