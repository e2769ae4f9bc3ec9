"""The suite's own reading of the firewall intent agrees with the program's rendering, and sees every
difference."""

from __future__ import annotations

from typing import Any

import pytest

from network.intent import resolve, to_data
from network.renderings import security_groups
from settings import parse
from twin.machines import sketch
from twin.machines.scratch import SETTINGS
from verify import firewall
from verify.subjects import Resource


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return sketch.region(parse(SETTINGS), "lone")


def test_two_readings_of_one_intent_agree(contract: dict[str, Any]) -> None:
    intent = resolve(parse(SETTINGS))
    assert to_data(intent)["flows"] == contract["intent"]["flows"]
    rendered = {(r.direction, r.protocol, r.port, r.peer) for r in security_groups(intent)["edge"]}
    endpoint_groups = {"customer": {"customer"}}
    intended = firewall.intended(contract, ("role", "edge"), endpoint_groups)
    read = {(r.direction, r.protocol, r.low, r.peer) for r in intended}
    assert rendered == read and read


def test_every_kind_of_peer_of_a_group_is_read() -> None:
    permission = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
        "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
        "UserIdGroupPairs": [{"GroupId": "sg-1"}],
        "PrefixListIds": [{"PrefixListId": "pl-1"}],
    }
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    group = Resource(
        "g", "security_group", {"IpPermissions": [permission], "IpPermissionsEgress": [everything]}
    )
    found = {str(rule) for rule in firewall.actual(group)}
    assert found == {
        "ingress tcp 443 10.0.0.0/8",
        "ingress tcp 443 ::/0",
        "ingress tcp 443 sg-1",
        "ingress tcp 443 pl-1",
        "egress -1 -1 0.0.0.0/0",
    }


def test_only_the_internet_facing_port_of_the_role_is_open_to_the_internet(contract: dict[str, Any]) -> None:
    assert firewall.internet_ports(contract, ("role", "edge")) == {("tcp", 443)}
    assert firewall.internet_ports(contract, None) == set()


def test_customers_are_no_administrators(contract: dict[str, Any]) -> None:
    sites = {**contract["sites"], "acme": {"kind": "customer", "ranges": ["192.168.64.0/24"]}}
    ranges = firewall.administration_ranges({**contract, "sites": sites})
    assert "192.168.64.0/24" not in ranges and "172.30.10.0/24" in ranges
