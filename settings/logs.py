"""Where the nodes' journals go: the collector, and the authority by which both ends know each other."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import AfterValidator, Field

from settings.calendar import today
from settings.problems import Broken, holds_private_key
from settings.types import Model, Port

# NIST SP 800-57 Part 1 Rev. 5, table 2: both give a security strength of 128 bits.
LEAST_BITS: dict[type, int] = {RSAPublicKey: 3072, EllipticCurvePublicKey: 256}
_WHOLE = "give the authority's own certificate, from -----BEGIN CERTIFICATE----- to the end"


def authority(value: str) -> str:
    """A certificate of an authority, in PEM, good today; raises Broken without what was given."""
    if holds_private_key(value):
        raise Broken(
            "only the authority's certificate stands here; its private key never leaves it",
            "treat that key as known to others: make a new authority, and give its certificate",
            "a private key",
        )
    shown = f"{len(value)} characters"
    try:
        (certificate,) = x509.load_pem_x509_certificates(value.encode())
    except ValueError as error:
        raise Broken("an authority is one certificate in PEM", _WHOLE, shown) from error
    name = certificate.subject.rfc4514_string()[:80]
    try:
        ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        ca = False
    if not ca:
        raise Broken("an authority may sign certificates (basicConstraints CA:TRUE)", _WHOLE, name)
    until = certificate.not_valid_after_utc.date()
    if not certificate.not_valid_before_utc.date() <= today() <= until:
        raise Broken(f"an authority is valid today; this one is until {until}", "renew the authority", name)
    key = certificate.public_key()
    least = next((bits for kind, bits in LEAST_BITS.items() if isinstance(key, kind)), None)
    if least is None or getattr(key, "key_size", 0) < least:
        rule = "an authority's key is RSA from 3072 bits or an elliptic curve from 256"
        raise Broken(rule, "make the authority anew with such a key", name)
    return value.strip() + "\n"


Authority = Annotated[str, AfterValidator(authority)]


class LogCollector(Model):
    """Who keeps the nodes' journals; nodes send them over TLS with certificates of one authority."""

    address: IPv4Address = Field(
        description="its address, in the range of a NOC or service centre; its certificate names it, so that "
        "a node without a resolver still sends"
    )
    port: Port = Field(description="its TCP port; senders of systemd-journal-remote(8) ask for 19532")
    authority: Authority = Field(
        description="certificate (PEM) of who issues the collector's and the nodes' certificates"
    )
    operator: str = Field(min_length=3, max_length=120, description="who runs it, for the auditor")
