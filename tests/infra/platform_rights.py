"""Whether the team that provisions may make every call that provisioning makes, under all that has a say."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import settings
from iam import scp
from tests.infra.aws_calls import Asked, Call, Context, Names, asks
from tests.infra.evaluation import Account, Document, Policies, Request, allowed
from tests.infra.monitor import ROOT, run_of

TEAM = "team-platform"
# Tuesday: 14:30 in India, 10:00 in Germany; the windows were rolled that morning.
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
# Left to the organisation's administration role (docs/decisions/0005-teams.md, "Teams change elsewhere"):
# boundaries, the teams' roles, and what rolls their windows. Who could write these would be everybody.
RESERVED = ("role/stockade-teams/", "policy/stockade", "-window-roll")


def reserved(asked: Asked) -> bool:
    """Whether a change is the administration role's. Reading is everybody's."""
    reading = asked.action.partition(":")[2].startswith(("Get", "List"))
    return not reading and any(word in asked.resource for word in RESERVED)


class _Once(Account):
    """The team's documents, read once: hundreds of requests are judged by the same."""

    @functools.cached_property
    def _identity(self) -> list[Document]:
        return super().identity(TEAM)

    @functools.cached_property
    def _boundary(self) -> Document:
        return super().boundary(TEAM)

    def identity(self, role: str) -> list[Document]:
        return self._identity if role == TEAM else super().identity(role)

    def boundary(self, role: str) -> Document:
        return self._boundary if role == TEAM else super().boundary(role)


class Judge:
    """One stack's documents: the team's policies and boundary, the organisation's, buckets' and keys'."""

    def __init__(self, stack: str, root: Path = ROOT) -> None:
        self.stack, self.settings = stack, settings.load(stack, root)
        self.account = _Once(run_of(stack), NOW)
        self.role = self.account.roles()[TEAM]
        self.identity, self.boundary = self.account.identity(TEAM), self.account.boundary(TEAM)
        denials = [s for d in scp.policies(stack, self.settings).values() for s in d["Statement"]]
        everything = {"Sid": "FullAWSAccess", "Effect": "Allow", "Action": "*", "Resource": "*"}
        self.organisation: Document = {"Version": "2012-10-17", "Statement": [everything, *denials]}

    def at_work(self) -> Context:
        """What AWS fills in for somebody of the team at work, from a trusted place."""
        trusted = next(iter(self.settings.access.trusted_ranges.values()))[0]
        return {
            "aws:CurrentTime": NOW.isoformat(),
            "aws:SourceIp": str(trusted.network_address),
            "aws:SecureTransport": "true",
            "aws:ViaAWSService": "false",
            "aws:PrincipalIsAWSService": "false",
            "aws:ResourceTag/stockade:stack": self.stack,
            "s3:TlsVersion": "1.3",
        }

    def asked(self, calls: list[Call]) -> list[Asked]:
        """What the calls ask of IAM; what concerns a key is asked of every key of the program."""
        names = Names.of(self.settings.account, self.settings.region, calls)
        found: list[Asked] = []
        for one in asks(calls, names, self.at_work()):
            keys = self.account.keys().values() if one.resource.endswith(":key/x") else [one.resource]
            found += [Asked(one.action, resource, one.context) for resource in keys]
        return found

    def allows(self, asked: Asked, leaving_out: str = "") -> bool:
        """Whether AWS would let it through; `leaving_out` is a statement of the team's that is not there."""
        policies: Policies = self.account.policies(TEAM, asked.resource)
        own = [
            {**document, "Statement": [s for s in document["Statement"] if s["Sid"] != leaving_out]}
            for document in self.identity
        ]
        policies = replace(policies, identity=own, organisation=[self.organisation])
        return allowed(Request(self.role, asked.action, asked.resource, asked.context), policies)

    def refused(self, asked: Iterable[Asked], leaving_out: str = "") -> list[str]:
        """What of this would be refused."""
        return [str(one) for one in asked if not self.allows(one, leaving_out)]
