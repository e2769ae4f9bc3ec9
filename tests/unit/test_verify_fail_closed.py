"""The verifier is seen red for every way in which a run could look good without having proven anything."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from fault import Fault
from tests.unit import verify_bench
from tests.unit.verify_bench import GOOD, Bench, hostile
from verify.fleet import read_contract

pytest_plugins = ["pytester"]
bench = verify_bench.bench  # the fixture


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


def test_wrong_use_is_one_line_and_leaves_no_older_greener_result(bench: Bench) -> None:
    assert bench.run(GOOD).ret == 0
    result = bench.run(GOOD, "--nodes", "egde-*", fork=True)
    assert result.ret == 2
    assert result.errlines == [
        "error: --nodes egde-* matches no node; the region expects app-a-1, edge-a-1; correct the pattern"
    ]
    assert bench.results == {}


def test_the_contract_must_be_named(bench: Bench) -> None:
    bench.run(GOOD)
    result = bench.pytester.runpytest_subprocess(str(bench.pytester.path / "suite"), "-p", "no:cacheprovider")
    assert result.ret == 2 and result.errlines[0].startswith("error: --region is missing")


def test_an_expected_node_that_the_inventory_lacks_is_an_error(bench: Bench) -> None:
    bench.hosts["edge-a-1"] = {"left_out": True}
    assert bench.run(GOOD).ret == 3
    assert bench.statuses("edge-a-1") == ["error"]
    assert "edge-a-1 is expected by the region contract and missing in the inventory" in bench.faults()


def test_a_part_of_the_fleet_needs_no_inventory_of_the_rest(bench: Bench) -> None:
    bench.hosts["edge-a-1"] = {"left_out": True}
    assert bench.run(GOOD, "--nodes", "app").ret == 0
    assert any("not a proof of the whole" in remark for remark in bench.results["run"]["remarks"])
    assert bench.run(GOOD, "--nodes", "app,edge-a-1").ret == 3
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
def test_every_end_of_a_test_has_its_status(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, body: str, status: str, said: str
) -> None:
    monkeypatch.setattr("verify.channel.PATIENCE", 60)  # the agent keeps a command's limit by itself
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


def test_a_control_of_the_region_without_a_result_turns_the_run_red(bench: Bench) -> None:
    """Another control of the region was judged: this one was forgotten."""
    bench.controls["STK-ACC-001"] = bench.controls["STK-ACC-002"] = ["account"]
    assert (
        bench.run(GOOD + '\n    @pytest.mark.control("STK-ACC-001")\n    def test_r():\n        pass\n').ret
        == 1
    )
    assert "STK-ACC-002 yielded no result: " in bench.faults()


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
        "hung-a-1": "exec sleep 600",
    }
    for name, body in bodies.items():
        bench.nodes.append((name, "app"))
        bench.hosts[name] = hostile(bench, name, body)
    # So much is enough for the good ones on a busy machine, and less than a connection may take.
    assert bench.run(GOOD, "--node-seconds", "15", "--patience", "3", fork=True).ret == 3
    found = {r["subject"]: r for r in bench.results["results"]}
    assert {name for name, r in found.items() if r["status"] == "error"} == set(bodies)
    assert {name for name, r in found.items() if r["status"] == "pass"} == {"app-a-1", "edge-a-1"}
    refused = "refused-a-1 could not be reached: the connection ended: Connection refused"
    assert found["refused-a-1"]["message"] == refused
    assert "took longer than 15 s in all" in found["hung-a-1"]["message"]


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
