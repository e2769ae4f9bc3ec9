"""S3: who may deliver access logs is read from a policy of any legal shape.

moto looks at PutBucketLogging's target policy but breaks on `"Principal": "*"` and on lists. IAM JSON
policy grammar: Principal is "*" or a map whose values are text or lists; Action and Resource are text or
lists.
"""

from __future__ import annotations

import fnmatch
import json
from typing import Any

from moto.s3.models import FakeBucket

from twin.account.extensions.placing import place

_SERVICE = "logging.s3.amazonaws.com"


def install() -> None:
    """Replace the check."""
    place(FakeBucket, _log_permissions_enabled_policy=staticmethod(may_deliver))


def may_deliver(target_bucket: Any, target_prefix: str | None) -> bool:
    """Whether the target's policy lets the logging service write under the prefix."""
    if not target_bucket.policy:
        return False
    wanted = f"arn:{target_bucket.partition}:s3:::{target_bucket.name}/{target_prefix or ''}log"
    return any(
        _allows(statement, wanted) for statement in _listed(json.loads(target_bucket.policy)["Statement"])
    )


def _allows(statement: dict[str, Any], resource: str) -> bool:
    principal = statement.get("Principal", {})
    services = _listed(principal.get("Service", [])) if isinstance(principal, dict) else []
    actions = _listed(statement.get("Action", []))
    resources = _listed(statement.get("Resource", []))
    return (
        statement.get("Effect") == "Allow"
        and _SERVICE in services
        and any(fnmatch.fnmatchcase("s3:PutObject", action) for action in actions)
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in resources)
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
