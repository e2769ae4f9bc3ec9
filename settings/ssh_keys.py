"""Public keys of those who may log in: which are accepted, and how a refused one is named, not repeated."""

from __future__ import annotations

import re
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from settings.problems import Broken, holds_private_key, show

# Exactly what the hardened ssh server takes (roles/ssh_server; a test compares).
# Any other, NIST P-256 and its security-key form included, would open the first login and be locked out by
# the hardening that follows.
KEY_TYPES = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp521",
    "ecdsa-sha2-nistp384",
    "ssh-rsa",
)
# NIST SP 800-57 Part 1 Rev. 5, table 2: 3072 bits of RSA give a security strength of 128 bits.
LEAST_RSA_BITS = 3072

_COMMENT = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
_HARMLESS = re.compile(r"[A-Za-z0-9_.@ -]{0,32}")
_MAKE_ONE = "make one with ssh-keygen -t ed25519 and give the line of its .pub file"


def public_key(value: str) -> str:
    """The key as one line `type base64 [comment]`; raises Broken, which never repeats what was given."""
    shown = depict(value)
    if holds_private_key(value):
        raise Broken(
            "only public keys stand here; a private key never leaves its owner",
            "treat that key as known to others: replace it, and give the .pub line of the new one",
            shown,
        )
    line = value.strip()
    parts = line.split(" ")
    kind, blob, comment = (*parts, "", "", "")[:3]
    if not line.isascii() or parts != line.split() or len(parts) > 3:
        raise Broken("a public key is one line: type, base64, one word of comment", _MAKE_ONE, shown)
    if kind not in KEY_TYPES:
        raise Broken(
            f"a key has a type the hardened ssh server takes: {', '.join(KEY_TYPES)}", _MAKE_ONE, shown
        )
    if comment and not _COMMENT.fullmatch(comment):
        raise Broken("a comment is one word of A-Z a-z 0-9 . _ @ + -", "name the role, noc-automation", shown)
    _check(kind, blob, shown)
    return line


def _check(kind: str, blob: str, shown: str) -> None:
    try:
        # Reads the whole structure, and refuses one of another type than stated, cut short, or with a tail.
        key = load_ssh_public_key(f"{kind} {blob}".encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        rule = f"the base64 text is a whole public key of the stated type ({_lower(str(error))})"
        raise Broken(rule, "copy the line of the .pub file again, all of it", shown) from error
    if isinstance(key, RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        raise Broken(
            f"an RSA key has {LEAST_RSA_BITS} bits or more, this one has {key.key_size}", _MAKE_ONE, shown
        )


def depict(value: Any) -> str:
    """A value of this section for a message: its kind and size. It may be a secret in the wrong place."""
    if isinstance(value, str) and not holds_private_key(value):
        kind = next((k for k in KEY_TYPES if value.strip().startswith(k)), None)
        if kind:
            return f"{kind} … ({len(value)} characters)"
        return show(value) if _HARMLESS.fullmatch(value) else f"text of {len(value)} characters"
    if not value or not isinstance(value, dict | list) or holds_private_key(str(value)):
        return show(value)
    return "a mapping" if isinstance(value, dict) else "a list"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".") if text else "unreadable"
