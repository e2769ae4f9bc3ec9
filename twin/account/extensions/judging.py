"""Policies judged by an evaluator that knows conditions, which moto's own does not.

The twin stands for AWS's endpoints, which answer over TLS 1.3 only; that its own wire is clear text on
loopback is no fact about the region, so requests count as encrypted. Nothing comes through a VPC endpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ministack.core.iam_evaluator import (
    EvalContext,
    evaluate,
    evaluate_resource_policy,
    parse_policy_document,
)

Decision = Literal["Allow", "Deny", "ImplicitDeny"]


def request(
    principal: str, action: str, resource: str, region: str, facts: Mapping[str, Any] | None = None
) -> EvalContext:
    """A request of a principal (an ARN); `facts`: further condition keys, in lower case."""
    return EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole" if ":role/" in principal else "Root",
        principal_account=principal.split(":")[4],
        action=action,
        resource_arn=resource,
        region=region,
        source_ip="127.0.0.1",
        secure_transport=True,
        service_context={"s3:tlsversion": "1.3", **(facts or {})},
    )


def by_resource(policy: str | bytes | None, asked: EvalContext) -> Decision:
    """What a resource's policy says about a request."""
    if not policy:
        return "ImplicitDeny"
    decided: Decision = evaluate_resource_policy(json.loads(policy), asked).decision
    return decided


def by_identity(policies: Sequence[Any], boundary: Any, asked: EvalContext) -> Decision:
    """What a role's policies say within its boundary (or none), given as text or data."""
    limits = [[parse_policy_document(boundary)]] if boundary else []
    decided: Decision = evaluate(asked, [parse_policy_document(p) for p in policies], *limits).decision
    return decided
