"""Whether the policy of a topic or queue admits a service. Pure; what moto does not ask and AWS does.

IAM User Guide, "Policy evaluation logic": an explicit Deny wins, without an Allow nothing is admitted. Known
are the operators that resource policies for services use; a condition with another one never holds in an
Allow and always in a Deny (fail closed).
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from typing import Any


def admits(policy: str | None, service: str, action: str, context: Mapping[str, str]) -> bool:
    """Whether `service` (`sns`, `events` …) may do `action`; `context` by condition key in lower case."""
    if not policy:
        return False
    verdicts = {
        statement["Effect"]
        for statement in _listed(json.loads(policy)["Statement"])
        if _names(statement.get("Principal"), f"{service}.amazonaws.com")
        and any(fnmatch.fnmatch(action.lower(), one.lower()) for one in _listed(statement.get("Action", [])))
        and _holds(statement, context)
    }
    return verdicts == {"Allow"}


def _names(principal: Any, service: str) -> bool:
    if isinstance(principal, Mapping):
        return service in _listed(principal.get("Service", [])) or "*" in _listed(principal.get("AWS", []))
    return bool(principal == "*")


def _holds(statement: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    for operator, keys in statement.get("Condition", {}).items():
        for key, wanted in keys.items():
            found, values = context.get(key.lower()), [str(one) for one in _listed(wanted)]
            if operator in ("StringEquals", "Bool"):
                held = found in values
            elif operator in ("ArnLike", "ArnEquals", "StringLike"):
                held = found is not None and any(fnmatch.fnmatchcase(found, one) for one in values)
            else:
                held = statement["Effect"] == "Deny"
            if not held:
                return False
    return True


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
