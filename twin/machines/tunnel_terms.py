"""What Amazon's end of a connection accepts, in strongSwan's words. Pure: the account's answer in, text out.

Read from DescribeVpnConnections, never from our own settings: a tunnel that the program did not pin would
accept here, as it would at AWS, everything of AWS's defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# AWS Site-to-Site VPN User Guide, "Tunnel options": every value there is, also the weak ones.
CIPHERS = {"AES128": "aes128", "AES256": "aes256", "AES128-GCM-16": "aes128gcm16"}
CIPHERS["AES256-GCM-16"] = "aes256gcm16"
HASHES = {"SHA1": "sha1", "SHA2-256": "sha256", "SHA2-384": "sha384", "SHA2-512": "sha512"}
GROUPS = {2: "modp1024", 5: "modp1536", 14: "modp2048", 15: "modp3072", 16: "modp4096", 17: "modp6144"}
GROUPS |= {18: "modp8192", 19: "ecp256", 20: "ecp384", 21: "ecp521", 22: "modp1024s160"}
GROUPS |= {23: "modp2048s224", 24: "modp2048s256"}
# What stands for an option that is not set, by the same page; phase 2 knows group 5 as well.
DEFAULTS: dict[str, Sequence[Any]] = {
    "EncryptionAlgorithms": tuple(CIPHERS),
    "IntegrityAlgorithms": tuple(HASHES),
    "DHGroupNumbers": (2, *range(14, 25)),
    "IkeVersions": ("ikev1", "ikev2"),
}

Options = Mapping[str, Any]


def connections(described: Options, customer: str) -> str:
    """The `connections` section for both tunnels of a connection; `customer` is its gateway's address."""
    options = described["Options"]
    tunnels = [
        _tunnel(f"tunnel{number}", tunnel, options, customer)
        for number, tunnel in enumerate(options["TunnelOptions"], start=1)
    ]
    return _section("connections", tunnels)


def secrets(described: Options, customer: str, keys: Mapping[str, str]) -> str:
    """The `secrets` section; `keys` maps a tunnel's outside address to its pre-shared key."""
    found = []
    for number, tunnel in enumerate(described["Options"]["TunnelOptions"], start=1):
        outside = tunnel["OutsideIpAddress"]
        lines = [f"id-own = {outside}", f"id-peer = {customer}", f'secret = "{keys[outside]}"']
        found.append(_section(f"ike-tunnel{number}", lines))
    return _section("secrets", found)


def patience(described: Options) -> dict[str, float]:
    """Seconds of waiting and asking until this end takes its peer for dead: DpdTimeoutSeconds in all."""
    seconds = min(t.get("DpdTimeoutSeconds", 30) for t in described["Options"]["TunnelOptions"])
    return {"delay": seconds / 3, "tries": 4, "timeout": seconds * 2 / 15}


def ike_proposal(tunnel: Options) -> str:
    """Everything phase 1 accepts, as one proposal per kind of cipher."""
    return _proposals(tunnel, "Phase1", authenticated="prf")


def esp_proposal(tunnel: Options) -> str:
    """Everything phase 2 accepts; a group is always asked for, which is perfect forward secrecy."""
    return _proposals(tunnel, "Phase2", authenticated=None)


def _proposals(tunnel: Options, phase: str, authenticated: str | None) -> str:
    ciphers = [CIPHERS[value] for value in _values(tunnel, f"{phase}EncryptionAlgorithms")]
    hashes = [HASHES[value] for value in _values(tunnel, f"{phase}IntegrityAlgorithms")]
    groups = [GROUPS[value] for value in _values(tunnel, f"{phase}DHGroupNumbers")]
    combined = [cipher for cipher in ciphers if cipher.endswith("gcm16")]
    plain = [cipher for cipher in ciphers if cipher not in combined]
    found = []
    if combined:
        functions = [f"{authenticated}{name}" for name in hashes] if authenticated else []
        found.append("-".join([*combined, *functions, *groups]))
    if plain:
        found.append("-".join([*plain, *hashes, *groups]))
    return ",".join(found)


def _values(tunnel: Options, option: str) -> Sequence[Any]:
    given = [entry["Value"] for entry in tunnel.get(option) or []]
    return given or DEFAULTS[option.removeprefix("Phase1").removeprefix("Phase2")]


def _version(tunnel: Options) -> int:
    spoken = set(_values(tunnel, "IkeVersions"))
    return {frozenset({"ikev1"}): 1, frozenset({"ikev2"}): 2}.get(frozenset(spoken), 0)


def _tunnel(name: str, tunnel: Options, options: Options, customer: str) -> str:
    ike, esp = tunnel.get("Phase1LifetimeSeconds", 28800), tunnel.get("Phase2LifetimeSeconds", 3600)
    margin = tunnel.get("RekeyMarginTimeSeconds", 270)
    fuzz = margin * tunnel.get("RekeyFuzzPercentage", 100) // 100
    start = tunnel.get("StartupAction", "add")
    death = {"restart": "restart", "none": "none", "clear": "clear"}[tunnel.get("DpdTimeoutAction", "clear")]
    child = [
        "mode = tunnel",
        f"esp_proposals = {esp_proposal(tunnel)}",
        f"local_ts = {options.get('RemoteIpv4NetworkCidr', '0.0.0.0/0')}",
        f"remote_ts = {options.get('LocalIpv4NetworkCidr', '0.0.0.0/0')}",
        f"rekey_time = {esp - margin}s",
        f"rand_time = {fuzz}s",
        f"life_time = {esp}s",
        f"replay_window = {tunnel.get('ReplayWindowSize', 1024)}",
        f"start_action = {'start' if start == 'start' else 'none'}",
        f"dpd_action = {'clear' if death == 'none' else death}",
    ]
    lines = [
        f"version = {_version(tunnel)}",
        f"local_addrs = {tunnel['OutsideIpAddress']}",
        f"remote_addrs = {customer}",
        f"proposals = {ike_proposal(tunnel)}",
        f"rekey_time = {ike - margin}s",
        f"over_time = {margin}s",
        # with dpd_action none, AWS does nothing about a dead peer: then nobody asks
        f"dpd_delay = {0 if death == 'none' else int(tunnel.get('DpdTimeoutSeconds', 30) / 3)}s",
        "keyingtries = 0",
        "mobike = no",
        "encap = yes",
        _section("local", ["auth = psk", f"id = {tunnel['OutsideIpAddress']}"]),
        _section("remote", ["auth = psk", f"id = {customer}"]),
        _section("children", [_section(name, child)]),
    ]
    return _section(name, lines)


def _section(name: str, lines: Sequence[str]) -> str:
    return f"{name} {{\n" + "\n".join(lines) + "\n}"
