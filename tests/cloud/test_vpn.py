"""Site-to-site tunnels: everything negotiable is pinned, nothing weak can be agreed on. Rows D4, M27, M28."""

from __future__ import annotations

import json
from ipaddress import IPv4Network, ip_network
from typing import Any

import pytest

from verify.account import Account
from verify.subjects import Resource

Region = dict[str, Any]
Tunnels = list[dict[str, Any]]

# RFC 8247 (IKEv2 algorithms): groups 19, 20, 21 are the elliptic curves of 256, 384 and 521 bits; 14 to 18
# are modular.
STRONG_GROUPS = {19, 20, 21}
STRONG_HASHES = {"SHA2-384", "SHA2-512"}


@pytest.fixture
def tunnels(vpn: Resource) -> Tunnels:
    found: Tunnels = vpn.get("Options", {}).get("TunnelOptions", [])
    assert len(found) == 2, f"the connection describes {len(found)} tunnels, AWS always makes two"
    return found


def _values(tunnel: Region, key: str) -> set[Any]:
    found = {entry["Value"] for entry in tunnel.get(key, [])}
    assert found, f"{key} is not pinned: AWS then accepts everything it knows"
    return found


@pytest.mark.control("STK-VPN-001")
def test_the_connection_ends_at_the_sites_gateway(vpn: Resource, aws: Account, region: Region) -> None:
    assert vpn.expected is not None, f"{vpn['VpnConnectionId']} is in no plan"
    assert vpn["State"] == "available", f"its state is {vpn['State']}"
    gateways = aws.need("ec2", "describe_customer_gateways")["CustomerGateways"]
    address = next(g["IpAddress"] for g in gateways if g["CustomerGatewayId"] == vpn["CustomerGatewayId"])
    assert address == region["sites"][vpn.expected["site"]]["gateway"], f"it leads to {address}"


@pytest.mark.control("STK-VPN-002")
def test_only_ikev2_is_spoken(tunnels: Tunnels) -> None:
    for tunnel in tunnels:
        versions = _values(tunnel, "IkeVersions")
        assert versions == {"ikev2"}, f"accepts {sorted(versions)}"


@pytest.mark.control("STK-VPN-003")
def test_both_phases_use_aes_256_gcm_only(tunnels: Tunnels) -> None:
    for tunnel in tunnels:
        for phase in (1, 2):
            ciphers = _values(tunnel, f"Phase{phase}EncryptionAlgorithms")
            assert ciphers == {"AES256-GCM-16"}, f"phase {phase} accepts {sorted(ciphers)}"


@pytest.mark.control("STK-VPN-004")
def test_both_phases_use_sha_384_or_stronger(tunnels: Tunnels) -> None:
    for tunnel in tunnels:
        for phase in (1, 2):
            hashes = _values(tunnel, f"Phase{phase}IntegrityAlgorithms")
            assert hashes <= STRONG_HASHES, f"phase {phase} accepts {sorted(hashes - STRONG_HASHES)}"


@pytest.mark.control("STK-VPN-005")
def test_both_phases_use_elliptic_curve_groups_so_old_traffic_stays_secret(tunnels: Tunnels) -> None:
    for tunnel in tunnels:
        for phase in (1, 2):
            groups = _values(tunnel, f"Phase{phase}DHGroupNumbers")
            assert groups <= STRONG_GROUPS, f"phase {phase} accepts groups {sorted(groups - STRONG_GROUPS)}"


@pytest.mark.control("STK-VPN-006")
def test_a_dead_tunnel_comes_back_by_itself(tunnels: Tunnels) -> None:
    for tunnel in tunnels:
        assert tunnel.get("DpdTimeoutAction") == "restart", (
            f"on a dead peer: {tunnel.get('DpdTimeoutAction')}"
        )
        assert tunnel.get("StartupAction") == "start", f"at start: {tunnel.get('StartupAction')}"
        assert 30 <= tunnel.get("DpdTimeoutSeconds", 0) <= 60, (
            f"dead after {tunnel.get('DpdTimeoutSeconds')} s"
        )


@pytest.mark.control("STK-VPN-007")
def test_the_pre_shared_keys_are_in_secrets_manager_and_nowhere_else(vpn: Resource, tunnels: Tunnels) -> None:
    assert vpn.get("PreSharedKeyArn", "").startswith("arn:aws"), "the keys are not stored in Secrets Manager"
    shown = [tunnel.get("PreSharedKey", "") for tunnel in tunnels]
    # The connection's own words are "redacted" or absent; a key has at least eight characters of its
    # alphabet.
    assert not any(key and "redacted" not in key.lower() for key in shown), "the description shows a key"
    assert "<pre_shared_key>" not in vpn.get("CustomerGatewayConfiguration", "").replace(
        "<pre_shared_key></pre_shared_key>", ""
    ), "the gateway's configuration shows a key"


@pytest.mark.control("STK-VPN-008")
def test_tunnels_write_a_log(tunnels: Tunnels) -> None:
    for tunnel in tunnels:
        log = tunnel.get("LogOptions", {}).get("CloudWatchLogOptions", {})
        assert log.get("LogEnabled") is True and log.get("LogGroupArn"), (
            "a failed negotiation leaves no trace"
        )


@pytest.mark.control("STK-VPN-009")
def test_keys_are_renewed_in_time(tunnels: Tunnels) -> None:
    for tunnel in tunnels:
        assert 900 <= tunnel.get("Phase1LifetimeSeconds", 0) <= 28800, (
            f"phase 1: {tunnel.get('Phase1LifetimeSeconds')} s"
        )
        assert 900 <= tunnel.get("Phase2LifetimeSeconds", 0) <= 3600, (
            f"phase 2: {tunnel.get('Phase2LifetimeSeconds')} s"
        )


def _site(vpn: Resource, region: Region) -> Region:
    assert vpn.expected is not None, f"{vpn['VpnConnectionId']} is in no plan"
    found: Region = region["sites"][vpn.expected["site"]]
    return found


def _ranges(site: Region) -> set[str]:
    return {block for block in site["ranges"] if ip_network(block).version == 4}


@pytest.mark.control("STK-VPN-010")
def test_the_connection_routes_as_its_site_states(vpn: Resource, region: Region) -> None:
    site = _site(vpn, region)
    static = site.get("routing", "bgp") == "static"
    assert vpn.get("Options", {}).get("StaticRoutesOnly") is static, f"{site.get('routing')} is declared"
    routes = {r["DestinationCidrBlock"] for r in vpn.get("Routes", []) if r["State"] != "deleted"}
    wanted = _ranges(site) if static else set()
    assert routes == wanted, f"static routes {sorted(routes)}, declared {sorted(wanted)}"


@pytest.mark.control("STK-VPN-011")
def test_only_declared_ranges_are_reached_through_its_gateway(
    vpn: Resource, aws: Account, region: Region
) -> None:
    site, name = _site(vpn, region), vpn.id.rsplit("/", 1)[1]
    declared = {
        ip_network(block) for s in region["sites"].values() if name in s["vpcs"] for block in _ranges(s)
    }
    routes = [
        ip_network(route["DestinationCidrBlock"])
        for table in aws.need("ec2", "describe_route_tables")["RouteTables"]
        for route in table["Routes"]
        if route.get("GatewayId") == vpn["VpnGatewayId"] and "DestinationCidrBlock" in route
    ]
    strange = [r for r in routes if not any(_within(r, block) for block in declared)]
    assert not strange, f"{vpn['VpnGatewayId']} leads to {', '.join(map(str, strange))}, declared by no site"
    if site.get("routing") == "static":
        selector = vpn.get("Options", {}).get("RemoteIpv4NetworkCidr")
        block = region["vpcs"][name]["cidr"]
        assert selector == block, f"the tunnel leads to {selector}, not to {name}'s {block} alone"


def _within(inner: Any, outer: Any) -> bool:
    return isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network) and inner.subnet_of(outer)


@pytest.mark.control("STK-VPN-012")
def test_the_secret_of_its_keys_stays_in_the_region_and_nobody_elses(
    vpn: Resource, aws: Account, region: Region
) -> None:
    arn = vpn.get("PreSharedKeyArn", "")
    assert arn.split(":")[3:5] == [region["region"], region["account"]], (
        f"the keys are in {arn or 'no secret'}"
    )
    secret = aws.need("secretsmanager", "describe_secret", SecretId=arn)
    copies = [copy["Region"] for copy in secret.get("ReplicationStatus", [])]
    assert not copies, f"copied to {', '.join(copies)}"
    policy = aws.need("secretsmanager", "get_resource_policy", SecretId=arn).get("ResourcePolicy")
    granted = [s for s in json.loads(policy)["Statement"] if s["Effect"] == "Allow"] if policy else []
    assert not granted, f"its own policy lets in {[s['Principal'] for s in granted]}"
