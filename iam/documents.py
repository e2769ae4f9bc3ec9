"""Policy documents as plain data: one statement type, and a named builder for each condition we use.

No Pulumi import: the same functions serve the program, the guardrails and table tests. The condition keys
are those of the AWS global condition context (IAM User Guide, "AWS global condition context keys") and of
the S3 and KMS sections of the Service Authorization Reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Literal

Condition = dict[str, dict[str, str | list[str]]]
Document = dict[str, Any]

VERSION = "2012-10-17"  # the older version ignores policy variables silently


@dataclass(frozen=True)
class Statement:
    """One statement. `principals` only in resource policies; `excepting` turns `Action` into `NotAction`, and
    `but_resources` stands for every resource that is none of these.
    """

    sid: str
    effect: Literal["Allow", "Deny"]
    actions: Sequence[str]
    resources: Sequence[str] = ("*",)
    principals: Mapping[str, Sequence[str]] | Literal["*"] | None = None
    condition: Condition = field(default_factory=dict)
    excepting: bool = False
    but_resources: Sequence[str] = ()

    def data(self) -> Document:
        """The statement in the policy language."""
        body: Document = {
            "Sid": self.sid,
            "Effect": self.effect,
            "NotAction" if self.excepting else "Action": sorted(self.actions),
        }
        if self.but_resources:
            body["NotResource"] = list(self.but_resources)
        elif self.resources:  # a trust policy has none
            body["Resource"] = list(self.resources)
        if self.principals is not None:
            named = self.principals
            body["Principal"] = named if named == "*" else {kind: list(who) for kind, who in named.items()}
        if self.condition:
            body["Condition"] = self.condition
        return body


def document(statements: Iterable[Statement]) -> Document:
    """A whole policy. Refuses two statements of one name, which AWS would refuse only at creation."""
    data = [statement.data() for statement in statements]
    names = [statement["Sid"] for statement in data]
    if len(set(names)) != len(names) or not names:
        raise ValueError(f"statement names must be unique and present: {names}")
    return {"Version": VERSION, "Statement": data}


def render(policy: Document) -> str:
    """JSON with sorted keys, so that an unchanged policy is an unchanged string (no false update)."""
    return json.dumps(policy, sort_keys=True, separators=(",", ":"))


def trust(service: str, condition: Condition | None = None) -> Document:
    """Who may assume a role: one AWS service, optionally bounded (confused deputy: SourceAccount,
    SourceArn).
    """
    return document(
        [Statement("Assume", "Allow", ["sts:AssumeRole"], (), {"Service": [service]}, condition or {})]
    )


def merge(*conditions: Condition) -> Condition:
    """All of the conditions together. The same key under the same operator twice is a mistake, not an
    override.
    """
    merged: Condition = {}
    for condition in conditions:
        for operator, keys in condition.items():
            for key, value in keys.items():
                if key in merged.setdefault(operator, {}):
                    raise ValueError(f"{operator} {key} stated twice")
                merged[operator][key] = value
    return merged


def without_tls() -> Condition:
    """The request came in clear."""
    return {"Bool": {"aws:SecureTransport": "false"}}


def tls_below(version: str) -> Condition:
    """The request used TLS older than `version`, e.g. `1.2` (S3 only)."""
    return {"NumericLessThan": {"s3:TlsVersion": version}}


def over_tls(version: str) -> Condition:
    """The request used TLS, at least `version` (S3 only)."""
    return {"Bool": {"aws:SecureTransport": "true"}, "NumericGreaterThanEquals": {"s3:TlsVersion": version}}


def outside_regions(regions: Sequence[str]) -> Condition:
    """The request goes to a region that is not one of these."""
    return {"StringNotEquals": {"aws:RequestedRegion": sorted(regions)}}


def of_account(account: str) -> Condition:
    """The thing on whose behalf a service calls belongs to this account."""
    return {"StringEquals": {"aws:SourceAccount": account}}


def on_behalf_of(pattern: str) -> Condition:
    """The thing on whose behalf a service calls has an ARN like this."""
    return {"ArnLike": {"aws:SourceArn": pattern}}


def through_endpoints(endpoint_ids: Sequence[str]) -> Condition:
    """The request came through one of these VPC endpoints."""
    return {"StringEquals": {"aws:SourceVpce": sorted(endpoint_ids)}}


def through_service(service: str, region: str) -> Condition:
    """A KMS key is used by an AWS service of this region for somebody, never directly."""
    return {"StringEquals": {"kms:ViaService": f"{service}.{region}.amazonaws.com"}}


def from_networks(networks: Iterable[IPv4Network | IPv6Network]) -> Condition:
    """The caller's address lies in one of these networks."""
    return {"IpAddress": {"aws:SourceIp": sorted(str(network) for network in networks)}}


def without_mfa(older_than_seconds: int | None = None) -> Condition:
    """No second factor (the key absent counts as none), or one given longer ago than this."""
    if older_than_seconds is None:
        return {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
    return {"NumericGreaterThanIfExists": {"aws:MultiFactorAuthAge": str(older_than_seconds)}}


def between(start: datetime, end: datetime) -> Condition:
    """The request happens in the window [start, end]. Both need a time zone; AWS compares in UTC."""
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        raise ValueError(f"a window needs two times with a zone, the first before the second: {start}, {end}")
    return {
        "DateGreaterThan": {"aws:CurrentTime": start.isoformat()},
        "DateLessThan": {"aws:CurrentTime": end.isoformat()},
    }


def over_any_tls() -> Condition:
    """The request came over TLS."""
    return {"Bool": {"aws:SecureTransport": "true"}}


def outside_networks(networks: Iterable[IPv4Network | IPv6Network]) -> Condition:
    """The caller's address lies in none of these networks, or is not told; nobody but the caller called.

    A request that an AWS service makes on a caller's behalf carries no address of the caller's.
    """
    return {
        "NotIpAddress": {"aws:SourceIp": sorted(str(network) for network in networks)},
        "BoolIfExists": {"aws:ViaAWSService": "false"},
    }


def from_organisation(organisation: str) -> Condition:
    """The caller's account belongs to this organisation."""
    return {"StringEquals": {"aws:PrincipalOrgID": organisation}}


def with_mfa(within_seconds: int) -> Condition:
    """A second factor was given, at most this long ago; both keys must be there.

    For trust policies: what AssumeRole answers carries no second factor any more, so that a denial in the
    role's own policies would refuse everybody (IAM User Guide, "Secure API access with MFA").
    """
    return {
        "Bool": {"aws:MultiFactorAuthPresent": "true"},
        "NumericLessThan": {"aws:MultiFactorAuthAge": str(within_seconds)},
    }


def with_principal_tag(key: str, value: str) -> Condition:
    """The caller carries this tag."""
    return {"StringEquals": {f"aws:PrincipalTag/{key}": value}}


def with_resource_tag(key: str, value: str) -> Condition:
    """What the request acts on carries this tag."""
    return {"StringEquals": {f"aws:ResourceTag/{key}": value}}


def passed_to(service: str) -> Condition:
    """A role is handed to this AWS service and no other."""
    return {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}


def before(end: datetime) -> Condition:
    """The request happens before this moment."""
    if end.tzinfo is None:
        raise ValueError(f"an end needs a time zone: {end}")
    return {"DateLessThan": {"aws:CurrentTime": end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}}
