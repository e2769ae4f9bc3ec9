"""No secret travels in clear, where everybody who may see the plan could read it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from guardrails.model import Bounds, Finding, Guardrail, Planned

# Inputs whose name says that the value is a secret; it belongs into Secrets Manager, or is marked secret.
SECRET_NAMES = re.compile(
    r"(?i)^(.*password|.*passphrase|.*presharedkey|.*privatekey|.*secretkey|.*secretstring|.*secretbinary"
    r"|.*accesskey|.*clientsecret|.*authtoken|.*apikey)$"
)
# Settings about a secret that hold none: a policy, a switch, a place, a lifetime.
ABOUT = re.compile(r"(?i)(length|policy|reuse|require|storage|arn|days|age|enabled|change)")
# Shapes that are a secret whatever the input is called.
SHAPES = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an access key of AWS": re.compile(r"(?<![A-Z0-9])(AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"),
    "a token of a code host": re.compile(r"gh[pousr]_[A-Za-z0-9]{36}"),
    "credentials in an address": re.compile(r"[a-z]+://[^/\s:@]+:[^/\s:@]+@"),
    "a signed token": re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."),
}
# How a host or Pulumi writes a value that is marked secret.
HIDDEN = ("[secret]", "(secret)", "[hidden]")
# `key = value` where nobody chose the value by hand: long and without pattern.
ASSIGNED = re.compile(r"(?i)(?:password|passwd|secret|token|api_?key)\s*[=:]\s*[\"']?([^\s\"',;]{12,})")
RANDOM_BITS = 3.2  # bits per character; words and names of things stay below it


def no_secret_in_clear(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """No input holds a secret in clear: neither one called so, nor something that looks like one."""
    for resource in resources:
        for path, value in _texts(resource["inputs"], ""):
            found = _secret(path.rpartition(".")[2], value)
            if found:
                yield Finding(
                    "secret-clear",
                    resource["urn"],
                    f"{path} holds {found}",
                    "keep it in Secrets Manager and pass its ARN, or mark the value secret",
                )


def no_access_keys(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """No users, no access keys, no login profiles: people and machines take roles."""
    for resource in resources:
        kind = resource["type"]
        if kind in (
            "aws:iam/user:User",
            "aws:iam/accessKey:AccessKey",
            "aws:iam/userLoginProfile:UserLoginProfile",
        ):
            yield Finding(
                "identity-static", resource["urn"], "a long-lived identity", "let a role be assumed instead"
            )


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}.{index}")
    elif isinstance(value, str):
        yield path, value


def _secret(name: str, value: str) -> str:
    """What kind of secret stands there; empty when none does."""
    if not value or value in HIDDEN or value.startswith("(known after") or value.startswith("arn:"):
        return ""
    if SECRET_NAMES.match(name) and not ABOUT.search(name):
        return "a value under the name of a secret"
    for what, shape in SHAPES.items():
        if shape.search(value):
            return what
    for match in ASSIGNED.finditer(value):
        if _bits(match[1]) >= RANDOM_BITS and not match[1].startswith(("{{", "${", "arn:")):
            return "an assignment of a secret"
    return ""


def _bits(text: str) -> float:
    """Shannon entropy per character."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)


GUARDRAILS: tuple[Guardrail, ...] = (no_secret_in_clear, no_access_keys)
