"""Amazon's end of a tunnel accepts what the account says, no more and no less."""

from __future__ import annotations

import re
from typing import Any

import pytest

from network.tunnel_options import TUNNEL
from twin.machines import tunnel_terms
from twin.program.handlers.vpn import tunnel_options

KEYS = {"198.19.0.10": "first.key_1", "198.19.0.11": "second.key_2"}


def values(*found: Any) -> list[dict[str, Any]]:
    return [{"Value": value} for value in found]


def described(**changes: Any) -> dict[str, Any]:
    """A connection as the EC2 API describes one; `changes` are options of both tunnels."""
    tunnels = [{"OutsideIpAddress": outside, **changes} for outside in KEYS]
    return {"Options": {"TunnelOptions": tunnels}}


PINNED = {
    "IkeVersions": values("ikev2"),
    "Phase1EncryptionAlgorithms": values("AES256-GCM-16"),
    "Phase1IntegrityAlgorithms": values("SHA2-384", "SHA2-512"),
    "Phase1DHGroupNumbers": values(19, 20, 21),
    "Phase2EncryptionAlgorithms": values("AES256-GCM-16"),
    "Phase2IntegrityAlgorithms": values("SHA2-384", "SHA2-512"),
    "Phase2DHGroupNumbers": values(19, 20, 21),
}


def test_the_sample_is_what_the_program_pins() -> None:
    (options, _) = tunnel_options({f"tunnel1{_camel(key)}": value for key, value in TUNNEL.items()})
    named = {name.lower(): value for name, value in options.items()}
    for name, listed in PINNED.items():
        assert named[name.lower()] == [entry["Value"] for entry in listed]


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def test_pinned_options_are_one_proposal_with_a_group_in_each_phase() -> None:
    tunnel = described(**PINNED)["Options"]["TunnelOptions"][0]
    assert tunnel_terms.ike_proposal(tunnel) == "aes256gcm16-prfsha384-prfsha512-ecp256-ecp384-ecp521"
    assert tunnel_terms.esp_proposal(tunnel) == "aes256gcm16-ecp256-ecp384-ecp521"
    assert re.findall(r"version = (\d)", tunnel_terms.connections(described(**PINNED), "192.0.2.1")) == [
        *"22"
    ]


def test_what_the_program_does_not_pin_is_as_weak_as_at_aws() -> None:
    tunnel = described()["Options"]["TunnelOptions"][0]
    for weak in ("aes128", "sha1", "modp1024"):
        assert weak in tunnel_terms.ike_proposal(tunnel)
        assert weak in tunnel_terms.esp_proposal(tunnel)
    assert "version = 0" in tunnel_terms.connections(described(), "192.0.2.1")


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("IkeVersions", values("ikev1"), "version = 1"),
        ("Phase1EncryptionAlgorithms", values("AES128"), "proposals = aes128-sha384-sha512-ecp256"),
        ("Phase2DHGroupNumbers", values(2), "esp_proposals = aes256gcm16-modp1024"),
        ("Phase2LifetimeSeconds", 900, "life_time = 900s"),
        ("StartupAction", "start", "start_action = start"),
        ("DpdTimeoutAction", "none", "dpd_delay = 0s"),
        ("ReplayWindowSize", 64, "replay_window = 64"),
    ],
)
def test_each_option_reaches_the_terms(option: str, value: Any, text: str) -> None:
    assert text not in tunnel_terms.connections(described(**PINNED), "192.0.2.1")
    assert text in tunnel_terms.connections(described(**{**PINNED, option: value}), "192.0.2.1")


def test_the_connections_selectors_are_the_other_way_round_here() -> None:
    connection = described(**PINNED)
    connection["Options"] |= {
        "LocalIpv4NetworkCidr": "192.168.0.0/24",
        "RemoteIpv4NetworkCidr": "10.0.0.0/16",
    }
    text = tunnel_terms.connections(connection, "192.0.2.1")
    assert "local_ts = 10.0.0.0/16" in text
    assert "remote_ts = 192.168.0.0/24" in text


def test_keys_stand_in_the_secrets_only() -> None:
    connection = described(**PINNED)
    assert all(key in tunnel_terms.secrets(connection, "192.0.2.1", KEYS) for key in KEYS.values())
    assert not any(key in tunnel_terms.connections(connection, "192.0.2.1") for key in KEYS.values())


def test_death_takes_as_long_as_the_account_says() -> None:
    waits = tunnel_terms.patience(described(DpdTimeoutSeconds=45))
    assert waits["delay"] + (waits["tries"] + 1) * waits["timeout"] == pytest.approx(45)
