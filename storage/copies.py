"""Replication: logs and evidence into the locked archive, customers' data into their own accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import iam, s3

from iam.documents import render, trust
from settings import Settings
from storage.bucket import Bucket
from storage.copy_policies import Target, copier, copy_boundary
from storage.names import archive_copier_name, bucket_name, copier_name
from tagging import tags


@dataclass(frozen=True)
class Source:
    """A bucket to copy from and the key of its objects; None where S3's own key encrypts them."""

    bucket: Bucket
    key_arn: pulumi.Output[str] | None


@dataclass(frozen=True)
class CopiesArgs:
    """Settings and stack; sources of the archive by purpose; per customer with an own archive its buckets."""

    settings: Settings
    stack: str
    archive: Bucket
    archive_key_arn: pulumi.Output[str]
    archived: Mapping[str, Source]
    customers: Mapping[str, Mapping[str, Source]]


class Copies(pulumi.ComponentResource):
    """One role for the archive and one for each customer with an archive of its own, under one boundary; one
    replication for each source bucket.

    S3 assumes the roles for this account's buckets only, because whoever configures a replication needs
    iam:PassRole here; its documentation promises no source in the request, so the trust asks for none.
    """

    boundary: iam.Policy
    roles: dict[str, iam.Role]

    def __init__(self, name: str, args: CopiesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:storage:Copies", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self._path, self.roles = f"/stockade/{args.stack}/", {}
        config = args.settings
        self.boundary = iam.Policy(
            "copy-boundary",
            path=self._path,
            description="The most any role that copies objects may ever do",
            policy=render(copy_boundary(config.residency.allowed_regions)),
            tags=tags(f"{args.stack}-copy-boundary"),
            opts=self._child,
        )
        # The name is ours to state, so the residency gate can judge the target before there is one.
        archive = f"arn:aws:s3:::{bucket_name(args.stack, config.account, 'archive')}"
        target = args.archive_key_arn.apply(lambda key: Target(archive, key, config.account))
        self._copy("archive", archive_copier_name(args.stack), args.archived, target, archive, args.archive)
        for customer, sources in args.customers.items():
            deep = config.customers[customer].deep_archive
            if deep is not None:
                there = Target(f"arn:aws:s3:::{deep.bucket}", deep.key, deep.account)
                role = copier_name(args.stack, customer)
                to = pulumi.Output.from_input(there)
                self._copy(f"customer-{customer}", role, sources, to, there.bucket_arn, None)
        self.register_outputs({"roles": {key: role.arn for key, role in self.roles.items()}})

    def _copy(  # noqa: PLR0913, PLR0917 - one caller, two cases
        self,
        child: str,
        role_name: str,
        sources: Mapping[str, Source],
        target: pulumi.Output[Target],
        bucket_arn: str,
        ours: Bucket | None,
    ) -> None:
        role = iam.Role(
            f"copy-{child}",
            name=role_name,
            path=self._path,
            assume_role_policy=render(trust("s3.amazonaws.com")),
            permissions_boundary=self.boundary.arn,
            description=f"S3 copies objects with it: {child}",
            tags=tags(role_name),
            opts=self._child,
        )
        self.roles[child] = role
        granted = iam.RolePolicy(
            f"copy-{child}",
            name="copy",
            role=role.name,
            policy=self._policy(list(sources.values()), target),
            opts=self._child,
        )
        for purpose, source in sources.items():
            waits = [granted, source.bucket.versioned, *([ours.versioned] if ours else [])]
            s3.BucketReplicationConfig(
                f"copy-{purpose}",
                bucket=source.bucket.name,
                role=role.arn,
                rules=[
                    _rule(target, bucket_arn, encrypted=source.key_arn is not None, ours=ours is not None)
                ],
                opts=pulumi.ResourceOptions(parent=self, depends_on=waits),
            )

    def _policy(self, sources: Sequence[Source], target: pulumi.Output[Target]) -> pulumi.Output[str]:
        config = self._args.settings
        buckets = pulumi.Output.all(*[source.bucket.arn for source in sources])
        keys = pulumi.Output.all(*[source.key_arn for source in sources if source.key_arn is not None])
        return pulumi.Output.all(buckets, keys, target).apply(
            lambda found: render(copier(found[0], found[1], found[2], config.account, config.region))
        )


def _rule(
    target: pulumi.Output[Target], bucket_arn: str, *, encrypted: bool, ours: bool
) -> s3.BucketReplicationConfigRuleArgs:
    """Every object, never a deletion; in another account the copy belongs to that account."""
    theirs = s3.BucketReplicationConfigRuleDestinationAccessControlTranslationArgs(owner="Destination")
    selection = s3.BucketReplicationConfigRuleSourceSelectionCriteriaArgs(
        sse_kms_encrypted_objects=s3.BucketReplicationConfigRuleSourceSelectionCriteriaSseKmsEncryptedObjectsArgs(
            status="Enabled"
        )
    )
    encryption = s3.BucketReplicationConfigRuleDestinationEncryptionConfigurationArgs(
        replica_kms_key_id=target.apply(lambda found: found.key_arn)
    )
    return s3.BucketReplicationConfigRuleArgs(
        id="everything",
        priority=1,
        status="Enabled",
        filter=s3.BucketReplicationConfigRuleFilterArgs(prefix=""),
        delete_marker_replication=s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs(
            status="Disabled"
        ),
        source_selection_criteria=selection if encrypted else None,
        destination=s3.BucketReplicationConfigRuleDestinationArgs(
            bucket=bucket_arn,
            account=None if ours else target.apply(lambda found: found.account),
            access_control_translation=None if ours else theirs,
            encryption_configuration=encryption if encrypted else None,
        ),
    )
