"""The data of a region: for each class and each customer a key, and the buckets of storage/partitions.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import kms

from iam.documents import render
from settings import Settings
from storage.bucket import Bucket, BucketArgs
from storage.keys import make_key
from storage.lifecycle import COLD, WARM, Lifecycle
from storage.names import administrators, copier_arn
from storage.partition_policies import Concerned, data_bucket, data_key
from storage.partitions import Partition, concerned, key_of_class, key_of_customer, partitions


@dataclass(frozen=True)
class DataStoresArgs:
    """Settings and stack; ARNs of the node roles and the S3 endpoints each comes through, by server role; the
    bucket that takes the access logs.
    """

    settings: Settings
    stack: str
    node_roles: Mapping[str, pulumi.Output[str]]
    endpoints: Mapping[str, Sequence[pulumi.Output[str]]]
    log_target: pulumi.Output[str]


class DataStores(pulumi.ComponentResource):
    """Keys by purpose (`data/<class>`, `customer/<customer>`) and buckets by name (`data/<class>`,
    `customer/<customer>/<class>`).
    """

    keys: dict[str, kms.Key]
    buckets: dict[str, Bucket]
    partitions: dict[str, Partition]

    def __init__(self, name: str, args: DataStoresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:storage:DataStores", name, {}, opts)
        self._args, config = args, args.settings
        found = partitions(config.data_classes, config.customers, args.stack, config.account)
        self.partitions = {partition.name: partition for partition in found}
        self.keys = {key_of_class(key): self._class_key(key) for key in config.data_classes}
        self.keys |= {key_of_customer(key): self._customer_key(key) for key in config.customers}
        self.buckets = {partition.name: self._bucket(partition) for partition in found}
        self.register_outputs({"buckets": {key: made.name for key, made in self.buckets.items()}})

    def contract(self) -> dict[str, Any]:
        """These buckets' part of `buckets` in the region contract."""
        return {
            name: {
                "name": self.buckets[name].name,
                "key": self.keys[partition.key].arn,
                "purpose": "data",
                "class": partition.data_class,
                **({"customer": partition.customer} if partition.customer else {}),
                **({"tenants": self._tenants(partition)} if partition.tenants else {}),
            }
            for name, partition in self.partitions.items()
        }

    def copier(self, customer: str | None) -> str | None:
        """The role that copies a customer's objects to its own archive; none without such an archive."""
        if customer is None or self._args.settings.customers[customer].deep_archive is None:
            return None
        return copier_arn(self._args.stack, self._args.settings.account, customer)

    def _tenants(self, partition: Partition) -> dict[str, pulumi.Output[str]]:
        return {customer: self.keys[key_of_customer(customer)].arn for customer in partition.tenants}

    def _class_key(self, data_class: str) -> kms.Key:
        policy = self._for([data_class], None).apply(self._key_policy)
        return make_key(self, self._args.stack, key_of_class(data_class), f"{data_class} class", policy)

    def _customer_key(self, customer: str) -> kms.Key:
        classes = self._args.settings.customers[customer].classes
        policy = self._for(classes, customer).apply(self._key_policy)
        return make_key(self, self._args.stack, key_of_customer(customer), f"data of {customer}", policy)

    def _key_policy(self, who: Concerned) -> str:
        config = self._args.settings
        return render(data_key(config.account, config.region, who))

    def _for(self, classes: Sequence[str], customer: str | None) -> pulumi.Output[Concerned]:
        """Who is let at these classes of a customer, once the ARNs and ids are known."""
        args = self._args
        writers, readers = concerned(args.settings.data_classes, classes)
        roles = sorted({*writers, *readers})
        doors = [endpoint for role in roles for endpoint in args.endpoints.get(role, ())]
        copier = self.copier(customer)
        known = pulumi.Output.all(
            pulumi.Output.all(*[args.node_roles[r] for r in roles]), pulumi.Output.all(*doors)
        )

        def decide(found: list[list[str]]) -> Concerned:
            arns = dict(zip(roles, found[0], strict=True))
            return Concerned(
                [arns[r] for r in writers], [arns[r] for r in readers], sorted(set(found[1])), copier
            )

        return known.apply(decide)

    def _bucket(self, partition: Partition) -> Bucket:
        args = self._args
        key_arn = self.keys[partition.key].arn
        who = self._for([partition.data_class], partition.customer)
        tenants = pulumi.Output.from_input(self._tenants(partition))
        policy = pulumi.Output.all(key_arn, who, tenants).apply(
            lambda found: render(data_bucket(partition.bucket, found[0], found[1], found[2]))
        )
        return Bucket(
            partition.child,
            BucketArgs(
                bucket=partition.bucket,
                policy=policy,
                key_arn=key_arn,
                log_bucket=args.log_target,
                lifecycle=self._lifecycle(partition.data_class),
                administrators=administrators(args.stack, args.settings.account),
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _lifecycle(self, data_class: str) -> Lifecycle:
        """Current objects get colder by use and age and never go by themselves; a replaced version is kept as
        long as the class demands, since overwriting must not be a way to delete.
        """
        stated = self._args.settings.data_classes[data_class]
        kept = max(stated.retention_days, self._args.settings.retention.noncurrent_days)
        return Lifecycle(kept, ((stated.warm_after_days, WARM), (stated.cold_after_days, COLD)))
