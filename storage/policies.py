"""What every bucket refuses, and the bucket of access logs, as pure documents (no Pulumi import)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from iam.documents import (
    Condition,
    Document,
    Statement,
    document,
    merge,
    of_account,
    on_behalf_of,
    render,
    tls_below,
    without_tls,
)

ALGORITHM_HEADER = "s3:x-amz-server-side-encryption"
KEY_HEADER = "s3:x-amz-server-side-encryption-aws-kms-key-id"
DELETION = (
    "s3:BypassGovernanceRetention",
    "s3:DeleteBucket",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
)


def modern_tls_only(bucket: str) -> list[Statement]:
    """No clear text, no TLS older than 1.2, for bucket and objects."""
    both = (f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*")
    return [
        Statement("NoClearText", "Deny", ["s3:*"], both, "*", without_tls()),
        Statement("NoOldTls", "Deny", ["s3:*"], both, "*", tls_below("1.2")),
    ]


def no_other_encryption(bucket: str, key_arn: str, under: str = "*") -> list[Statement]:
    """No object (whose name is like `under`) under another key.

    A put that names no encryption gets the bucket's default (this key); one that names another algorithm or
    another key is refused. `Null false` makes the denial apply only when the header is present.
    """
    objects = (f"arn:aws:s3:::{bucket}/{under}",)
    other_algorithm: Condition = {
        "StringNotEquals": {ALGORITHM_HEADER: "aws:kms"},
        "Null": {ALGORITHM_HEADER: "false"},
    }
    other_key: Condition = {"StringNotEquals": {KEY_HEADER: key_arn}, "Null": {KEY_HEADER: "false"}}
    return [
        Statement("NoOtherEncryption", "Deny", ["s3:PutObject"], objects, "*", other_algorithm),
        Statement("NoOtherKey", "Deny", ["s3:PutObject"], objects, "*", other_key),
    ]


def encrypted_bucket(bucket: str, key_arn: str) -> Document:
    """TLS 1.2 or newer only, no object under another key, no deletion."""
    return document([*modern_tls_only(bucket), *no_other_encryption(bucket, key_arn), never_deleted(bucket)])


def log_delivery_bucket(bucket: str, account: str, sources: Sequence[str]) -> Document:
    """TLS 1.2 or newer only; S3's log delivery may write under `access/`, for our own buckets only."""
    delivery = Statement(
        "AccessLogDelivery",
        "Allow",
        ["s3:PutObject"],
        (f"arn:aws:s3:::{bucket}/access/*",),
        {"Service": ["logging.s3.amazonaws.com"]},
        merge(of_account(account), {"ArnLike": {"aws:SourceArn": [f"arn:aws:s3:::{s}" for s in sources]}}),
    )
    return document([*modern_tls_only(bucket), never_deleted(bucket), delivery])


def never_deleted(bucket: str) -> Statement:
    """No object, no version and not the bucket itself is deleted by any role; a lock is never bypassed.

    What ends does so by the bucket's lifecycle. Only the account's root user could take this policy away.
    """
    both = (f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*")
    return Statement("NoDeletion", "Deny", DELETION, both, "*")


# Settings that, changed, end or open what a bucket holds. Not among them: replication, which needs
# iam:PassRole of a role under the copy boundary and is set after the policy is.
WEAKENING = (
    "s3:DeleteBucketPolicy",
    "s3:PutBucketAcl",
    "s3:PutBucketLogging",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
)


def not_weakened(bucket: str, administrators: Sequence[str]) -> Statement:
    """Nobody but these (ARNs of roles, and the root user for recovery) changes how the bucket is kept."""
    others: Condition = {"ArnNotEquals": {"aws:PrincipalArn": sorted(administrators)}}
    return Statement("NoWeakening", "Deny", WEAKENING, (f"arn:aws:s3:::{bucket}",), "*", others)


def with_statement(policy: str, statement: Statement) -> str:
    """A rendered policy with one statement more."""
    data = json.loads(policy)
    data["Statement"].append(statement.data())
    return render(data)


def flow_log_trust(account: str, region: str) -> Condition:
    """Whom the flow log service may assume our role for: this account's flow logs in this region."""
    return merge(of_account(account), on_behalf_of(f"arn:aws:ec2:{region}:{account}:vpc-flow-log/*"))
