"""The verifier is seen red for every way in which a run could look good without having proven anything."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ansible.inventory.manager
import ansible.template
import ansible.vars.manager  # noqa: F401
import pytest
import yaml

import verify.plugin  # noqa: F401 - loaded before pytester remembers what is loaded: each run would import it again
from controls import Control
from controls.waivers import load_waivers
from fault import Fault
from verify.fleet import read_contract

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
    @pytest.mark.control("STK-SSH-001")
    def test_good(host):
        assert host.run("echo good").stdout == "good\\n"
"""


@dataclass
class Bench:
    """A tiny stack with nodes that are local shells, its catalogue, its suite, and a run over it."""

    pytester: pytest.Pytester
    nodes: list[tuple[str, str]] = field(default_factory=lambda: [("edge-a-1", "edge"), ("app-a-1", "app")])
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    controls: dict[str, list[str]] = field(default_factory=lambda: {"STK-SSH-001": ["nodes"]})
    waivers: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)

    def run(self, tests: str, *arguments: str, fork: bool = False) -> pytest.RunResult:
        home = self.pytester.path
        (home / "conftest.py").write_text('pytest_plugins = ["verify.plugin"]\n')
        (home / "suite").mkdir(exist_ok=True)
        (home / "suite" / "test_it.py").write_text("import os, pytest\n" + textwrap.dedent(tests))
        self._write_contract(home)
        self._write_catalogue(home)
        out = home / "results.json"
        files = ["--region", str(home / "region.json"), "--inventory", str(home / "inventory.yml")]
        files += ["--controls", str(home), "--results", str(out)]
        given = [*files, *arguments, *([] if fork else ["--at-once", "0"])]
        given += [] if any(Path(a).exists() for a in arguments) else [str(home / "suite")]
        run = self.pytester.runpytest_subprocess if fork else self.pytester.runpytest_inprocess
        # hypothesis would load itself for the summary of every inner run
        result = run("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *given)
        self.results = json.loads(out.read_text()) if out.exists() else {}
        return result

    def statuses(self, node: str | None = None) -> list[str]:
        return [r["status"] for r in self.results["results"] if node in (None, r["subject"])]

    def faults(self) -> str:
        return "\n".join(self.results["faults"])

    def _write_contract(self, home: Path) -> None:
        nodes = [{"name": name, "role": role, "address": "127.0.0.1"} for name, role in self.nodes]
        contract = {
            "schema": "stockade/region/1",
            "stack": "t",
            "region": "ap-south-1",
            "account": "111122223333",
        }
        (home / "region.json").write_text(json.dumps({**contract, "vpcs": {}, "nodes": nodes}))
        local = {"ansible_connection": "local", "ansible_python_interpreter": "python3"}
        hosts = {
            name: {**local, **self.hosts.get(name, {})}
            for name in {n for n, _ in self.nodes} | set(self.hosts)
        }
        hosts = {name: values for name, values in hosts.items() if not values.pop("left_out", False)}
        (home / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))

    def _write_catalogue(self, home: Path) -> None:
        folder = home / "controls" / "catalogue" / "node"
        folder.mkdir(parents=True, exist_ok=True)
        for name, applies in self.controls.items():
            text = {"id": name, "title": "A state that holds", "why": "Otherwise something goes very wrong."}
            rest = {
                "severity": "low",
                "layer": "os",
                "applies_to": applies,
                "rows": ["M5"],
                "provided_by": "roles/x",
            }
            (folder / f"{name}.yaml").write_text(yaml.safe_dump({**text, **rest}))
        (home / "controls" / "waivers").mkdir(exist_ok=True)
        for number, waiver in enumerate(self.waivers):
            (home / "controls" / "waivers" / f"{number}.yaml").write_text(yaml.safe_dump(waiver))


@pytest.fixture
def bench(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return Bench(pytester)


def hostile(bench: Bench, name: str, body: str) -> dict[str, Any]:
    """Host variables of a node whose Python is this shell script."""
    script = bench.pytester.path / f"{name}.sh"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    return {"ansible_python_interpreter": str(script)}


def test_a_good_run_is_green_for_every_expected_node(bench: Bench) -> None:
    assert bench.run(GOOD, fork=True).ret == 0
    found = [(r["control"], r["subject"], r["status"]) for r in bench.results["results"]]
    assert found == [("STK-SSH-001", "app-a-1", "pass"), ("STK-SSH-001", "edge-a-1", "pass")]
    assert "echo good" in bench.results["results"][0]["evidence"]
    assert bench.results["faults"] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "--region"),
        ("no json", "--region"),
        ('{"schema": "other"}', "is no stockade/region/1 document"),
        ('{"schema": "stockade/region/1", "nodes": []}', "expects no node"),
    ],
)
def test_a_missing_or_empty_contract_is_wrong_use(tmp_path: Path, text: str | None, said: str) -> None:
    region = tmp_path / "region.json"
    if text is not None:
        region.write_text(text)
    with pytest.raises(Fault, match=said) as caught:
        read_contract(region)
    assert caught.value.code == 2


def test_wrong_use_is_one_line_and_touches_no_older_result(bench: Bench) -> None:
    assert bench.run(GOOD).ret == 0
    result = bench.run(GOOD, "--nodes", "egde-*", fork=True)
    assert result.ret == 2
    assert result.errlines == [
        "error: --nodes egde-* matches no node; the region expects app-a-1, edge-a-1; correct the pattern"
    ]
    assert bench.results["results"]


def test_the_contract_must_be_named(bench: Bench) -> None:
    bench.run(GOOD)
    result = bench.pytester.runpytest_subprocess(str(bench.pytester.path / "suite"), "-p", "no:cacheprovider")
    assert result.ret == 2 and result.errlines[0].startswith("error: --region is missing")


def test_an_expected_node_that_the_inventory_lacks_is_an_error(bench: Bench) -> None:
    bench.hosts["edge-a-1"] = {"left_out": True}
    assert bench.run(GOOD).ret == 3
    assert bench.statuses("edge-a-1") == ["error"]
    assert "edge-a-1 is expected by the region contract and missing in the inventory" in bench.faults()


def test_a_node_that_only_the_inventory_knows_turns_the_run_red(bench: Bench) -> None:
    bench.hosts["rogue-a-1"] = {}
    assert bench.run(GOOD).ret == 1
    assert "rogue-a-1 is in the inventory and unknown" in bench.faults()


def test_an_empty_selection_is_red(bench: Bench) -> None:
    assert bench.run(GOOD, "-k", "nothing_is_called_so").ret == 1
    assert "the selection is empty" in bench.faults()


def test_a_suite_without_a_test_is_red(bench: Bench) -> None:
    assert bench.run("").ret == 1
    assert "no test was collected there" in bench.faults()


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ("def test_x(host):\n    pass", "claims no control"),
        (
            '@pytest.mark.control("STK-SSH-999")\ndef test_x(host):\n    pass',
            "claims STK-SSH-999, which is not in",
        ),
        (
            '@pytest.mark.control("STK-SSH-001")\n@pytest.mark.xfail\ndef test_x(host):\n    assert 0',
            "xfail hides",
        ),
    ],
)
def test_a_test_that_proves_nothing_written_down_turns_the_run_red(
    bench: Bench, tests: str, said: str
) -> None:
    assert bench.run(textwrap.dedent(GOOD) + tests).ret == 1
    assert said in bench.faults()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("pytest.skip('no time today')", "fail", "skipped without `not applicable: reason`: no time today"),
        ("pytest.skip('not applicable: ')", "fail", "skipped without"),
        (
            "pytest.skip('not applicable: a container has no kernel')",
            "not_applicable",
            "a container has no kernel",
        ),
        ("pytest.xfail('later')", "fail", "xfail hides a failure"),
        ("assert 0, 'the door is open'", "fail", "the door is open"),
        ("raise ValueError('bug')", "error", "ValueError: bug"),
        ("assert host.run('head -c 9000000 /dev/zero').rc == 0", "error", "answered more than"),
        ("host.run('sleep 9', seconds=1)", "error", "took longer than 1 s"),
    ],
)
def test_every_end_of_a_test_has_its_status(bench: Bench, body: str, status: str, said: str) -> None:
    bench.nodes = bench.nodes[:1]
    result = bench.run(
        f'@pytest.mark.control("STK-SSH-001")\ndef test_x(host):\n    {body}\n' + textwrap.dedent(GOOD)
    )
    found = {r["test"].split("::")[-1].split("[")[0]: r for r in bench.results["results"]}
    assert found["test_x"]["status"] == status and said in found["test_x"]["message"]
    assert found["test_good"]["status"] == "pass", "the channel goes on after one bad command"
    assert result.ret == {"fail": 1, "error": 3, "not_applicable": 0}[status]


def test_a_control_without_a_result_on_a_node_turns_the_run_red(bench: Bench) -> None:
    only_edge = GOOD.replace("def test_good", '@pytest.mark.server_roles("edge")\n    def test_good')
    assert bench.run(only_edge).ret == 1
    assert "STK-SSH-001 yielded no result on app-a-1" in bench.faults()


def test_a_control_that_no_test_claims_turns_the_run_red(bench: Bench) -> None:
    bench.controls["STK-KRN-001"] = ["edge"]
    assert bench.run(GOOD).ret == 1
    assert "STK-KRN-001 yielded no result on edge-a-1" in bench.faults()


def test_a_misspelt_server_role_turns_the_run_red(bench: Bench) -> None:
    bench.controls["STK-SSH-001"] = ["edge"]
    tests = GOOD + '\n    @pytest.mark.control("STK-SSH-001")\n    @pytest.mark.server_roles("egde")\n'
    assert bench.run(tests + "    def test_y(host):\n        pass\n").ret == 1
    assert "no node has a server role of egde" in bench.faults()


def test_a_narrowed_run_says_that_it_is_no_proof_of_the_whole(bench: Bench) -> None:
    bench.controls["STK-KRN-001"] = ["nodes"]
    assert bench.run(GOOD, "-k", "good").ret == 0
    assert any("not a proof of the whole" in remark for remark in bench.results["run"]["remarks"])


def test_a_test_of_two_controls_gives_a_result_for_each(bench: Bench) -> None:
    bench.controls["STK-SSH-002"] = ["nodes"]
    assert bench.run(GOOD.replace('"STK-SSH-001"', '"STK-SSH-001", "STK-SSH-002"')).ret == 0
    assert len(bench.statuses("edge-a-1")) == 2


def test_hostile_nodes_cost_their_own_results_only(bench: Bench) -> None:
    bodies = {
        "refused-a-1": "echo 'Connection refused' >&2; exit 255",
        "noise-a-1": "exec head -c 200000 /dev/urandom",
        "flood-a-1": "exec cat /dev/zero",
        "chatty-a-1": "exec yes 'no answer of ours' >&2",
        "hung-a-1": "exec sleep 60",
    }
    for name, body in bodies.items():
        bench.nodes.append((name, "app"))
        bench.hosts[name] = hostile(bench, name, body)
    assert bench.run(GOOD, "--node-seconds", "6", fork=True).ret == 3
    found = {r["subject"]: r for r in bench.results["results"]}
    assert {name for name, r in found.items() if r["status"] == "error"} == set(bodies)
    assert {name for name, r in found.items() if r["status"] == "pass"} == {"app-a-1", "edge-a-1"}
    refused = "refused-a-1 could not be reached: the connection ended: Connection refused"
    assert found["refused-a-1"]["message"] == refused
    assert "took longer than 6 s in all" in found["hung-a-1"]["message"]


def test_a_test_that_kills_its_process_costs_its_node_only(bench: Bench) -> None:
    crash = '@pytest.mark.control("STK-SSH-001")\n@pytest.mark.server_roles("edge")\n'
    crash += "def test_crash(host):\n    os._exit(7)\n"
    assert bench.run(textwrap.dedent(GOOD) + crash, fork=True).ret == 3
    assert sorted(bench.statuses("edge-a-1")) == ["error", "pass"] and bench.statuses("app-a-1") == ["pass"]
    assert "ended before it was done" in str(bench.results["results"])


def test_a_suite_that_does_not_load_leaves_no_older_result(bench: Bench) -> None:
    bench.run(GOOD)
    assert bench.run("raise RuntimeError('broken suite')").ret == 2
    assert bench.results == {}


def test_secrets_never_reach_the_report(bench: Bench) -> None:
    lines = [
        "root:$y$j9T$abcdefgh$KJHGFDSAqwertyuiop:19000::",
        "psk = swordfish-0",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ]
    command = "; ".join(f"echo \\'{line}\\'" for line in lines)
    tests = f"@pytest.mark.control('STK-SSH-001')\ndef test_x(host):\n    out = host.run('{command}')\n"
    bench.run(tests + "    assert 'nothing' in out.stdout, out.stdout\n")
    text = json.dumps(bench.results)
    assert "redacted" in text and "root:" in text
    assert "KJHGFDSA" not in text and "swordfish" not in text


# --- waivers ---

WAIVER = {
    "id": "WVR-0001",
    "control": "STK-SSH-001",
    "subject": "edge-*",
    "owner": "platform lead",
    "approver": "security lead",
    "reason": "the vendor's appliance needs it until its next release",
    "ticket": "OPS-17",
    "expires": "2999-01-01T00:00:00+05:30",
}
BAD = """
    @pytest.mark.control("STK-SSH-001")
    def test_bad(host, node):
        assert node["role"] != "edge", "open"
"""


def test_a_waived_failure_is_shown_as_waived(bench: Bench) -> None:
    bench.waivers = [WAIVER]
    assert bench.run(BAD).ret == 0
    waived = next(r for r in bench.results["results"] if r["subject"] == "edge-a-1")
    assert waived["status"] == "waived" and waived["waiver"]["approver"] == "security lead"
    assert waived["message"] == "open"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"expires": "2020-01-01T00:00:00+00:00"}, "expired 2020-01-01"),
        ({"subject": "app-*"}, "waives nothing"),
    ],
)
def test_a_waiver_that_is_over_or_idle_turns_the_run_red(
    bench: Bench, change: dict[str, str], said: str
) -> None:
    bench.waivers = [{**WAIVER, **change}]
    assert bench.run(BAD).ret == 1
    assert said in bench.faults()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"expires": "2999-01-01"}, "time and zone"),
        ({"expires": "2999-01-01T00:00:00"}, "timezone"),
        ({"control": "STK-SSH-*"}, "control"),
        ({"control": "STK-SSH-777"}, "not in the catalogue"),
        ({"subject": "*"}, "every subject"),
        ({"approver": "Platform Lead"}, "is the owner as well"),
        ({"reason": ""}, "reason"),
        ({"risk": "low"}, "risk"),
    ],
)
def test_an_incomplete_or_too_broad_waiver_is_refused(
    tmp_path: Path, change: dict[str, str], said: str
) -> None:
    (tmp_path / "controls" / "waivers").mkdir(parents=True)
    (tmp_path / "controls" / "waivers" / "0.yaml").write_text(yaml.safe_dump({**WAIVER, **change}))
    known: dict[str, Control] = {"STK-SSH-001": Control.model_construct(id="STK-SSH-001")}
    with pytest.raises(Fault, match=said):
        load_waivers(tmp_path, known)


def test_a_waiver_that_ends_soon_is_remarked(bench: Bench) -> None:
    bench.waivers = [
        {**WAIVER, "expires": (datetime.now(UTC) + timedelta(days=5)).isoformat(timespec="seconds")}
    ]
    assert bench.run(BAD).ret == 0
    assert any("ends within 7 days" in remark for remark in bench.results["run"]["remarks"])
