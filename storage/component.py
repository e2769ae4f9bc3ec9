"""The storage of a region: the data bucket, the bucket its access logs go to, and the account-wide public
block.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import s3

from iam.documents import render
from storage.bucket import Bucket, BucketArgs
from storage.policies import encrypted_bucket, log_delivery_bucket


@dataclass(frozen=True)
class StorageArgs:
    """Account and stack (bucket names are worldwide and made of both), the data key, retention in days."""

    account: str
    stack: str
    key_arn: pulumi.Output[str]
    noncurrent_days: int
    access_logs_days: int


class Storage(pulumi.ComponentResource):
    """Buckets `data` and `logs`."""

    data: Bucket
    logs: Bucket

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:storage:Storage", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        data, logs = (f"stockade-{args.stack}-{purpose}-{args.account}" for purpose in ("data", "logs"))
        s3.AccountPublicAccessBlock(
            "account",
            account_id=args.account,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        self.logs = Bucket(
            "logs",
            BucketArgs(
                bucket=logs,
                policy=render(log_delivery_bucket(logs, args.account, [data])),
                key_arn=None,
                log_bucket=None,
                noncurrent_days=args.noncurrent_days,
                expire_days=args.access_logs_days,
            ),
            child,
        )
        self.data = Bucket(
            "data",
            BucketArgs(
                bucket=data,
                policy=args.key_arn.apply(lambda key: render(encrypted_bucket(data, key))),
                key_arn=args.key_arn,
                log_bucket=self.logs.log_target,
                noncurrent_days=args.noncurrent_days,
            ),
            # S3 takes a bucket as the target of logs only once its policy lets the delivery in.
            pulumi.ResourceOptions(parent=self, depends_on=[self.logs]),
        )
        self.register_outputs({"data": self.data.name, "logs": self.logs.name})
