"""The storage of a region: data, the buckets that logs are delivered to, the locked archive they end in, and
the account-wide public block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import s3

from iam.documents import render
from settings import Settings
from storage.bucket import Bucket, BucketArgs
from storage.copies import Copies, CopiesArgs, Source
from storage.copy_policies import archive_bucket
from storage.data import DataStores, DataStoresArgs
from storage.deliveries import delivery_bucket, findings_bucket, trail_bucket
from storage.keys import Keys
from storage.lifecycle import Lifecycle, kept_for
from storage.names import administrators, archive_copier_arn, bucket_name, bucket_patterns
from storage.policies import encrypted_bucket, log_delivery_bucket


@dataclass(frozen=True)
class StorageArgs:
    """Settings and stack (bucket names are worldwide and made of stack and account), the keys; ARNs of the
    node roles and the S3 endpoints each comes through, by server role.
    """

    settings: Settings
    stack: str
    keys: Keys
    node_roles: Mapping[str, pulumi.Output[str]]
    endpoints: Mapping[str, Sequence[pulumi.Output[str]]]


class Storage(pulumi.ComponentResource):
    """Buckets by purpose.

    `logs` takes S3's access logs, `delivery` the logs of load balancers, flow logs, DNS, WAF and Config,
    `trail` CloudTrail's, `findings` GuardDuty's beside the lists it reads, `evidence` what incidents and
    audits leave; `archive` is locked.
    """

    data: DataStores
    logs: Bucket
    delivery: Bucket
    trail: Bucket
    findings: Bucket
    evidence: Bucket
    archive: Bucket
    copies: Copies

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:storage:Storage", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self._names = {
            purpose: bucket_name(args.stack, args.settings.account, purpose)
            for purpose in ("logs", "delivery", "trail", "findings", "evidence", "archive")
        }
        s3.AccountPublicAccessBlock(
            "account",
            account_id=args.settings.account,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )
        kept, keys = args.settings.retention, args.keys
        self.logs = self._access_logs()
        self.data = self._data()
        self.delivery = self._delivery()
        self.trail = self._trail()
        self.findings = self._findings()
        archived = kept_for(kept.noncurrent_days, kept.archive_days)
        self.evidence = self._encrypted("evidence", keys.archive.arn, archived)
        self.archive = self._archive(archived)
        self.copies = self._copies()
        self.register_outputs({purpose: getattr(self, purpose).name for purpose in self._names})

    def contract(self) -> dict[str, Any]:
        """`buckets` of the region contract."""
        keys = self._args.keys
        key_of = {"trail": keys.trail, "findings": keys.findings}
        key_of |= {"evidence": keys.archive, "archive": keys.archive}
        ours = {
            purpose: {
                "name": getattr(self, purpose).name,
                "key": key_of[purpose].arn if purpose in key_of else None,
                "purpose": purpose,
            }
            for purpose in self._names
        }
        return {**ours, **self.data.contract()}

    def key_arns(self) -> dict[str, pulumi.Output[str]]:
        """`keys` of the region contract: the region's, the classes' and the customers'."""
        return {**self._args.keys.arns(), **{key: made.arn for key, made in self.data.keys.items()}}

    def _data(self) -> DataStores:
        args = self._args
        return DataStores(
            "data",
            DataStoresArgs(args.settings, args.stack, args.node_roles, args.endpoints, self.logs.log_target),
            self._after_logs(),
        )

    def _access_logs(self) -> Bucket:
        args, name = self._args, self._names["logs"]
        kept = args.settings.retention
        return Bucket(
            "logs",
            BucketArgs(
                bucket=name,
                policy=render(
                    log_delivery_bucket(
                        name, args.settings.account, bucket_patterns(args.stack, args.settings.account)
                    )
                ),
                key_arn=None,
                log_bucket=None,
                lifecycle=kept_for(kept.noncurrent_days, kept.access_logs_days),
                administrators=administrators(args.stack, args.settings.account),
            ),
            self._child,
        )

    def _delivery(self) -> Bucket:
        args, name = self._args, self._names["delivery"]
        kept = args.settings.retention
        return Bucket(
            "delivery",
            BucketArgs(
                bucket=name,
                policy=render(delivery_bucket(name, args.settings.account, args.settings.region)),
                key_arn=None,
                log_bucket=self.logs.log_target,
                lifecycle=kept_for(kept.noncurrent_days, max(kept.flow_logs_days, kept.access_logs_days)),
                administrators=administrators(args.stack, args.settings.account),
            ),
            self._after_logs(),
        )

    def _trail(self) -> Bucket:
        args, name = self._args, self._names["trail"]
        kept, key_arn = args.settings.retention, args.keys.trail.arn
        return Bucket(
            "trail",
            BucketArgs(
                bucket=name,
                policy=key_arn.apply(
                    lambda key: render(trail_bucket(name, args.settings.account, args.settings.region, key))
                ),
                key_arn=key_arn,
                log_bucket=self.logs.log_target,
                lifecycle=kept_for(kept.noncurrent_days, kept.access_logs_days),
                administrators=administrators(args.stack, args.settings.account),
            ),
            self._after_logs(),
        )

    def _archive(self, lifecycle: Lifecycle) -> Bucket:
        args, name, key_arn = self._args, self._names["archive"], self._args.keys.archive.arn
        copier = archive_copier_arn(args.stack, args.settings.account)
        return Bucket(
            "archive",
            BucketArgs(
                bucket=name,
                policy=key_arn.apply(lambda key: render(archive_bucket(name, key, copier))),
                key_arn=key_arn,
                log_bucket=self.logs.log_target,
                lifecycle=lifecycle,
                administrators=administrators(args.stack, args.settings.account),
                lock_days=args.settings.retention.archive_days,
            ),
            self._after_logs(),
        )

    def _copies(self) -> Copies:
        """What proves something ends in the archive; a customer's data goes where the customer wants."""
        args, keys, data = self._args, self._args.keys, self.data
        archived = {
            "logs": Source(self.logs, None),
            "delivery": Source(self.delivery, None),
            "trail": Source(self.trail, keys.trail.arn),
            "evidence": Source(self.evidence, keys.archive.arn),
        }
        customers: dict[str, dict[str, Source]] = {}
        for name, partition in data.partitions.items():
            if partition.customer is not None and data.copier(partition.customer) is not None:
                source = Source(data.buckets[name], data.keys[partition.key].arn)
                customers.setdefault(partition.customer, {})[partition.child] = source
        return Copies(
            "copies",
            CopiesArgs(args.settings, args.stack, self.archive, keys.archive.arn, archived, customers),
            self._child,
        )

    def _findings(self) -> Bucket:
        args, name = self._args, self._names["findings"]
        kept, key_arn = args.settings.retention, args.keys.findings.arn
        account, region = args.settings.account, args.settings.region
        return Bucket(
            "findings",
            BucketArgs(
                bucket=name,
                policy=key_arn.apply(lambda key: render(findings_bucket(name, account, region, key))),
                key_arn=key_arn,
                log_bucket=self.logs.log_target,
                lifecycle=kept_for(kept.noncurrent_days, kept.archive_days),
                administrators=administrators(args.stack, args.settings.account),
            ),
            self._after_logs(),
        )

    def _encrypted(self, purpose: str, key_arn: pulumi.Output[str], lifecycle: Lifecycle) -> Bucket:
        name = self._names[purpose]
        return Bucket(
            purpose,
            BucketArgs(
                bucket=name,
                policy=key_arn.apply(lambda key: render(encrypted_bucket(name, key))),
                key_arn=key_arn,
                log_bucket=self.logs.log_target,
                lifecycle=lifecycle,
                administrators=administrators(self._args.stack, self._args.settings.account),
            ),
            self._after_logs(),
        )

    def _after_logs(self) -> pulumi.ResourceOptions:
        # S3 takes a bucket as the target of logs only once its policy lets the delivery in.
        return pulumi.ResourceOptions(parent=self, depends_on=[self.logs])
