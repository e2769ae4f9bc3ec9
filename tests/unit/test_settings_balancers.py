"""Load balancers as words of the firewall: what is refused, with its rule and its fix."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import settings
from tests.unit.settings_sample import put, raw

ROLE = {"vpc": "customer", "tier": "public", "count": 1, "instance_type": "m7i.large"}
# Where the rules of the shipped load balancer stand: internet to front 443, 80, front to app.
SERVES, REDIRECTS, ONWARD = (len(raw()["firewall"]) - n for n in (4, 3, 2))
FRONT = raw()["load_balancers"]["front"]

CASES = [
    # place, value, key of the problem, value shown, part of the rule or the fix
    ("load_balancers.front.vpc", "elsewhere", "load_balancers.front.vpc", "elsewhere", "named that exists"),
    (
        "vpcs.customer.tiers",
        ["private"],
        "load_balancers.front.vpc",
        "customer",
        "add public to vpcs.customer",
    ),
    (
        "vpcs.customer.cidr",
        "10.20.0.0/23",
        "load_balancers.front.vpc",
        "customer 10.20.0.0/23",
        "/22 or larger",
    ),
    ("load_balancers.app", FRONT, "load_balancers.app", "app", "a server role has this name"),
    ("load_balancers.sc-pune", FRONT, "load_balancers.sc-pune", "sc-pune", "a site has this name"),
    ("load_balancers.internet", FRONT, "load_balancers.internet", "internet", "a meaning of its own"),
    ("load_balancers.spare", FRONT, "load_balancers.spare", "no rule to spare tcp 443", "serves somebody"),
    ("load_balancers.spare", FRONT, "load_balancers.spare", "no rule from spare", "server role behind it"),
    (f"firewall.{SERVES}.port", 8443, f"firewall.{SERVES}.port", "tcp 8443", "redirects tcp 80"),
    (f"firewall.{SERVES}.protocol", "udp", f"firewall.{SERVES}.port", "udp 443", "serves tcp 443"),
    (f"firewall.{SERVES}.limit", ..., f"firewall.{SERVES}.limit", "missing", "has a limit per source"),
    (
        f"firewall.{SERVES}.from",
        ["customer"],
        f"firewall.{REDIRECTS}.from",
        "internet to front tcp 80",
        "which internet may not call",
    ),
    (f"firewall.{SERVES}.from.1", "app", f"firewall.{SERVES}.from", "app to front", "called from outside"),
    (f"firewall.{ONWARD}.from.1", "internet", f"firewall.{ONWARD}.to", "app", "public tier only"),
    (f"firewall.{ONWARD}.to.1", "archive", f"firewall.{ONWARD}.to", "front to archive", "stands in platform"),
    (
        f"firewall.{ONWARD}.to.1",
        "package_proxy",
        f"firewall.{ONWARD}.to",
        "front to package_proxy",
        "roles only",
    ),
    (f"firewall.{ONWARD}.to.1", "front", f"firewall.{ONWARD}.to", "front to front", "server roles only"),
]


@pytest.mark.parametrize(("place", "value", "key", "shown", "says"), CASES)
def test_what_a_load_balancer_must_not_be_is_named(
    place: str, value: Any, key: str, shown: str, says: str
) -> None:
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(put(raw(), place, copy.deepcopy(value)))
    found = caught.value.problems
    hits = [p for p in found if p.key == key and p.value == shown and says in f"{p.rule}; {p.fix}"]
    assert len(hits) == 1, [str(p) for p in found]


def test_a_kind_of_site_may_call_a_load_balancer_when_it_has_a_tunnel_to_its_vpc() -> None:
    data = raw()
    data["firewall"][SERVES]["from"] = ["internet", "customer"]
    assert settings.parse(data)
    for name in ("acme-bank", "surya-insurance"):
        data["sites"][name]["vpcs"] = ["platform"]
    with pytest.raises(settings.SettingsError, match="has a tunnel to the VPC customer of front"):
        settings.parse(data)


def test_a_neighbour_of_a_load_balancer_is_not_let_through_by_the_nodes_firewalls() -> None:
    """app admits the public subnets on 8443 because of front; a public role allowed to a neighbour of app on
    8443 would get to app as well, as far as the nodes know."""
    data = raw()
    data["server_roles"]["batch"] = data["server_roles"]["app"]
    data["firewall"][4]["to"].append("batch")
    for index in (5, 6, -1):
        data["firewall"][index]["from"].append("batch")
    assert settings.parse(data)
    data["firewall"][2]["to"] = ["batch"]  # edge to batch, no longer to app
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(data)
    assert [p.value for p in caught.value.problems] == ["edge to app tcp 8443"]


def test_many_load_balancers_need_room_in_the_public_subnets() -> None:
    data = put(raw(), "vpcs.customer.cidr", "10.20.0.0/22")
    data["server_roles"]["app"]["count"] = data["server_roles"]["edge"]["count"] = 3
    assert settings.parse(data)
    for number in range(3):
        data["load_balancers"][f"front-{number}"] = FRONT
        data["firewall"].append(data["firewall"][SERVES] | {"to": [f"front-{number}"]})
        data["firewall"].append(data["firewall"][ONWARD] | {"from": [f"front-{number}"]})
    with pytest.raises(settings.SettingsError, match="a public subnet \\(/27\\) has room for 0 nodes"):
        settings.parse(data)
