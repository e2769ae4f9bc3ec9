"""A kind of server: converged, unchanged by a second run, and what its kind says is in force."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import require_nodes
from tests.roles.role_run import harden
from twin.machines import Lone, lone

ROLES = ("packages", "users", "ssh_server", "local_firewall", "kernel")


@pytest.fixture(scope="module", params=[("bastion", "strict")], ids="-".join)
def node(request: pytest.FixtureRequest) -> Iterator[Lone]:
    """A node of a kind at a level, hardened by the roles that tell kinds apart."""
    require_nodes()
    kind, profile = request.param
    with lone(f"kind-{kind}", kind=kind, profile=profile) as made:
        harden(made, *ROLES)
        yield made


def kind_of(node: Lone) -> str:
    """What the inventory says that the node is."""
    (role,) = node.inventory["all"]["children"]["nodes"]["children"].values()
    return str(role["hosts"][node.name]["stockade_kind"])


def test_a_second_run_changes_nothing(node: Lone) -> None:
    assert harden(node, *ROLES).changed == ()


def test_packets_are_forwarded_by_a_container_host_alone(node: Lone) -> None:
    containers = kind_of(node) == "container_host"
    assert node.sudo("sysctl -n net.ipv4.ip_forward").stdout.strip() == ("1" if containers else "0")
    forward = node.sudo("nft list ruleset").stdout.partition("hook forward")[2].splitlines()[0]
    assert ("policy accept" if containers else "policy drop") in forward


def test_what_a_container_engine_loaded_is_left_alone(node: Lone) -> None:
    node.sudo(
        "nft add table ip engine; nft 'add chain ip engine forward { type filter hook forward priority 10; }'"
    )
    harden(node, *ROLES, local_firewall_log_per_minute=7)
    assert "table ip engine" in node.sudo("nft list tables").stdout


def test_ssh_passes_connections_on_for_a_bastion_alone(node: Lone) -> None:
    effective = node.sudo("sshd -T").stdout
    wanted = "local" if kind_of(node) == "bastion" else "no"
    assert f"allowtcpforwarding {wanted}" in effective
    assert "allowagentforwarding no" in effective


def test_levels_are_what_the_next_boot_reads(node: Lone) -> None:
    stated = node.sudo("cat /etc/sysctl.d/99-zz-stockade.conf").stdout
    strict = kind_of(node) == "bastion"
    assert ("kernel.panic_on_oops = 1" in stated) is strict
    assert f"kernel.unprivileged_userns_clone = {0 if strict else 1}" in stated
