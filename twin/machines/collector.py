"""The collector of logs that the settings name: systemd-journal-remote behind TLS that asks who is there.

Debian builds systemd-journal-remote without the check of a sender's certificate, so stunnel stands in front
of it, as it would in a service centre. The authority, the collector's certificate and one per node are made
per twin, lie in its home (mode 0600) and go with it; nothing of them is in a contract, a state or a report.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import inventory
from fault import Fault
from twin.ledger import Ledger

REMOTE = Path("/lib/systemd/systemd-journal-remote")
FRONT = Path("/usr/bin/stunnel4")
BEHIND = 19533
"""Port of the collector itself, on the loopback of its own namespace."""
DAYS = 30
JOURNAL = "collected/nodes.journal"


def start(ledger: Ledger, collector: Mapping[str, Any], namespace: str, nodes: Iterable[str]) -> None:
    """Start what does not run yet, with certificates for the collector and every node. Raises Fault."""
    missing = [str(program) for program in (REMOTE, FRONT) if not program.exists()]
    if missing:
        rule = "the nodes' journals are collected, as in a region"
        raise Fault(
            f"{', '.join(missing)} missing",
            rule,
            "`./bootstrap machine`, or apt-get install systemd-journal-remote stunnel4",
        )
    home = identities(ledger.home)
    if not home.exists():
        ledger.record("path", str(home))
        ledger.record("path", str(ledger.home / "collected"))
    _certify(home, str(collector["address"]), nodes)
    (ledger.home / "collected").mkdir(exist_ok=True)
    enter = ["nsenter", f"--net=/run/netns/{namespace}"]
    if ledger.running("log collector") is None:
        command = [*enter, str(REMOTE), f"--listen-http=127.0.0.1:{BEHIND}", "--split-mode=none"]
        command.append(f"--output={ledger.home / JOURNAL}")
        ledger.spawn("log collector", command, log=ledger.home / "collector.log", grace=0)
    if ledger.running("log front") is None:
        settings = home / "front.conf"
        settings.write_text(_front(home, collector))
        ledger.spawn(
            "log front", [*enter, str(FRONT), str(settings)], log=ledger.home / "collector.log", grace=0
        )


def identities(home: Path) -> Path:
    """Where a twin's certificates and keys are: `<node>.pem`, `<node>.key`, the authority's `ca.pem`."""
    return home / "identities"


def variables(home: Path, region: Mapping[str, Any]) -> dict[str, Any]:
    """Host variables: this twin's own authority in place of the one that the stack file names."""
    stated = inventory.forwarding(region)
    if not stated:
        return {}
    ca = (identities(home) / "ca.pem").read_text()
    return {
        "audit_forward": {**stated["audit_forward"], "ca": ca},
        "audit_forward_identities": str(identities(home)),
    }


def _front(home: Path, collector: Mapping[str, Any]) -> str:
    """stunnel's settings: TLS from 1.2 on, only for whom this twin's authority has certified."""
    lines = {
        "foreground": "yes",
        "pid": "",
        "syslog": "no",
        "debug": "notice",
        "[journals]": None,
        "accept": f"{collector['address']}:{collector['port']}",
        "connect": f"127.0.0.1:{BEHIND}",
        "cert": home / "collector.pem",
        "key": home / "collector.key",
        "CAfile": home / "ca.pem",
        "requireCert": "yes",
        "verifyChain": "yes",
        "sslVersionMin": "TLSv1.2",
    }
    return "".join(f"{key}\n" if value is None else f"{key} = {value}\n" for key, value in lines.items())


def _certify(home: Path, address: str, nodes: Iterable[str]) -> None:
    """Make what is not there yet; what there is stays, so that a second run changes nothing on a node."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (home / "ca.pem").exists():
        key = ec.generate_private_key(ec.SECP384R1())
        _keep(home, "ca", key, _certificate("twin's collector of logs", key, key, None))
    authority = serialization.load_pem_private_key((home / "ca.key").read_bytes(), None)
    assert isinstance(authority, ec.EllipticCurvePrivateKey)
    names: dict[str, x509.GeneralName] = {"collector": x509.IPAddress(ip_address(address))}
    names |= {node: x509.DNSName(node) for node in nodes}
    for name, subject in names.items():
        if not (home / f"{name}.pem").exists():
            key = ec.generate_private_key(ec.SECP384R1())
            _keep(home, name, key, _certificate(name, key, authority, subject))


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    authority: ec.EllipticCurvePrivateKey,
    subject: x509.GeneralName | None,
) -> x509.Certificate:
    """A certificate of the authority's; of the authority itself when `subject` is None."""
    now = datetime.now(UTC)
    issuer = "twin's collector of logs"
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=subject is None, path_length=None), critical=True)
    )
    if subject is not None:
        use = ExtendedKeyUsageOID.SERVER_AUTH if name == "collector" else ExtendedKeyUsageOID.CLIENT_AUTH
        made = made.add_extension(x509.SubjectAlternativeName([subject]), critical=False)
        made = made.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    return made.sign(authority, hashes.SHA384())


def _keep(home: Path, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    """The key first, for its owner only; the certificate last, for it says that both are there."""
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    handle = os.open(home / f"{name}.key", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(text)
    (home / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
