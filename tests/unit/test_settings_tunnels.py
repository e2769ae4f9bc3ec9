"""Bad input about the sites' VPN gets one line: the value, the rule, the fix."""

from __future__ import annotations

from typing import Any

import pytest

import settings
from tests.unit.settings_sample import put, raw

CASES = [
    # changes, key of the problem, value shown, part of the rule or the fix
    (
        {"sites.noc-mumbai.routing": "static", "sites.noc-mumbai.ranges": ["fd00:30::/48"]},
        "sites.noc-mumbai.routing",
        "fd00:30::/48",
        "add its IPv4 range",
    ),
    ({"sites.noc-mumbai.routing": "ospf"}, "sites.noc-mumbai.routing", "ospf", "'static'"),
    ({"sites.noc-mumbai.asn": 64512}, "sites.noc-mumbai.asn", "64512", "Amazon's end"),
    (
        {"sites.acme-bank.routing": "bgp"},
        "sites.acme-bank.routing",
        "bgp, beside noc-mumbai, sc-pune, surya-insurance on the VPN gateway of customer",
        "set routing: static",
    ),
    ({"sites.sc-pune.asn": 65010}, "sites.sc-pune.asn", "65010", "noc-mumbai has the same number"),
]


@pytest.mark.parametrize(("changes", "key", "value", "part"), CASES, ids=[f"{c[1]}={c[2]}" for c in CASES])
def test_a_bad_tunnel_is_told(changes: dict[str, Any], key: str, value: str, part: str) -> None:
    data = raw()
    for place, new in changes.items():
        put(data, place, new)
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(data)
    told = [p for p in caught.value.problems if p.key == key]
    assert any(value in p.value and part in f"{p.rule} {p.fix}" for p in told), caught.value.problems


def test_two_static_sites_may_share_a_number_that_nobody_announces() -> None:
    data = raw()
    for name in ("noc-mumbai", "sc-pune"):
        put(data, f"sites.{name}.routing", "static")
        put(data, f"sites.{name}.asn", 65010)
    settings.parse(data)


def test_a_customer_alone_on_a_gateway_may_speak_bgp() -> None:
    data = raw()
    put(data, "vpcs.theirs", {"cidr": "10.29.0.0/16", "tiers": ["isolated"]})
    put(
        data,
        "sites.theirs",
        {**data["sites"]["acme-bank"], "vpcs": ["theirs"], "routing": "bgp", "asn": 65099},
    )
    put(data, "sites.theirs.gateway", "198.51.100.99")
    put(data, "sites.theirs.ranges", ["192.168.200.0/24"])
    settings.parse(data)
