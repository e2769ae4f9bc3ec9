"""Inventory from the region contract: groups, values of every host, and the script that Ansible runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import inventory
import settings
from controls.profiles import variables
from fault import Fault
from inventory.region import find_contract, read_contract, script_data
from network.intent import resolve, to_data
from network.renderings import node_rules
from tests.unit.settings_sample import ROOT, put, raw

HOST_VARS = {
    "ansible_host",
    "stockade_node",
    "stockade_role",
    "stockade_zone",
    "stockade_tier",
    "stockade_kind",
    "stockade_profile",
    "local_firewall_inbound",
    "local_firewall_outbound",
    "local_firewall_admin_networks",
    "time_sync_servers",
    "patching_proxy",
    "patching_window",
    "patching_timezone",
    "patching_reboot",
    "audit_retention_days",
    "audit_forward",
    "ssh_server_listen_port",
    "users_administrators",
    "users_automation",
}


def node(name, address):
    role, letter, _ = name.split("-")
    tier = raw()["server_roles"][role]["tier"]
    return {"name": name, "role": role, "tier": tier, "zone": f"ap-south-1{letter}", "address": address}


@pytest.fixture
def region():
    loaded = settings.parse(raw())
    data = loaded.model_dump(mode="json", by_alias=True)
    nodes = [
        node("edge-a-1", "10.20.0.11"),
        node("app-b-1", "10.20.72.11"),
        node("app-a-1", "10.20.64.11"),
        node("archive-a-1", "10.21.128.11"),
    ]
    stated = ("services", "patching", "retention", "sites", "administrators", "automation")
    kept = {key: data[key] for key in stated}
    intent = to_data(resolve(loaded))
    return {"schema": "stockade/region/1", "stack": "in-mumbai", "nodes": nodes, "intent": intent, **kept}


def hosts(built):
    roles = built["all"]["children"]["nodes"]["children"]
    return {name: values for role in roles.values() for name, values in role["hosts"].items()}


def test_groups_are_the_roles_under_nodes_and_the_stack(region):
    children = inventory.build(region, {})["all"]["children"]
    assert set(children) == {"nodes", "in_mumbai"}
    roles = {role: sorted(group["hosts"]) for role, group in children["nodes"]["children"].items()}
    assert roles == {"edge": ["edge-a-1"], "app": ["app-a-1", "app-b-1"], "archive": ["archive-a-1"]}
    assert children["in_mumbai"] == {"children": {"nodes": {}}}


def test_every_host_has_exactly_the_values_of_the_contract(region):
    for name, values in hosts(inventory.build(region, {})).items():
        assert set(values) == HOST_VARS | set(variables("app", "cis-l2")), name
        json.dumps(values)


def test_values_are_those_of_the_region(region):
    values = hosts(inventory.build(region, {}))["app-b-1"]
    rules = node_rules(resolve(settings.parse(raw())), "app")
    assert values["local_firewall_inbound"] == rules["inbound"]
    assert values["local_firewall_outbound"] == rules["outbound"]
    assert values["local_firewall_admin_networks"] == ["172.30.10.0/24", "172.30.20.0/24"]
    assert values["patching_proxy"] == {"address": "172.30.20.10", "port": 3142}
    assert [s["address"] for s in values["time_sync_servers"]] == ["172.30.20.11", "172.30.10.11"]
    assert (values["ansible_host"], values["stockade_zone"]) == ("10.20.72.11", "ap-south-1b")
    assert (values["audit_retention_days"], values["ssh_server_listen_port"]) == (180, 22)
    assert values["patching_window"] == "Sun 01:00-04:00"


def test_keys_and_dated_accounts_reach_every_host(region):
    """What the stack file says of the image's account; without an entry the role's own list holds."""
    values = hosts(inventory.build(region, {}))["app-a-1"]
    assert [one["name"] for one in values["users_administrators"]] == ["noc-automation"]
    assert values["users_administrators"][0]["key"] == raw()["administrators"]["noc-automation"]["key"]
    assert {"admin": raw()["automation"]["admin"]["until"]} == {
        one["name"]: one["expires"] for one in values["users_automation"]
    }
    region["automation"] = {}
    assert "users_automation" not in hosts(inventory.build(region, {}))["app-a-1"]


def test_admin_networks_are_those_the_intent_lets_administer_the_role(region):
    data = put(raw(), "firewall.4.from", ["noc"])
    sc = {"from": ["service_centre", "edge"], "to": ["app"], "protocol": "tcp", "port": 22, "why": "a test"}
    data["firewall"].append(sc)
    data["sites"]["noc-mumbai"]["ranges"].append("2001:db8:a::/48")
    region["intent"] = to_data(resolve(settings.parse(data)))
    built = hosts(inventory.build(region, {}))
    noc = ["172.30.10.0/24", "2001:db8:a::/48"]
    assert built["edge-a-1"]["local_firewall_admin_networks"] == noc
    assert built["archive-a-1"]["local_firewall_admin_networks"] == noc
    assert built["app-b-1"]["local_firewall_admin_networks"] == [*noc, "172.30.20.0/24"]


def test_a_role_that_nobody_could_administer_is_a_fault(region):
    region["intent"]["flows"] = [f for f in region["intent"]["flows"] if f["port"] != 22]
    with pytest.raises(Fault, match=r"has no admin network; .*locks everybody out"):
        inventory.build(region, {})


def test_the_login_is_the_images_user_and_becomes_root(region):
    login = inventory.build(region, {})["all"]["vars"]
    assert login == {"ansible_user": "admin", "ansible_become": True, "ansible_become_user": "root"}


def test_connection_details_win_and_stay_on_their_host(region):
    built = hosts(inventory.build(region, {"edge-a-1": {"ansible_host": "192.0.2.1", "ansible_port": 2222}}))
    assert (built["edge-a-1"]["ansible_host"], built["edge-a-1"]["ansible_port"]) == ("192.0.2.1", 2222)
    assert "ansible_port" not in built["app-a-1"]


def test_a_connection_of_a_stranger_is_a_fault(region):
    with pytest.raises(Fault, match=r"connection details for edge-z-9; .* in-mumbai; nodes are app-a-1"):
        inventory.build(region, {"edge-z-9": {}})


def test_expected_nodes_are_all_of_them(region):
    assert inventory.expected_nodes(region) == ["app-a-1", "app-b-1", "archive-a-1", "edge-a-1"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nodes": []}, "nodes none; a region has nodes"),
        ({"nodes": [node("edge-a-1", "10.20.0.11")] * 2}, "each name once"),
        ({"schema": "stockade/region/2"}, "this version reads stockade/region/1"),
    ],
)
def test_a_contract_that_would_harden_nothing_is_a_fault(region, change, says):
    with pytest.raises(Fault, match=says) as caught:
        inventory.build(region | change, {})
    assert caught.value.code == 2


def test_no_contract_and_several_are_faults_that_name_them(tmp_path):
    with pytest.raises(Fault, match=r"0 region contracts: none; .*bring a region up first"):
        find_contract(tmp_path, None)
    for stack in ("one", "two"):
        (tmp_path / "build/region" / stack).mkdir(parents=True)
        (tmp_path / "build/region" / stack / "region.json").write_text("{}")
        if stack == "one":
            assert find_contract(tmp_path, None).parent.name == "one"
    with pytest.raises(Fault, match=r"2 region contracts: one, two; .*set STOCKADE_REGION"):
        find_contract(tmp_path, None)
    named = tmp_path / "build/region/two/region.json"
    assert find_contract(tmp_path, str(named)) == named
    with pytest.raises(Fault, match=r"STOCKADE_REGION=gone\.json"):
        find_contract(tmp_path, "gone.json")


@pytest.mark.parametrize("text", ["{", "[]", '"x"'])
def test_a_contract_that_is_no_object_is_a_fault(tmp_path, text):
    path = tmp_path / "region.json"
    path.write_text(text)
    with pytest.raises(Fault):
        read_contract(path)


def test_the_script_protocol_carries_the_same_hosts(region):
    data = script_data(inventory.build(region, {}))
    assert data["_meta"]["hostvars"] == hosts(inventory.build(region, {}))
    assert sorted(data["nodes"]["children"]) == ["app", "archive", "edge"]
    assert data["in_mumbai"]["children"] == ["nodes"]
    assert data["app"]["hosts"] == ["app-a-1", "app-b-1"]


def run(path, *arguments):
    """The script as Ansible runs it: by its path, from anywhere, with a bare environment."""
    return subprocess.run(
        [sys.executable, str(ROOT / "inventory/region.py"), *arguments],
        cwd="/",
        env={"STOCKADE_REGION": str(path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_answers_list_and_host(region, tmp_path):
    path = tmp_path / "region.json"
    path.write_text(json.dumps(region))
    listed = json.loads(run(path, "--list").stdout)
    assert listed["archive"]["hosts"] == ["archive-a-1"]
    assert json.loads(run(path, "--host", "edge-a-1").stdout) == listed["_meta"]["hostvars"]["edge-a-1"]
    stranger = run(path, "--host", "edge-z-9")
    assert stranger.returncode == 2
    assert stranger.stderr.startswith("error: host 'edge-z-9'; ")


def test_the_script_fails_in_one_line_without_a_contract(tmp_path):
    answer = run(tmp_path / "none.json", "--list")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert len(answer.stderr.splitlines()) == 1


def test_ansible_itself_reads_the_script(region, tmp_path):
    path = tmp_path / "region.json"
    path.write_text(json.dumps(region))
    tool = Path(sys.executable).with_name("ansible-inventory")
    environment = os.environ | {
        "STOCKADE_REGION": str(path),
        "PATH": f"{tool.parent}:{os.environ['PATH']}",
        "ANSIBLE_HOME": str(tmp_path),
    }
    answer = subprocess.run(
        [str(tool), "-i", str(ROOT / "inventory/region.py"), "--list"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "Invalid characters" not in answer.stderr
    assert sorted(json.loads(answer.stdout)["_meta"]["hostvars"]) == inventory.expected_nodes(region)


def test_the_example_for_a_real_account_is_yaml_of_that_plugin():
    example = yaml.safe_load((ROOT / "inventory/aws_ec2.yml").read_text())
    assert example["plugin"] == "amazon.aws.aws_ec2"
    assert example["filters"]["tag:stockade:stack"] == "in-mumbai"
    assert {g["key"].split("'")[1] for g in example["keyed_groups"]} == {"stockade:role", "stockade:stack"}
