"""The program's explicit AWS provider: pinned to one region and to accounts it may touch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import fault
from twin.program.aws import Clients

TYPE = "pulumi:providers:aws"
# Connection details of a real account: they choose how to log in, not what is made.
_CONNECTION = frozenset(
    {
        "accessKey",
        "secretKey",
        "token",
        "profile",
        "sharedConfigFiles",
        "sharedCredentialsFiles",
        "maxRetries",
    }
    | {"retryMode", "skipCredentialsValidation", "skipMetadataApiCheck", "skipRegionValidation"}
    | {"skipRequestingAccountId", "s3UsePathStyle", "useFipsEndpoint", "useDualstackEndpoint", "version"}
)
_KNOWN = _CONNECTION | {"region", "allowedAccountIds", "forbiddenAccountIds", "defaultTags"}


@dataclass(frozen=True)
class Provider:
    """What resources take from their provider."""

    region: str
    default_tags: dict[str, str] = field(default_factory=dict)


def read(urn: str, inputs: Mapping[str, Any], clients: Clients | None) -> Provider:
    """Check a provider's inputs against the account. Raises Fault when region or account are not pinned."""
    plain = {key: _decoded(value) for key, value in inputs.items()}
    strange = sorted(set(plain) - _KNOWN)
    if strange:
        raise fault.Fault(
            f"{urn}: provider settings {', '.join(strange)}",
            "the twin knows " + ", ".join(sorted(_KNOWN - _CONNECTION)),
            "leave them out, or give the twin a meaning for them in twin/program/provider.py",
        )
    if not plain.get("region"):
        raise fault.Fault(
            f"{urn}: no region", "every provider names its region", "set region= on the provider"
        )
    allowed = [str(item) for item in plain.get("allowedAccountIds") or []]
    if not allowed:
        raise fault.Fault(
            f"{urn}: no allowed_account_ids",
            "a provider names the accounts it may touch",
            "set allowed_account_ids= on the provider",
        )
    if clients is not None:
        _check_account(urn, allowed, [str(item) for item in plain.get("forbiddenAccountIds") or []], clients)
    tags = (plain.get("defaultTags") or {}).get("tags") or {}
    return Provider(str(plain["region"]), {str(key): str(value) for key, value in tags.items()})


def _check_account(urn: str, allowed: list[str], forbidden: list[str], clients: Clients) -> None:
    account = clients.client("sts").get_caller_identity()["Account"]
    if account not in allowed or account in forbidden:
        raise fault.Fault(
            f"{urn}: the credentials belong to account {account}",
            f"the provider allows {', '.join(allowed)}",
            "use the account of the stack file",
        )


def _decoded(value: Any) -> Any:
    # provider configuration travels as JSON text, whatever its type
    if isinstance(value, str) and value[:1] in ("[", "{"):
        return json.loads(value)
    return value
