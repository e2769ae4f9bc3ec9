"""Weaknesses of the storage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, account, pairs


def bucket_policy_removed(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["data/records"]["name"], live.client("s3")
    policy = s3.get_bucket_policy(Bucket=name)["Policy"]
    s3.delete_bucket_policy(Bucket=name)
    yield pairs("bucket/data/records", "BKT-003", "BKT-004", "BKT-011")
    s3.put_bucket_policy(Bucket=name, Policy=policy)


def versioning_suspended(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["logs"]["name"], live.client("s3")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    yield pairs("bucket/logs", "BKT-002")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def bucket_may_become_public(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["data/records"]["name"], live.client("s3")
    block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    s3.put_public_access_block(
        Bucket=name, PublicAccessBlockConfiguration={**block, "BlockPublicPolicy": False}
    )
    yield pairs("bucket/data/records", "BKT-005")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)


def bucket_by_hand_in_another_region(live: Any) -> Iterator[Pairs]:
    s3 = live.client("s3", "us-west-2")
    s3.create_bucket(Bucket="somebodys-copy", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    numbers = ("001", "002", "003", "004", "005", "006", "007", "008", "011")
    yield pairs("bucket/somebodys-copy", *(f"BKT-{n}" for n in numbers), "REG-004")
    s3.delete_bucket(Bucket="somebodys-copy")


def account_may_publish_buckets(live: Any) -> Iterator[Pairs]:
    control, number = live.client("s3control"), live.contract["account"]
    before = control.get_public_access_block(AccountId=number)["PublicAccessBlockConfiguration"]
    weaker = {**before, "RestrictPublicBuckets": False}
    control.put_public_access_block(AccountId=number, PublicAccessBlockConfiguration=weaker)
    yield account(live, "ACC-007")
    control.put_public_access_block(AccountId=number, PublicAccessBlockConfiguration=before)


def key_not_rotated(live: Any) -> Iterator[Pairs]:
    kms, key = live.client("kms"), live.contract["keys"]["data/records"]
    kms.disable_key_rotation(KeyId=key)
    yield pairs("key/data/records", "KMS-001")
    kms.enable_key_rotation(KeyId=key)


def key_for_everybody(live: Any) -> Iterator[Pairs]:
    kms, key = live.client("kms"), live.contract["keys"]["logs"]
    before = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    wide = json.loads(before)
    wide["Statement"].append(
        {"Sid": "Easy", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    )
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(wide))
    yield pairs("key/logs", "KMS-003", "KMS-004", "KMS-005")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=before)


WEAKNESSES: tuple[Weakness, ...] = (
    bucket_policy_removed,
    versioning_suspended,
    bucket_may_become_public,
    bucket_by_hand_in_another_region,
    account_may_publish_buckets,
    key_not_rotated,
    key_for_everybody,
)
