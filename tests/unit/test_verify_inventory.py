"""Any Ansible inventory, with a region contract or with stated nodes; parts of the suite; several workers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fault import Fault
from tests.unit import verify_bench
from tests.unit.verify_bench import GOOD, Bench
from verify.fleet import choose, read_fleet
from verify.inventories import read_inventory
from verify.plugin import contract
from verify.stated import expected_names

pytest_plugins = ["pytester"]
bench = verify_bench.bench  # the fixture

INI = """
[web_servers:children]
front
back

[front]
web1 stockade_role=edge stockade_tier=public
web2 stockade_role=edge

[back]
db1

[office]
printer

[all:vars]
ansible_connection=local
ansible_python_interpreter=python3
"""
ASKS = """
    @pytest.mark.control("STK-SSH-001")
    def test_tier(node):
        assert node["tier"] == "public"

    @pytest.mark.control("STK-SSH-001")
    def test_intent(region, host):
        assert region["intent"]["flows"]
"""


def without_contract(bench: Bench, tests: str, *arguments: str) -> int:
    """A run over the ini inventory; its exit code."""
    inventory = bench.pytester.path / "fleet.ini"
    inventory.write_text(INI)
    return int(bench.run(tests, *arguments, region=False, inventory=inventory).ret)


def test_stated_nodes_of_any_inventory_are_verified(bench: Bench) -> None:
    code = without_contract(bench, GOOD, "--expect", "web1,web2", "--limit", "front")
    assert code == 0
    assert [s["id"] for s in bench.results["subjects"]] == ["web1", "web2"]
    assert bench.results["run"]["stack"] == "fleet"
    assert any("no region contract: 2 nodes" in remark for remark in bench.results["run"]["remarks"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "--region is missing; without a region contract the expected nodes are stated"),
        ({"expect": " , "}, "--expect names no node"),
        ({"expect": "web1,web1"}, "--expect names web1 twice"),
        ({"expect": "./nowhere"}, "--expect ./nowhere"),
        ({"expect": "web1", "limit": "frnt"}, "frnt matches no host; groups are back, front, office"),
        ({"expect": "web1", "limit": "front:!bakc"}, "!bakc matches no host"),
        ({"expect": "web1", "limit": "front:!front"}, "matches no host; an empty selection"),
        ({"expect": "web1", "nodes": "web1,wbe2"}, "wbe2 matches no node"),
        ({"expect": "web1", "region": Path("x")}, "--expect beside --region"),
    ],
)
def test_a_typing_error_anywhere_is_wrong_use_in_one_line(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    inventory = tmp_path / "fleet.ini"
    inventory.write_text(INI)
    option = SimpleNamespace(**{"region": None, "expect": None, "inventory": inventory, **given})
    with pytest.raises(Fault) as caught:
        found = read_inventory(inventory, given.get("limit"))
        choose(read_fleet(contract(option, found), found), given.get("nodes"))
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.code == 2


def test_wrong_use_is_said_once_by_the_command(bench: Bench) -> None:
    result = bench.run("", fork=True, region=False)
    assert result.ret == 2 and len(result.errlines) == 1
    assert result.errlines[0].startswith("error: --region is missing; without a region contract")


def test_a_stated_node_that_is_missing_and_a_host_nobody_stated_are_red(bench: Bench) -> None:
    code = without_contract(bench, GOOD, "--expect", "web1,web9", "--limit", "web_servers")
    assert code == 3
    assert "web9 is expected by the caller and missing in the inventory" in bench.faults()
    assert "db1 is in the inventory and unknown to the caller" in bench.faults()
    assert "printer" not in bench.faults(), "the limit leaves it out"


def test_what_nobody_stated_is_not_applicable_with_that_reason(bench: Bench) -> None:
    names = bench.pytester.path / "names"
    names.write_text("web1  # the first\nweb2\n\ndb1\n")
    bench.controls["STK-SSH-001"] = ["edge"]
    limit = ("--limit", "web_servers")
    code = without_contract(bench, ASKS, "--expect", str(names), *limit)
    assert code == 0, bench.faults()
    found = {(r["subject"], r["test"].split("::")[-1].split("[")[0]): r for r in bench.results["results"]}
    assert found["web1", "test_tier"]["status"] == "pass"
    assert found["web2", "test_tier"]["message"] == "the inventory does not state `tier`"
    assert found["web1", "test_intent"]["message"] == "no region contract, so it does not state `intent`"


def test_inventories_of_every_kind_are_read(tmp_path: Path) -> None:
    script = tmp_path / "dynamic"
    script.write_text(
        '#!/bin/sh\necho \'{"shop": {"hosts": ["a"], "vars": {"ansible_user": "{{ who }}", "who": "x"}},'
        ' "_meta": {"hostvars": {"a": {"ansible_host": "192.0.2.7"}}}}\'\n'
    )
    script.chmod(0o755)
    (tmp_path / "folder" / "group_vars").mkdir(parents=True)
    (tmp_path / "folder" / "hosts.yml").write_text("shop: {hosts: {a: {}}}\n")
    (tmp_path / "folder" / "group_vars" / "shop.yml").write_text("ansible_user: x\nansible_host: 192.0.2.7\n")
    for path in (script, tmp_path / "folder"):
        found = read_inventory(path, "shop")["a"]
        assert (found["ansible_host"], found["ansible_user"]) == ("192.0.2.7", "x")
        assert list(found["group_names"]) == ["shop"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "does not exist"),
        ("", "holds no host"),
        ("all: {hosts: {a: {ansible_connection: docker}}}", "a: ansible_connection docker"),
        ("all: {hosts: {a: {stockade_node: n}, b: {stockade_node: n}}}", "names a node twice"),
        ('all: {hosts: {a: {ansible_user: "{{ nobody_said }}"}}}', "nobody_said"),
    ],
)
def test_an_inventory_that_is_none_is_named(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "i.yml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Fault, match=said) as caught:
        read_inventory(path)
    assert "\n" not in str(caught.value)


def test_names_may_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "names"
    path.write_text("# all of them\nb,a\n\nc # late\n")
    assert expected_names(str(path)) == ["b", "a", "c"]


def test_workers_of_xdist_give_the_same_results(bench: Bench) -> None:
    """Everything but times: `-n 2` means two nodes side by side, not two halves of a verdict."""
    tests = GOOD + "\n    @pytest.mark.control('STK-SSH-001')\n    def test_other(host, node):\n"
    tests += "        assert node['role'] != 'edge', 'open'\n"
    shown = []
    for arguments in ((), ("-n", "2"), ("-n", "auto", "--dist", "loadfile")):
        assert bench.run(tests, *arguments, fork=True).ret == 1
        for result in bench.results["results"]:
            result.pop("seconds")
        for key in ("started", "seconds", "commit"):
            bench.results["run"].pop(key)
        shown.append(bench.results)
    assert shown[0] == shown[1] == shown[2]


@pytest.mark.parametrize(
    "options", [("-n", "2"), ("-n", "1", "--dist", "load"), ("--tx", "2*popen", "--dist", "each")]
)
def test_no_way_to_spread_a_run_hides_that_a_control_has_no_result(
    bench: Bench, options: tuple[str, ...]
) -> None:
    bench.controls["STK-SSH-002"] = ["nodes"]
    assert bench.run(GOOD, *options, fork=True).ret == 1
    assert bench.faults() == "STK-SSH-002 yielded no result on edge-a-1, app-a-1: A state that holds"
    assert len(bench.statuses()) == 2


def test_marks_and_words_select_and_say_so(bench: Bench) -> None:
    tests = GOOD + "\n    @pytest.mark.control('STK-SSH-001')\n    @pytest.mark.server_roles('edge')\n"
    tests += "    def test_edge(host):\n        pass\n"
    for arguments in (("-m", "server_roles"), ("-k", "test_edge"), ("--nodes", "edge")):
        assert bench.run(tests, *arguments).ret == 0
        assert {r["subject"] for r in bench.results["results"]} == {"edge-a-1"}
        assert any("not a proof of the whole" in remark for remark in bench.results["run"]["remarks"])
    assert bench.run(tests, "-m", "servre_roles").ret != 0, "an unknown mark selects nothing"


def test_tests_that_a_plug_in_left_out_are_said(bench: Bench) -> None:
    drop = "def pytest_collection_modifyitems(config, items):\n"
    drop += "    config.hook.pytest_deselected(items=items[1:])\n    items[:] = items[:1]\n"
    bench.pytester.path.joinpath("drop.py").write_text(drop)
    bench.run(GOOD, "-p", "drop", fork=True)
    assert any("narrowed by 1 deselected tests" in remark for remark in bench.results["run"]["remarks"])


def test_a_test_that_is_run_again_until_it_passes_turns_the_run_red(bench: Bench) -> None:
    """As pytest-rerunfailures does: the first result must not vanish behind the second."""
    again = "from _pytest.runner import runtestprotocol\n"
    again += "def pytest_runtest_protocol(item, nextitem):\n    for _ in range(2):\n"
    again += (
        "        item._initrequest()\n        runtestprotocol(item, nextitem=nextitem)\n    return True\n"
    )
    bench.pytester.path.joinpath("again.py").write_text(again)
    assert bench.run(GOOD, "-p", "again", fork=True).ret == 1
    assert "judged twice" in bench.faults()
