"""The hand-over sheet: all that the other end needs, and never a key."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fault import Fault
from network.handover import OPTIONS, command, describe, sheet, variables

KEY = "a.planted_pre.shared.key"
TUNNEL = {
    "TunnelInsideCidr": "169.254.20.0/30",
    "IkeVersions": [{"Value": "ikev2"}],
    "Phase1DHGroupNumbers": [{"Value": 20}, {"Value": 21}],
    "DpdTimeoutSeconds": 30,
    "PreSharedKey": KEY,
}
CONNECTION: dict[str, Any] = {
    "VpnConnectionId": "vpn-1",
    "State": "available",
    "PreSharedKeyArn": "arn:aws:secretsmanager:eu-central-1:1:secret:s2svpn",
    "CustomerGatewayConfiguration": f"<pre_shared_key>{KEY}</pre_shared_key>",
    "Options": {
        "StaticRoutesOnly": True,
        "RemoteIpv4NetworkCidr": "10.40.0.0/16",
        "TunnelOptions": [{**TUNNEL, "OutsideIpAddress": f"198.19.0.{n}"} for n in (10, 11)],
    },
}
REGION: dict[str, Any] = {
    "region": "eu-central-1",
    "stack": "eu-frankfurt",
    "vpcs": {"customer": {"cidr": "10.40.0.0/16"}},
    "sites": {"acme": {"gateway": "198.51.100.1", "ranges": ["192.168.1.0/24", "fd00::/64"], "asn": 65001}},
    "vpn": {"acme/customer": {"connection": "vpn-1"}, "acme-2/customer": {"connection": "vpn-2"}},
}


class Client:
    """Answers like EC2."""

    def describe_vpn_connections(self, VpnConnectionIds: list[str]) -> dict[str, Any]:
        assert VpnConnectionIds == ["vpn-1"]
        return {"VpnConnections": [CONNECTION]}


def written(connection: dict[str, Any] = CONNECTION) -> str:
    return sheet(REGION, "acme", {"customer": connection})


def test_the_sheet_names_both_tunnels_every_option_and_where_the_key_is() -> None:
    text = written()
    for wanted in ("198.19.0.10", "198.19.0.11", "198.51.100.1", "192.168.1.0/24", "10.40.0.0/16", "20, 21"):
        assert wanted in text
    assert all(text.count(f"| {words} |") == 2 for words in OPTIONS)
    assert "169.254.20.1, 169.254.20.2 (/30)" in text
    assert f"`{CONNECTION['PreSharedKeyArn']}`" in text
    assert "AWS's default" in text, "an option that is not pinned is named as such"


def test_no_key_is_told_even_when_the_account_tells_it() -> None:
    assert KEY in str(CONNECTION)
    assert KEY not in written() + str(variables(REGION, "acme", {"customer": CONNECTION}))


def test_a_connection_that_keeps_its_keys_in_its_description_is_not_handed_over() -> None:
    with pytest.raises(Fault, match="Secrets Manager only"):
        written({**CONNECTION, "PreSharedKeyArn": ""})


def test_a_bgp_connection_names_neighbour_and_number() -> None:
    connection = copy.deepcopy(CONNECTION)
    connection["Options"]["StaticRoutesOnly"] = False
    text = written(connection)
    assert "| Your BGP number | 65001 |" in text
    assert "| BGP neighbour | 169.254.20.1 |" in text
    assert "BGP" not in written().replace("static routes", "")


def test_the_roles_variables_carry_ipv4_and_both_outside_addresses() -> None:
    found = variables(REGION, "acme", {"customer": CONNECTION})
    assert found["customer_gateway_ranges"] == ["192.168.1.0/24"]
    (connection,) = found["customer_gateway_connections"]
    assert connection["name"] == "acme-customer"
    assert connection["tunnels"] == [{"outside": "198.19.0.10"}, {"outside": "198.19.0.11"}]


def test_the_account_is_asked_for_the_connections_of_this_site_only() -> None:
    assert describe(REGION, "acme", Client()) == {"customer": CONNECTION}


def test_wrong_use_is_one_clear_line(tmp_path: Any) -> None:
    with pytest.raises(Fault, match="choose from acme"):
        describe(REGION, "acmee", Client())
    with pytest.raises(Fault, match="is missing"):
        command(["--stack", "x", "--site", "acme", "--region", str(tmp_path / "none.json")])
