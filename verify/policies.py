"""Reads policy documents: who may do what, in a form that a check can ask. Plain data, no AWS."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterable
from typing import Any

Statement = dict[str, Any]


def statements(policy: str | dict[str, Any] | None) -> list[Statement]:
    """The statements of a policy document, given as JSON text or data; Action, Resource … always as lists."""
    if policy is None:
        return []
    document = json.loads(policy) if isinstance(policy, str) else policy
    found = document.get("Statement", [])
    return [_normal(statement) for statement in (found if isinstance(found, list) else [found])]


def _normal(statement: Statement) -> Statement:
    listed = ("Action", "NotAction", "Resource", "NotResource")
    return {key: _as_list(value) if key in listed else value for key, value in statement.items()}


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def principals(statement: Statement) -> set[str]:
    """Every principal a statement names; `*` for everybody, however it is written."""
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        return {str(name) for names in principal.values() for name in _as_list(names)}
    return set() if principal is None else {str(principal)}


def conditions(statement: Statement) -> dict[str, list[str]]:
    """Conditions as {"Operator key": values}, operator and key in lower case: their case does not matter
    to AWS."""
    return {
        f"{operator} {key}".lower(): [str(value).lower() for value in _as_list(values)]
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    }


def covers(patterns: Iterable[str], wanted: str) -> bool:
    """Does one of these action or resource patterns match `wanted`? Actions know no case."""
    return any(fnmatch.fnmatchcase(wanted.lower(), pattern.lower()) for pattern in patterns)


def unlimited(statement: Statement) -> list[str]:
    """Allowed actions that are a whole service or everything, on every resource: `*`, `s3:*` on `*`."""
    if statement.get("Effect") != "Allow" or "*" not in statement.get("Resource", []):
        return []
    if "NotAction" in statement:
        return [f"everything but {', '.join(statement['NotAction'])}"]
    return [action for action in statement.get("Action", []) if action == "*" or action.endswith(":*")]


def denies_everybody(
    policy: str | dict[str, Any] | None,
    action: str,
    resources: Iterable[str],
    condition: str,
    values: set[str],
) -> bool:
    """Is there a Deny for every principal, for this action and all these resources, under this one condition?

    `condition` is "operator key" in lower case; the condition's values have to be among `values`.
    """
    wanted = list(resources)
    for statement in statements(policy):
        found = conditions(statement)
        if (
            statement.get("Effect") == "Deny"
            and "*" in principals(statement)
            and covers(statement.get("Action", []), action)
            and all(covers(statement.get("Resource", []), resource) for resource in wanted)
            and set(found) == {condition}
            and set(found[condition]) <= values
        ):
            return True
    return False


# Conditions that bound a use of keys where the resource names none: by alias, or by the service that asks.
_OF_KEYS = (
    *("foranyvalue:stringequals kms:resourcealiases", "foranyvalue:stringlike kms:resourcealiases"),
    "stringequals kms:viaservice",
)
_EVERY_KEY = re.compile(r"\*|arn:aws[a-z-]*:kms:\*|arn:aws[a-z-]*:kms:(\*:[^:]*|[^:]*:\*):(\*|key/\*)")
_KEYS_OF_A_REGION = re.compile(r"arn:aws[a-z-]*:kms:[^:*]+:[^:*]+:(\*|key/\*)")


def opens_every_key(statement: Statement) -> bool:
    """Does it allow to decrypt with whatever key there is: of all regions and accounts, or of one, unbounded
    by alias or service?

    AWS Foundational Security Best Practices KMS.1 and KMS.2 name the two actions. They know no condition, and
    take the keys of one region and account for some (Security Hub User Guide, KMS controls, read 2026-11).
    """
    if statement.get("Effect") != "Allow":
        return False
    actions = ("kms:Decrypt", "kms:ReEncryptFrom")
    if "NotAction" in statement:
        named = not all(covers(statement["NotAction"], action) for action in actions)
    else:
        named = any(covers(statement.get("Action", []), action) for action in actions)
    resources = statement.get("Resource", [])
    everywhere = "NotResource" in statement or any(_EVERY_KEY.fullmatch(one) for one in resources)
    found = conditions(statement)
    bounded = any(key in found and "*" not in found[key] for key in _OF_KEYS)
    of_a_region = any(_KEYS_OF_A_REGION.fullmatch(one) for one in resources)
    return named and (everywhere or (of_a_region and not bounded))
