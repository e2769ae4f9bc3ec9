"""Role customer_gateway on a node of its own; the tunnel itself is in tests/e2e/test_vpn_tunnel.py."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests import forked
from tests.roles.role_run import ROOT
from twin.machines import Lone
from twin.play import ansible_environment

KEYS = ("a.planted_pre.shared.key1", "a.planted_pre.shared.key2")
FACTS: dict[str, Any] = {
    "customer_gateway_address": "198.51.100.120",
    "customer_gateway_ranges": ["192.168.136.0/22"],
}


@pytest.fixture(scope="module")
def node(lone_node_module: Lone) -> Lone:
    return lone_node_module


def run(
    node: Lone, *arguments: str, keys: tuple[str, ...] = KEYS, before: tuple[str, ...] = (), **changes: Any
) -> Any:
    """The role with these keys, which travel in a file that only its owner reads."""
    tunnels = [{"outside": f"198.19.0.{n}", "secret": key} for n, key in enumerate(keys, start=10)]
    connection = {"name": "acme-customer", "network": "10.40.0.0/16", "tunnels": tunnels}
    home = Path(node.inventory_file).parent
    facts = home / "gateway.json"
    facts.touch(mode=0o600)
    facts.write_text(json.dumps(FACTS | {"customer_gateway_connections": [connection]} | changes))
    play = home / "gateway.yml"
    play.write_text(
        json.dumps([{"hosts": "nodes", "gather_facts": False, "roles": [*before, "customer_gateway"]}])
    )
    words = ["playbook", "-i", str(node.inventory_file), str(play), "-e", f"@{facts}", "--diff", *arguments]
    environment = {**ansible_environment(), "ANSIBLE_ROLES_PATH": str(ROOT / "roles"), "ANSIBLE_NOCOLOR": "1"}
    done = forked.python("ansible", *words, cwd=ROOT, env=environment, timeout=300)
    assert not [key for key in keys if key in done.stdout + done.stderr], "the play told a key"
    return done


def test_a_check_of_a_blank_node_changes_nothing(node: Lone) -> None:
    done = run(node, "--check")
    assert done.returncode == 0, done.stdout
    assert node.sudo("ls /etc/swanctl /etc/stockade/customer_gateway.nft").returncode != 0


@pytest.mark.parametrize(
    ("changes", "keys", "part"),
    [
        ({}, ("short", KEYS[1]), ""),
        ({}, (KEYS[0], KEYS[0]), ""),
        ({}, ("0.starts.with.zero", KEYS[1]), ""),
        ({}, KEYS[:1], "two tunnels each"),
        ({"customer_gateway_ranges": ["192.168.136.0"]}, KEYS, "networks with a prefix length"),
        ({"customer_gateway_ike_proposals": ["aes128-sha1-modp1024"]}, KEYS, "must be one or more of"),
        ({"customer_gateway_esp_proposals": ["aes256gcm16"]}, KEYS, "must be one or more of"),
    ],
)
def test_what_is_weak_or_wrong_is_refused_before_anything_changes(
    node: Lone, changes: dict[str, Any], keys: tuple[str, ...], part: str
) -> None:
    done = run(node, keys=keys, **changes)
    assert done.returncode != 0
    assert part in " ".join(done.stdout.split())
    assert node.sudo("ls /etc/swanctl").returncode != 0


def test_with_the_kernels_datapath_each_tunnel_names_an_interface_of_its_own(node: Lone) -> None:
    done = run(node, before=("packages",))  # which names the package proxy
    assert done.returncode == 0, done.stdout
    text = node.sudo("cat /etc/swanctl/conf.d/stockade.conf").stdout
    assert [line.split()[-1] for line in text.splitlines() if "if_id_out" in line] == ["1", "2"]
    listed = node.sudo("swanctl --list-conns").stdout
    assert "IKEv2" in listed
    assert "IKEv1" not in listed
    assert run(node).stdout.count("changed=0") == 1


def test_its_units_are_closed_in_and_do_their_work_all_the_same(node: Lone) -> None:
    said = node.sudo("systemd-analyze security --no-pager stockade-gateway customer-gateway-keep").stdout
    scores = dict(re.findall(r"exposure level for (\S+): ([0-9.]+)", said))
    bounds = {"stockade-gateway.service": 2.0, "customer-gateway-keep.service": 1.5}
    assert set(scores) == set(bounds), said
    assert {unit: score for unit, score in scores.items() if float(score) > bounds[unit]} == {}
    node.sudo("nft flush ruleset; systemctl restart stockade-gateway; systemctl start customer-gateway-keep")
    assert "chain" in node.sudo("nft list ruleset").stdout
    told = node.sudo("journalctl -t customer-gateway -o cat").stdout
    assert "tunnel acme-customer-1 is down; starting it" in told
