"""Broken plans: copies that leave the allowed regions, or whose place nobody can tell."""

from __future__ import annotations

from guardrails.model import Planned
from tests.infra.breaking import Break, Broken, Plan, one, put

REPLICATION = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
DEEP = "copy-customer-acme-bank--records"
KEY = "rules.0.destination.encryptionConfiguration.replicaKmsKeyId"


def _to_nowhere(planned: Plan) -> None:
    found: Planned = one(planned, REPLICATION, "copy-delivery")
    found["inputs"]["rules"][0]["destination"]["bucket"] = "arn:aws:s3:::somewhere"


def _key_elsewhere() -> Break:
    key = "arn:aws:kms:us-east-1:333344445555:key/6f1c2d3e-4b5a-4978-8695-a4b3c2d1e0f9"
    return put(REPLICATION, KEY, key, DEEP)


BROKEN: list[Broken] = [
    ("residency-input+residency-replica", "a customer's archive in another country", _key_elsewhere()),
    ("residency-replica+firewall-logged", "copies to a bucket whose place no key tells", _to_nowhere),
]
