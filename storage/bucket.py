"""Hardened buckets: encrypted, versioned, closed to the public, TLS 1.2 or newer only, logged, with a
lifecycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import s3

from storage.lifecycle import Lifecycle
from storage.policies import not_weakened, with_statement
from tagging import tags


@dataclass(frozen=True)
class BucketArgs:
    """One bucket. `key_arn` None: SSE-S3, for buckets of delivering services that take no key of ours.
    `log_bucket` None: the log bucket itself (logging into itself would never end). `lock_days`: every object
    is locked against everybody for so long (Object Lock in compliance mode); nothing can deliver logs into
    such a bucket directly, so it receives by replication. `administrators`: ARNs of who may change how the
    bucket is kept.
    """

    bucket: str
    policy: pulumi.Input[str]
    key_arn: pulumi.Output[str] | None
    log_bucket: pulumi.Output[str] | None
    lifecycle: Lifecycle
    administrators: Sequence[str]
    lock_days: int | None = None


class Bucket(pulumi.ComponentResource):
    """A bucket that cannot be made public, and refuses clear text, old TLS and other keys."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    log_target: pulumi.Output[str]
    # What replication and its targets wait for: both want versions.
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
        settings: list[pulumi.Resource] = [*self._close(bucket), self._encrypt(bucket, args.key_arn)]
        self.versioned = s3.BucketVersioning(
            name,
            bucket=bucket.bucket,
            versioning_configuration=s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=self._child,
        )
        settings.append(self._lifecycle(bucket, args.lifecycle))
        if args.lock_days:
            settings.append(self._lock(bucket, args.lock_days))
        if args.log_bucket is not None:
            settings.append(self._log(bucket, args.log_bucket))
        guard = not_weakened(args.bucket, args.administrators)
        policy = s3.BucketPolicy(
            name,
            bucket=bucket.bucket,
            policy=pulumi.Output.from_input(args.policy).apply(lambda text: with_statement(text, guard)),
            # Last, since from then on only the administrators change the others.
            opts=pulumi.ResourceOptions(parent=self, depends_on=settings),
        )
        # S3 looks at the policy when another bucket starts logging to this one.
        self.log_target = policy.bucket
        self.register_outputs({"name": self.name, "arn": self.arn})

    def _close(self, bucket: s3.Bucket) -> tuple[pulumi.Resource, pulumi.Resource]:
        closed = s3.BucketPublicAccessBlock(
            self._purpose,
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )
        owned = s3.BucketOwnershipControls(
            self._purpose,
            bucket=bucket.bucket,
            rule=s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            # S3 refuses two changes of a bucket's access settings at the same moment.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),
        )
        return closed, owned

    def _encrypt(self, bucket: s3.Bucket, key_arn: pulumi.Output[str] | None) -> pulumi.Resource:
        by_default = s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
            sse_algorithm="AES256" if key_arn is None else "aws:kms", kms_master_key_id=key_arn
        )
        return s3.BucketServerSideEncryptionConfiguration(
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

    def _lifecycle(self, bucket: s3.Bucket, lifecycle: Lifecycle) -> pulumi.Resource:
        return s3.BucketLifecycleConfiguration(
            self._purpose, bucket=bucket.bucket, rules=lifecycle.rules(), opts=self._after_versions()
        )

    def _lock(self, bucket: s3.Bucket, days: int) -> pulumi.Resource:
        retention = s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(mode="COMPLIANCE", days=days)
        return s3.BucketObjectLockConfiguration(
            self._purpose,
            bucket=bucket.bucket,
            object_lock_enabled="Enabled",
            rule=s3.BucketObjectLockConfigurationRuleArgs(default_retention=retention),
            opts=self._after_versions(),
        )

    def _log(self, bucket: s3.Bucket, target: pulumi.Output[str]) -> pulumi.Resource:
        return s3.BucketLogging(
            self._purpose,
            bucket=bucket.bucket,
            target_bucket=target,
            target_prefix=f"access/{self._purpose}/",
            opts=self._child,
        )

    def _after_versions(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=[self.versioned])
