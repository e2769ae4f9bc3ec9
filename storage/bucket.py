"""Hardened buckets: encrypted, versioned, closed to the public, TLS 1.2 or newer only, logged, with a
lifecycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import s3

from storage.lifecycle import Lifecycle
from tagging import tags


@dataclass(frozen=True)
class BucketArgs:
    """One bucket. `key_arn` None: SSE-S3, for buckets of delivering services that take no key of ours.
    `log_bucket` None: the log bucket itself (logging into itself would never end). `lock_days`: every object
    is locked against everybody for so long (Object Lock in compliance mode); nothing can deliver logs into
    such a bucket directly, so it receives by replication.
    """

    bucket: str
    policy: pulumi.Input[str]
    key_arn: pulumi.Output[str] | None
    log_bucket: pulumi.Output[str] | None
    lifecycle: Lifecycle
    lock_days: int | None = None


class Bucket(pulumi.ComponentResource):
    """A bucket that cannot be made public, and refuses clear text, old TLS and other keys."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    log_target: pulumi.Output[str]
    versioned: s3.BucketVersioning

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:storage:Bucket", name, {}, opts)
        self._purpose, self._child = name, pulumi.ResourceOptions(parent=self)
        bucket = s3.Bucket(
            name,
            bucket=args.bucket,
            force_destroy=False,
            object_lock_enabled=True if args.lock_days else None,
            tags=tags(args.bucket),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        self.name, self.arn = bucket.bucket, bucket.arn
        closed = self._close(bucket)
        self._encrypt(bucket, args.key_arn)
        policy = s3.BucketPolicy(
            name,
            bucket=bucket.bucket,
            policy=args.policy,
            # S3 refuses two changes of a bucket's access settings at the same moment.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),
        )
        # S3 looks at the policy when another bucket starts logging to this one.
        self.log_target = policy.bucket
        versioned = s3.BucketVersioning(
            name,
            bucket=bucket.bucket,
            versioning_configuration=s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=self._child,
        )
        # What replication and its targets wait for: both want versions.
        self.versioned = versioned
        self._lifecycle(bucket, versioned, args.lifecycle)
        if args.lock_days:
            self._lock(bucket, versioned, args.lock_days)
        if args.log_bucket is not None:
            s3.BucketLogging(
                name,
                bucket=bucket.bucket,
                target_bucket=args.log_bucket,
                target_prefix=f"access/{name}/",
                opts=self._child,
            )
        self.register_outputs({"name": self.name, "arn": self.arn})

    def _close(self, bucket: s3.Bucket) -> s3.BucketPublicAccessBlock:
        closed = s3.BucketPublicAccessBlock(
            self._purpose,
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )
        s3.BucketOwnershipControls(
            self._purpose,
            bucket=bucket.bucket,
            rule=s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),
        )
        return closed

    def _encrypt(self, bucket: s3.Bucket, key_arn: pulumi.Output[str] | None) -> None:
        by_default = s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
            sse_algorithm="AES256" if key_arn is None else "aws:kms", kms_master_key_id=key_arn
        )
        s3.BucketServerSideEncryptionConfiguration(
            self._purpose,
            bucket=bucket.bucket,
            rules=[
                s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=by_default,
                    bucket_key_enabled=None if key_arn is None else True,
                )
            ],
            opts=self._child,
        )

    def _lifecycle(self, bucket: s3.Bucket, versioned: s3.BucketVersioning, lifecycle: Lifecycle) -> None:
        s3.BucketLifecycleConfiguration(
            self._purpose,
            bucket=bucket.bucket,
            rules=lifecycle.rules(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioned]),
        )

    def _lock(self, bucket: s3.Bucket, versioned: s3.BucketVersioning, days: int) -> None:
        retention = s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(mode="COMPLIANCE", days=days)
        s3.BucketObjectLockConfiguration(
            self._purpose,
            bucket=bucket.bucket,
            object_lock_enabled="Enabled",
            rule=s3.BucketObjectLockConfigurationRuleArgs(default_retention=retention),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioned]),
        )
