"""Who may do what, decided from the program's own documents with the evaluator of ministack.

ministack decides one request against identity policies, a boundary and a resource's own policy. Here stand
the parts around it: every condition key comes from the request and from nowhere else, policy variables are
put in, organisation policies and endpoint policies intersect (IAM User Guide, "Policy evaluation logic").
tests/infra/test_evaluation.py tests these parts against the cases that guide documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from unittest import mock

from ministack.core import iam_evaluator as engine

from iam import window_roll
from tests.infra.monitor import Run

Document = dict[str, Any]
_VARIABLE = re.compile(r"\$\{([^},]+)\}")
# A value that no request has: what names a variable without a value matches nothing.
_NOTHING = "\x00"


@dataclass(frozen=True)
class Request:
    """One call. `context`: condition keys as AWS fills them; one that is not there is absent."""

    principal: str  # ARN of the role
    action: str
    resource: str
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)

    @property
    def keys(self) -> dict[str, Any]:
        """The condition keys by their lower-case name, with those that AWS always knows."""
        account = self.principal.split(":")[4]
        known = {"aws:PrincipalArn": self.principal, "aws:PrincipalAccount": account, **self.context}
        known.setdefault("aws:ResourceAccount", account)
        return {key.lower(): value for key, value in known.items()}


@dataclass(frozen=True)
class Policies:
    """Everything that has a say. None: there is no policy of that kind; an empty one allows nothing."""

    identity: Sequence[Document] = ()
    boundary: Document | None = None
    organisation: Sequence[Document] = ()
    resource: Document | None = None
    endpoint: Document | None = None
    resource_must_allow: bool = False  # a key's policy has to


def allowed(request: Request, policies: Policies) -> bool:
    """Whether AWS would let the request through."""
    account = request.principal.split(":")[4]
    role = request.principal.rpartition("/")[2]
    session = f"arn:aws:sts::{account}:assumed-role/{role}/session"
    context = engine.EvalContext(session, "AssumedRole", account, request.action, request.resource, "")
    filled = {
        "identity": [_parsed(document, request) for document in policies.identity],
        "boundary": [] if policies.boundary is None else [[_parsed(policies.boundary, request)]],
        # Each level of the organisation has to allow by itself.
        "organisation": [[_parsed(document, request)] for document in policies.organisation],
    }
    with mock.patch.object(engine, "_resolve_condition_key", lambda key, _: request.keys.get(key.lower())):
        decision = engine.evaluate(context, filled["identity"], *filled["boundary"], *filled["organisation"])
        if policies.resource is not None:
            decision = engine.combine_resource_policy(
                decision,
                context,
                _put_in(policies.resource, request),
                account,
                policies.resource_must_allow,
                (*filled["boundary"], *filled["organisation"]),
            )
        if policies.endpoint is not None:
            through = engine.evaluate_resource_policy(_put_in(policies.endpoint, request), context)
            if through.decision != "Allow":
                return False
    return bool(decision.decision == "Allow")


def _parsed(document: Document, request: Request) -> list[Any]:
    return list(engine.parse_policy_document(_put_in(document, request)))


def _put_in(document: Document, request: Request) -> Document:
    """The document with its variables' values."""

    text = json.dumps(document)
    for name in set(_VARIABLE.findall(text)):
        known = request.keys.get(name.lower())
        filled = json.dumps(known if isinstance(known, str) else _NOTHING)[1:-1]
        text = text.replace("${" + name + "}", filled)
    put_in: Document = json.loads(text)
    return put_in


@dataclass(frozen=True)
class Account:
    """The program's documents, found by what a request names."""

    run: Run
    now: datetime

    def roles(self) -> dict[str, str]:
        """Name in the program → ARN of the role as AWS writes it."""
        return {
            name: f"arn:aws:iam::{self.account}:role{planned['inputs'].get('path', '/')}"
            f"{planned['inputs'].get('name') or name}"
            for name, planned in self.run.of("aws:iam/role:Role").items()
        }

    @property
    def account(self) -> str:
        """The account's number."""
        return str(self.run.outputs["region"]["account"])

    def identity(self, role: str) -> list[Document]:
        """What a role is granted and refused: its own policies, and those attached to it."""
        return [*self.inline(role), *self.attached(role)]

    def attached(self, role: str) -> list[Document]:
        """The managed policies on a role."""
        managed = {p["urn"]: p["inputs"]["policy"] for p in self.run.of("aws:iam/policy:Policy").values()}
        urn = self.run.of("aws:iam/role:Role")[role]["urn"]
        found = self.run.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment").values()
        mine = [p["depends"] for p in found if p["depends"]["role"] == [urn]]
        return [self._real(managed[policy]) for depends in mine for policy in depends["policyArn"]]

    def inline(self, role: str) -> list[Document]:
        """A role's own policies."""
        named = self.run.of("aws:iam/role:Role")[role]["inputs"].get("name") or f"{role}-auto"
        found = self.run.of("aws:iam/rolePolicy:RolePolicy").values()
        return [self._real(p["inputs"]["policy"]) for p in found if p["inputs"]["role"] == named]

    def boundary(self, role: str) -> Document:
        """A role's boundary, rolled to `now` when its windows are rolled."""
        arn = self.run.of("aws:iam/role:Role")[role]["inputs"]["permissionsBoundary"]
        (found,) = [p for name, p in self.run.of("aws:iam/policy:Policy").items() if arn.endswith(f"/{name}")]
        for order in self.orders():
            if order["arn"].endswith(f"/{found['inputs'].get('name')}"):
                return window_roll.open_during(
                    order["document"], window_roll.windows(order["hours"], self.now)
                )
        document: Document = json.loads(found["inputs"]["policy"])
        return document

    def orders(self) -> list[dict[str, Any]]:
        """What the schedule tells the function to roll."""
        found = self.run.of("aws:scheduler/schedule:Schedule").values()
        return [order for s in found for order in json.loads(s["inputs"]["target"]["input"])["policies"]]

    def trust(self, role: str) -> Document:
        """Who may assume a role."""
        document: Document = json.loads(self.run.of("aws:iam/role:Role")[role]["inputs"]["assumeRolePolicy"])
        return document

    def buckets(self) -> dict[str, str]:
        """Name in the program → the bucket's own name."""
        return {n: p["inputs"]["bucket"] for n, p in self.run.of("aws:s3/bucketPolicy:BucketPolicy").items()}

    def keys(self) -> dict[str, str]:
        """Name in the program → ARN of the key."""
        region = self.run.outputs["region"]["region"]
        return {n: f"arn:aws:kms:{region}:{self.account}:key/{n}" for n in self.run.of("aws:kms/key:Key")}

    def policies(self, role: str, resource: str, endpoint: str | None = None) -> Policies:
        """Everything that has a say when this role asks for this resource."""
        found = Policies(self.identity(role), self.boundary(role))
        if resource.startswith("arn:aws:s3:::"):
            bucket = resource.removeprefix("arn:aws:s3:::").partition("/")[0]
            for planned in self.run.of("aws:s3/bucketPolicy:BucketPolicy").values():
                if planned["inputs"]["bucket"] == bucket:
                    found = replace(found, resource=self._real(planned["inputs"]["policy"]))
        for name, arn in self.keys().items():
            if resource == arn:
                policy = self._real(self.run.of("aws:kms/key:Key")[name]["inputs"]["policy"])
                found = replace(found, resource=policy, resource_must_allow=True)
        if endpoint:
            policy = self.run.of("aws:ec2/vpcEndpoint:VpcEndpoint")[endpoint]["inputs"]["policy"]
            found = replace(found, endpoint=self._real(policy))
        return found

    def _real(self, policy: str) -> Document:
        """A policy with the ARNs of roles and keys as AWS writes them, not as the recording monitor does."""
        region = self.run.outputs["region"]["region"]
        policy = policy.replace(
            f"arn:aws:mock:{region}:{self.account}:Key/", f"arn:aws:kms:{region}:{self.account}:key/"
        )
        for name, arn in self.roles().items():
            policy = policy.replace(f'"arn:aws:mock:{region}:{self.account}:Role/{name}"', f'"{arn}"')
        document: Document = json.loads(policy)
        return document


def documents(run: Run) -> Iterable[tuple[str, str, Document]]:
    """Every policy document that the program writes: kind, name of the resource, document."""
    wanted = {
        "aws:iam/role:Role": ("trust", "assumeRolePolicy"),
        "aws:iam/policy:Policy": ("boundary", "policy"),
        "aws:iam/rolePolicy:RolePolicy": ("identity", "policy"),
    }
    attachments = run.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment").values()
    attached = {urn for planned in attachments for urn in planned["depends"]["policyArn"]}
    for planned in run.planned:
        kind, key = wanted.get(planned["type"], (planned["type"].rpartition(":")[2], "policy"))
        kind = "identity" if planned["urn"] in attached else kind
        text = planned["inputs"].get(key)
        if isinstance(text, str) and text.startswith("{") and '"Statement"' in text:
            yield kind, planned["name"], json.loads(_AWS.sub(_as_aws_writes_it, text))


# The recording monitor gives every resource an ARN of one shape; AWS's own depends on the service.
_AWS = re.compile(r"arn:aws:mock:([^:]+):(\d{12}):(\w+)/([\w./-]+)")
_SHAPES = {
    "Bucket": "arn:aws:s3:::{name}",
    "Key": "arn:aws:kms:{region}:{account}:key/{name}",
    "LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}",
    "Queue": "arn:aws:sqs:{region}:{account}:{name}",
    "Role": "arn:aws:iam::{account}:role/{name}",
    "Topic": "arn:aws:sns:{region}:{account}:{name}",
}


def _as_aws_writes_it(found: re.Match[str]) -> str:
    region, account, kind, name = found.groups()
    shape = _SHAPES.get(kind, found[0])
    return shape.format(region=region, account=account, name=name)
