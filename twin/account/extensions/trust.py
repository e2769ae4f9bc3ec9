"""Whether a bucket's or a key's policy lets an AWS service in, as services check it before they deliver.

Only Allow statements that name the service are read; their conditions bind the service to our account, which
is the account that asks here.
"""

from __future__ import annotations

import fnmatch
import json
from typing import Any

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends


def bucket_admits(account: str, bucket: str, service: str, action: str, resource: str) -> bool:
    """Whether the bucket exists in this account and its policy allows the service this action."""
    found = s3_backends[account]["aws"].buckets.get(bucket)
    policy = found.policy if found is not None else None
    return policy is not None and admits(policy, service, action, resource)


def key_admits(account: str, region: str, key_arn: str, service: str, action: str) -> bool:
    """Whether the key exists in this account and region and its policy allows the service this action."""
    key = kms_backends[account][region].keys.get(key_arn.rsplit("/", 1)[-1])
    return key is not None and bool(key.enabled) and admits(key.policy, service, action, key_arn)


def admits(policy: str | bytes, service: str, action: str, resource: str) -> bool:
    """Whether a resource policy has an Allow for this service, action and resource."""
    return any(
        _allows(statement, service, action, resource) for statement in listed(json.loads(policy)["Statement"])
    )


def _allows(statement: dict[str, Any], service: str, action: str, resource: str) -> bool:
    principal = statement.get("Principal", {})
    services = listed(principal.get("Service", [])) if isinstance(principal, dict) else []
    return (
        statement.get("Effect") == "Allow"
        and service in services
        and any(
            fnmatch.fnmatchcase(action.lower(), pattern.lower())
            for pattern in listed(statement.get("Action", []))
        )
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in listed(statement.get("Resource", "*")))
    )


def listed(value: Any) -> list[Any]:
    """A policy's scalar-or-list as a list."""
    return value if isinstance(value, list) else [value]
