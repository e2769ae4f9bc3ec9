"""Key and bucket policies as pure documents (no Pulumi import)."""

from __future__ import annotations

from collections.abc import Sequence

from iam.documents import (
    Condition,
    Document,
    Statement,
    document,
    merge,
    of_account,
    on_behalf_of,
    through_service,
    tls_below,
    without_tls,
)

# Administration without use: an administrator of keys can neither decrypt nor make grants to somebody who
# can.
KEY_ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
KEY_USE = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")


def _root(account: str) -> dict[str, list[str]]:
    """The account itself: IAM policies in the account then decide which identity may."""
    return {"AWS": [f"arn:aws:iam::{account}:root"]}


def _administration(account: str) -> Statement:
    return Statement("Administration", "Allow", KEY_ADMINISTRATION, principals=_root(account))


def key_for_service(account: str, region: str, service: str) -> Document:
    """A key that the account's identities use through one AWS service only, e.g. `s3`."""
    use = Statement(
        "UseThroughService",
        "Allow",
        KEY_USE,
        principals=_root(account),
        condition=through_service(service, region),
    )
    return document([_administration(account), use])


def key_for_volumes(account: str, region: str) -> Document:
    """A key for EBS: use through EC2, and grants only those that EC2 makes for its own volumes."""
    through_ec2 = through_service("ec2", region)
    use = Statement("UseThroughService", "Allow", KEY_USE, principals=_root(account), condition=through_ec2)
    grants = Statement(
        "GrantsForVolumes",
        "Allow",
        ["kms:CreateGrant"],
        principals=_root(account),
        condition=merge(through_ec2, {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
    )
    return document([_administration(account), use, grants])


def key_for_logs(account: str, region: str, log_groups: Sequence[str]) -> Document:
    """A key that CloudWatch Logs uses for the log groups whose names match these patterns, and for nothing
    else.
    """
    arns = [f"arn:aws:logs:{region}:{account}:log-group:{pattern}" for pattern in log_groups]
    condition: Condition = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arns}}
    use = Statement(
        "UseByLogs",
        "Allow",
        KEY_USE,
        principals={"Service": [f"logs.{region}.amazonaws.com"]},
        condition=condition,
    )
    return document([_administration(account), use])


def _modern_tls_only(bucket: str) -> list[Statement]:
    both = (f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*")
    return [
        Statement("NoClearText", "Deny", ["s3:*"], both, "*", without_tls()),
        Statement("NoOldTls", "Deny", ["s3:*"], both, "*", tls_below("1.2")),
    ]


def encrypted_bucket(bucket: str, key_arn: str) -> Document:
    """TLS 1.2 or newer only, and no object under another key.

    A put that names no encryption gets the bucket's default (this key); one that names another algorithm or
    another key is refused. `Null false` makes the denial apply only when the header is present.
    """
    objects = (f"arn:aws:s3:::{bucket}/*",)
    algorithm, key = "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"
    other_algorithm: Condition = {"StringNotEquals": {algorithm: "aws:kms"}, "Null": {algorithm: "false"}}
    other_key: Condition = {"StringNotEquals": {key: key_arn}, "Null": {key: "false"}}
    return document(
        [
            *_modern_tls_only(bucket),
            Statement("NoOtherEncryption", "Deny", ["s3:PutObject"], objects, "*", other_algorithm),
            Statement("NoOtherKey", "Deny", ["s3:PutObject"], objects, "*", other_key),
        ]
    )


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
    return document([*_modern_tls_only(bucket), delivery])


def flow_log_trust(account: str, region: str) -> Condition:
    """Whom the flow log service may assume our role for: this account's flow logs in this region."""
    return merge(of_account(account), on_behalf_of(f"arn:aws:ec2:{region}:{account}:vpc-flow-log/*"))
