"""Role customer_gateway on a node of its own; the tunnel itself is in tests/e2e/test_vpn_tunnel.py."""

from __future__ import annotations

import json
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
