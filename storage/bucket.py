"""Hardened buckets: encrypted, versioned, closed to the public, TLS 1.2 or newer only, logged, with a
lifecycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import s3

from tagging import tags

ABORT_UPLOAD_DAYS = 7
TIERING_DAYS = 30
# Amazon S3 User Guide, "Transitioning objects": not before 30 days, and 30 days more before expiry is worth
# it.
COLD_AFTER_DAYS = 30


@dataclass(frozen=True)
class BucketArgs:
    """One bucket. `key_arn` None: SSE-S3, for the one bucket that S3's log delivery writes to, which takes
    no key of ours. `log_bucket` None: the log bucket itself (logging into itself would never end).
    """

    bucket: str
    policy: pulumi.Input[str]
    key_arn: pulumi.Output[str] | None
    log_bucket: pulumi.Output[str] | None
    noncurrent_days: int
    expire_days: int | None = None


class Bucket(pulumi.ComponentResource):
    """A bucket that cannot be made public, and refuses clear text, old TLS and other keys."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    log_target: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:storage:Bucket", name, {}, opts)
        self._purpose, self._child = name, pulumi.ResourceOptions(parent=self)
        bucket = s3.Bucket(
            name, bucket=args.bucket, force_destroy=False, tags=tags(args.bucket), opts=self._child
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
        self._lifecycle(bucket, versioned, args)
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

    def _lifecycle(self, bucket: s3.Bucket, versioned: s3.BucketVersioning, args: BucketArgs) -> None:
        rules = [_tidy(args.noncurrent_days)]
        if args.expire_days is None:
            rules.append(_tiering())
        else:
            rules.append(_expiry(args.expire_days))
        s3.BucketLifecycleConfiguration(
            self._purpose,
            bucket=bucket.bucket,
            rules=rules,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioned]),
        )


# An empty filter: every object.
def _everything() -> s3.BucketLifecycleConfigurationRuleFilterArgs:
    return s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")


def _tidy(noncurrent_days: int) -> s3.BucketLifecycleConfigurationRuleArgs:
    """Replaced versions get colder and then go; uploads that were never finished go early."""
    cold = noncurrent_days >= 2 * COLD_AFTER_DAYS
    transition = s3.BucketLifecycleConfigurationRuleNoncurrentVersionTransitionArgs(
        noncurrent_days=COLD_AFTER_DAYS, storage_class="STANDARD_IA"
    )
    return s3.BucketLifecycleConfigurationRuleArgs(
        id="tidy",
        status="Enabled",
        filter=_everything(),
        abort_incomplete_multipart_upload=s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
            days_after_initiation=ABORT_UPLOAD_DAYS
        ),
        noncurrent_version_transitions=[transition] if cold else None,
        noncurrent_version_expiration=s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=noncurrent_days
        ),
    )


def _tiering() -> s3.BucketLifecycleConfigurationRuleArgs:
    """Current objects move by their use; nothing a customer keeps is ever deleted by us."""
    return s3.BucketLifecycleConfigurationRuleArgs(
        id="tiering",
        status="Enabled",
        filter=_everything(),
        transitions=[
            s3.BucketLifecycleConfigurationRuleTransitionArgs(
                days=TIERING_DAYS, storage_class="INTELLIGENT_TIERING"
            )
        ],
    )


def _expiry(days: int) -> s3.BucketLifecycleConfigurationRuleArgs:
    """Logs go when their retention is over."""
    return s3.BucketLifecycleConfigurationRuleArgs(
        id="retention",
        status="Enabled",
        filter=_everything(),
        expiration=s3.BucketLifecycleConfigurationRuleExpirationArgs(days=days),
    )
