"""Account facts become rules: their text, and that nft takes it. What packets do is in tests/e2e."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest
from moto import mock_aws

import settings
from fault import Fault
from tests.e2e import moto_region
from tests.e2e.small_region import THREE_NODES
from twin.machines import packets, reading
from twin.machines.facts import (
    Account,
    AclEntry,
    Card,
    Group,
    Nat,
    Permission,
    Route,
    Subnet,
    Tunnel,
)

EVERYONE = "0.0.0.0/0"
OPEN = tuple(AclEntry(100, egress, "-1", None, None, EVERYONE, allow=True) for egress in (True, False))


def small(groups: dict[str, Group] | None = None, acl: tuple[AclEntry, ...] = OPEN) -> Account:
    """Two nodes in a public and a private subnet."""
    return Account(
        vpcs={"v": ("10.0.0.0/16",)},
        gateways=frozenset({"v"}),
        subnets=(
            Subnet("pub", "v", "10.0.0.0/24", (Route(EVERYONE, "internet"),), acl),
            Subnet("priv", "v", "10.0.1.0/24", (Route(EVERYONE, "nat", "nat-1"),), OPEN),
        ),
        groups=groups or {"web": Group("web", (), ()), "db": Group("db", (), ())},
        cards=(
            Card("web-a", "v", "pub", "10.0.0.10", ("web",), public="198.51.100.7"),
            Card("db-a", "v", "priv", "10.0.1.10", ("db",)),
        ),
        nats=(Nat("nat-1", "v", "pub", "198.51.100.8"),),
    )


def chain(text: str, name: str) -> list[str]:
    """The rules of one chain."""
    lines = text.splitlines()
    start = lines.index(f"  chain {name} {{")
    return [line.strip() for line in lines[start + 1 : lines.index("  }", start)]]


def test_a_card_without_rules_sends_and_takes_nothing() -> None:
    text = packets.ruleset(small(), "v")
    assert chain(text, "in_n0a00000a") == chain(text, "out_n0a00000a") == ["drop"]
    assert chain(text, "forward")[0] == "type filter hook forward priority filter; policy drop;"


@pytest.mark.parametrize(
    ("permission", "rule"),
    [
        (Permission("tcp", 443, 443, (EVERYONE,)), "meta nfproto ipv4 tcp dport 443 return"),
        (Permission("tcp", 443, 443, ("::/0",)), "meta nfproto ipv6 tcp dport 443 return"),
        (Permission("tcp", 80, 90, ("10.9.0.0/16",)), "ip saddr 10.9.0.0/16 tcp dport 80-90 return"),
        (Permission("udp", 0, 65535, ("10.9.0.0/16",)), "ip saddr 10.9.0.0/16 meta l4proto udp return"),
        (Permission("-1", None, None, ("10.9.0.1/32",)), "ip saddr 10.9.0.1 return"),
        (Permission("icmp", 8, -1, ("10.9.0.0/16",)), "ip saddr 10.9.0.0/16 icmp type 8 return"),
        (Permission("icmp", -1, -1, ("10.9.0.0/16",)), "ip saddr 10.9.0.0/16 meta l4proto icmp return"),
        (Permission("tcp", 5432, 5432, (), ("db",)), "ip saddr 10.0.1.10 tcp dport 5432 return"),
        (Permission("tcp", 1, 1, ("fd00::/8",)), "ip6 saddr fd00::/8 tcp dport 1 return"),
        (
            Permission("tcp", 22, 22, ("10.9.0.0/16", "10.9.1.0/24", "10.8.0.0/16")),
            "ip saddr 10.8.0.0/15 tcp dport 22 return",
        ),
    ],
)
def test_a_permission_becomes_one_rule(permission: Permission, rule: str) -> None:
    account = small({"web": Group("web", (permission,), ()), "db": Group("db", (), ())})
    text = packets.ruleset(account, "v")
    assert chain(text, "in_n0a00000a") == [rule, "drop"]
    assert chain(text, "out_n0a00000a") == ["drop"]
    assert chain(text, "in_n0a00010a") == ["drop"]


def test_a_group_without_members_allows_nobody() -> None:
    nobody = Permission("tcp", 22, 22, (), ("empty",))
    groups = {"web": Group("web", (nobody,), ()), "db": Group("db", (), ()), "empty": Group("empty", (), ())}
    assert chain(packets.ruleset(small(groups), "v"), "in_n0a00000a") == ["drop"]


def test_an_acl_is_judged_in_the_order_of_its_numbers_and_ends_in_a_refusal() -> None:
    acl = (
        AclEntry(200, False, "6", 443, 443, EVERYONE, allow=True),
        AclEntry(100, False, "6", 443, 443, "203.0.113.0/24", allow=False),
        AclEntry(32767, False, "-1", None, None, EVERYONE, allow=False),
    )
    assert chain(packets.ruleset(small(acl=acl), "v"), "acl_0_in") == [
        "ip saddr 203.0.113.0/24 tcp dport 443 drop",
        "meta nfproto ipv4 tcp dport 443 return",
        "meta nfproto ipv4 drop",
        "drop",
    ]


def test_acls_are_judged_before_the_state_of_a_connection_and_groups_after_it() -> None:
    forward = chain(packets.ruleset(small(), "v"), "forward")
    acl, state = forward.index("jump acl"), forward.index("ct state established,related accept")
    groups = next(i for i, rule in enumerate(forward) if rule.startswith("iifname vmap"))
    assert acl < state < groups


def test_what_goes_through_a_nat_gateway_passes_the_acl_of_the_gateways_subnet() -> None:
    jumps = chain(packets.ruleset(small(), "v"), "acl")
    assert 'oifname "igw" ip saddr 10.0.1.0/24 jump acl_0_out' in jumps
    assert 'iifname "igw" ip daddr 10.0.1.0/24 jump acl_0_in' in jumps


def test_addresses_are_translated_one_to_one_and_behind_a_nat_gateway() -> None:
    text = packets.ruleset(small(), "v")
    assert 'iifname "igw" ip daddr 198.51.100.7 dnat ip to 10.0.0.10' in chain(text, "prerouting")
    assert chain(text, "postrouting")[1:] == [
        'oifname "igw" ip saddr 10.0.0.10 snat ip to 198.51.100.7',
        'oifname "igw" ip saddr 10.0.1.0/24 snat ip to 198.51.100.8',
    ]


def test_without_an_internet_gateway_nothing_gets_out() -> None:
    closed = replace(small(), gateways=frozenset())
    assert 'oifname "igw" drop' in chain(packets.ruleset(closed, "v"), "forward")


def test_a_card_sends_under_its_own_address_only() -> None:
    forward = chain(packets.ruleset(small(), "v"), "forward")
    assert 'iifname "n0a00000a" ip saddr != 10.0.0.10 drop' in forward


@pytest.fixture
def ec2() -> Iterator[object]:
    with mock_aws():
        yield moto_region.client(None, "eu-central-1")


def test_the_account_is_read_as_it_was_written(ec2: object) -> None:
    region = moto_region.create(ec2, settings.parse(THREE_NODES))
    account = reading.account(ec2, region)
    edge, app, archive = account.cards
    assert edge.public
    assert not app.public
    assert set(account.tunnels) == {
        Tunnel("noc", "customer"),
        Tunnel("noc", "platform"),
        Tunnel("centre", "customer"),
        Tunnel("centre", "platform"),
        Tunnel("bank", "customer"),
    }
    assert [(p.left, p.right) for p in account.peerings] == [("customer", "platform")]
    assert account.gateways == {"customer", "platform"}
    assert {r.way for r in account.subnet(edge.subnet).routes} == {"internet", "vpn", "peering"}
    assert {r.way for r in account.subnet(app.subnet).routes} == {"nat", "vpn", "peering"}
    assert {r.way for r in account.subnet(archive.subnet).routes} == {"vpn", "peering"}
    inbound = account.groups[archive.groups[0]].inbound
    assert Permission("tcp", 9443, 9443, (), app.groups) in inbound
    assert account.members(app.groups[0]) == [app.address]
    numbers = [e.number for e in account.subnet(edge.subnet).acl if not e.egress]
    assert len(numbers) > 2


def test_an_instance_that_is_gone_is_named(ec2: object) -> None:
    region = moto_region.create(ec2, settings.parse(THREE_NODES))
    victim = region["nodes"][0]["instance_id"]
    ec2.terminate_instances(InstanceIds=[victim])  # type: ignore[attr-defined]
    with pytest.raises(Fault, match=f"instance {victim} is not in the account"):
        reading.account(ec2, region)


def test_nft_accepts_what_is_compiled(ec2: object) -> None:
    account = reading.account(ec2, moto_region.create(ec2, settings.parse(THREE_NODES)))
    command = ["nft", "-c", "-f", "-"]
    command = ["unshare", "--net", *command] if os.geteuid() == 0 else ["unshare", "-rn", *command]
    try:
        able = subprocess.run(
            [*command[: command.index("nft")], "nft", "list", "tables"], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("nft or unshare is not installed here")
    if able.returncode:
        pytest.skip(f"this user may not use nft in a namespace: {able.stderr.decode()[:80]}")
    for name in account.vpcs:
        text = packets.ruleset(account, name)
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
