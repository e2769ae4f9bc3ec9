"""The certificates a stack names, imported under their ARNs: who asked for them did so before the program.

Like the machine images, they are what a real account has already; ACM makes their numbers by itself, so an
import through the API could not get the number that the stack file says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto.acm.models import CertBundle, acm_backends

_DAYS = 300


def offer(account: str, region: str, certificates: Mapping[str, Sequence[str]]) -> None:
    """Import a certificate per ARN for its host names, as its owner would have done."""
    backend = acm_backends[account][region]
    for arn, hosts in certificates.items():
        certificate, key = _signed_by_itself(hosts)
        backend._certificates[arn] = CertBundle(account, certificate, key, region=region, arn=arn)


def _signed_by_itself(hosts: Sequence[str]) -> tuple[bytes, bytes]:
    key, now = ec.generate_private_key(ec.SECP384R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA384())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private
