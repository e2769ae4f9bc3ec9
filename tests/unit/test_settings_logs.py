"""The collector of logs in the settings: where it stands, who may reach it, whose certificates count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

import inventory
import settings
from network.intent import resolve
from network.renderings import node_rules, security_groups
from twin.machines import sketch
from twin.machines.scratch import SETTINGS

RULE = next(rule for rule in SETTINGS["firewall"] if rule["to"] == ["log_collector"])


def certificate(key: Any, *, ca: bool = True, days: int = 3650, since: int = -365) -> str:
    """A certificate over a key, in PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    begin = datetime(2026, 11, 22, tzinfo=UTC) + timedelta(days=since)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


KEY = ec.generate_private_key(ec.SECP256R1())
SECRET = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


def stated(**collector: Any) -> dict[str, Any]:
    """The settings of a lone node with another collector."""
    services = SETTINGS["services"]
    return {**SETTINGS, "services": {**services, "log_collector": {**services["log_collector"], **collector}}}


def problems(data: dict[str, Any]) -> list[settings.Problem]:
    """Everything that is wrong with settings."""
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(data)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("none", "an authority is one certificate in PEM"),
        (certificate(KEY) * 2, "an authority is one certificate in PEM"),
        (certificate(KEY, ca=False), "may sign certificates"),
        (certificate(KEY, days=30), "is until 2025-12-22"),
        (certificate(KEY, since=9), "an authority is valid today"),
        (certificate(rsa.generate_private_key(65537, 2048)), "RSA from 3072 bits"),
        (certificate(KEY) + SECRET, "its private key never leaves it"),
    ],
)
def test_an_authority_that_proves_nothing_is_refused_and_not_repeated(value: str, words: str) -> None:
    (problem,) = problems(stated(authority=value))
    assert problem.key == "services.log_collector.authority"
    assert words in problem.rule
    assert problem.fix
    assert value not in str(problem) or value == "none"
    assert not [line for line in value.splitlines() if len(line) > 40 and line in str(problem)]


def test_a_collector_stands_in_a_site_of_ours() -> None:
    (problem,) = problems(stated(address="192.0.2.9"))
    assert (problem.key, problem.value) == ("services.log_collector.address", "192.0.2.9")


def test_every_role_has_its_rule_and_no_rule_leads_to_nobody() -> None:
    (problem,) = problems({**SETTINGS, "firewall": [r for r in SETTINGS["firewall"] if r is not RULE]})
    assert problem.value == "no rule from edge to log_collector tcp 19532"
    (problem,) = problems(stated(port=6514))
    assert problem.value == "no rule from edge to log_collector tcp 6514"
    bare = {k: v for k, v in SETTINGS["services"].items() if k != "log_collector"}
    (problem,) = problems({**SETTINGS, "services": bare})
    assert (problem.value, problem.key) == (
        "log_collector",
        f"firewall.{SETTINGS['firewall'].index(RULE)}.to",
    )


def test_the_intent_opens_the_way_and_the_inventory_names_the_end() -> None:
    parsed = settings.parse(SETTINGS)
    intent = resolve(parsed)
    (way,) = [rule for rule in node_rules(intent, "edge")["outbound"] if rule["port"] == 19532]
    assert (way["protocol"], way["networks4"]) == ("tcp", ["172.30.20.12/32"])
    assert [r.peer for r in security_groups(intent)["edge"] if r.port == 19532] == ["172.30.20.12/32"]
    region = sketch.region(parsed, "lone")
    host = inventory.build(region, {})["all"]["children"]["nodes"]["children"]["edge"]["hosts"]["edge-a-1"]
    assert host["audit_forward"]["url"] == "https://172.30.20.12:19532"
    assert host["audit_forward"]["ca"] == SETTINGS["services"]["log_collector"]["authority"]
    assert "audit_forward_key" not in host


def test_without_a_collector_nothing_is_forwarded() -> None:
    bare = {k: v for k, v in SETTINGS["services"].items() if k != "log_collector"}
    data = {**SETTINGS, "services": bare, "firewall": [r for r in SETTINGS["firewall"] if r is not RULE]}
    assert inventory.forwarding(sketch.region(settings.parse(data), "lone")) == {}
