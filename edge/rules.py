"""The rules of a web ACL as plain data, in the provider's spelling. No Pulumi import.

They run in this order, and the first that blocks or allows decides: known hostile ranges, the rate of one
address, AWS's managed groups, requests that hide behind their size; last, where only customers are
admitted, one rule per customer that allows its bound sources. Whatever is left meets the default action.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.facts import BODY_RULE, INSPECTED_BYTES, MANAGED_GROUPS

Rule = dict[str, Any]
WINDOW_SECONDS = 300
TOO_MANY_REQUESTS = 429  # RFC 6585, section 4
NO_CHANGE = [{"priority": 0, "type": "NONE"}]


@dataclass(frozen=True)
class Admission:
    """What one web ACL lets through.

    `hostile`: ARNs of the sets of blocked ranges. `customers`: per customer the ARNs of its sets of bound
    sources, None when everybody is admitted whom the firewall admits. `uploads`: bodies larger than what
    the firewall inspects are let through to the application.
    """

    hostile: Sequence[Any]
    customers: Mapping[str, Sequence[Any]] | None
    requests_per_five_minutes: int
    uploads: bool


def default_action(admission: Admission) -> dict[str, Any]:
    """Nobody, where customers are bound to their sources; else whoever passed every rule."""
    return {"allow": {}} if admission.customers is None else {"block": {}}


def rules(prefix: str, admission: Admission) -> list[Rule]:
    """All rules in order; `prefix` (the load balancer's name) begins each metric's name."""
    block: dict[str, Any] = {"action": {"block": {}}}
    too_many = {"block": {"customResponse": {"responseCode": TOO_MANY_REQUESTS}}}
    found = [
        ("hostile", _in_any(admission.hostile), block),
        ("rate", _rate(admission.requests_per_five_minutes), {"action": too_many}),
    ]
    found += [
        (_short(group), _managed(group, admission), {"overrideAction": {"none": {}}})
        for group in _groups(admission)
    ]
    found.append(("oversized-headers", _larger(_HEADERS), block))
    if not admission.uploads:
        found.append(("oversized-body", _larger({"body": {"oversizeHandling": "MATCH"}}), block))
    for name, sets in sorted((admission.customers or {}).items()):
        found.append((f"customer-{name}", _in_any(sets), {"action": {"allow": {}}}))
    return [
        {
            "name": name,
            "priority": place,
            "statement": statement,
            **act,
            "visibilityConfig": visibility(f"{prefix}-{name}"),
        }
        for place, (name, statement, act) in enumerate(found)
    ]


def visibility(metric: str) -> dict[str, Any]:
    """Metrics on; samples of requests off: they would show in clear what the log redacts."""
    return {"cloudwatchMetricsEnabled": True, "metricName": metric, "sampledRequestsEnabled": False}


def capacity(found: Sequence[Rule]) -> int:
    """Web ACL capacity units of rules made here, never fewer than AWS counts.

    AWS WAF Developer Guide, "Rule statements": an IP set match 1, a rate rule 2, a size constraint 1 and 10
    for each text transformation; a managed group what its vendor says.
    """
    return sum(_units(rule["statement"]) for rule in found)


def _units(statement: Mapping[str, Any]) -> int:
    ((kind, body),) = statement.items()
    if kind == "orStatement":
        return sum(_units(inner) for inner in body["statements"])
    if kind == "managedRuleGroupStatement":
        return MANAGED_GROUPS[body["name"]]
    if kind == "sizeConstraintStatement":
        return 1 + 10 * len(body["textTransformations"])
    return {"ipSetReferenceStatement": 1, "rateBasedStatement": 2}[kind]


_HEADERS = {
    # The firewall reads the first 8 KB of the headers; what is padded beyond would pass unread.
    "headers": [{"matchPattern": {"all": {}}, "matchScope": "ALL", "oversizeHandling": "MATCH"}]
}


def _in_any(sets: Sequence[Any]) -> dict[str, Any]:
    statements = [{"ipSetReferenceStatement": {"arn": arn}} for arn in sets]
    return statements[0] if len(statements) == 1 else {"orStatement": {"statements": statements}}


def _rate(limit: int) -> dict[str, Any]:
    body = {"limit": limit, "aggregateKeyType": "IP", "evaluationWindowSec": WINDOW_SECONDS}
    return {"rateBasedStatement": body}


def _larger(field: dict[str, Any]) -> dict[str, Any]:
    return {
        "sizeConstraintStatement": {
            "comparisonOperator": "GT",
            "size": INSPECTED_BYTES,
            "fieldToMatch": field,
            "textTransformations": NO_CHANGE,
        }
    }


def _groups(admission: Admission) -> list[str]:
    # A bound source may well be a customer's machine at a hosting provider, which the list of anonymous
    # addresses holds; the recorded change that bound it outranks the list.
    left_out = "AWSManagedRulesAnonymousIpList" if admission.customers is not None else ""
    return [group for group in MANAGED_GROUPS if group != left_out]


def _managed(group: str, admission: Admission) -> dict[str, Any]:
    body: dict[str, Any] = {"vendorName": "AWS", "name": group}
    if group == "AWSManagedRulesCommonRuleSet" and admission.uploads:
        body["ruleActionOverrides"] = [{"name": BODY_RULE, "actionToUse": {"count": {}}}]
    return {"managedRuleGroupStatement": body}


def _short(group: str) -> str:
    """`AWSManagedRulesSQLiRuleSet` → `aws-sqli`."""
    name = group.removeprefix("AWSManagedRules").removesuffix("RuleSet").removesuffix("List")
    return f"aws-{name.lower()}"
