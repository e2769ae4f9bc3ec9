"""Who copies objects to where, as pure documents: S3's role, its boundary, the archive that receives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iam.documents import (
    Condition,
    Document,
    Statement,
    document,
    merge,
    outside_regions,
    through_service,
)
from storage.policies import modern_tls_only, never_deleted, no_other_encryption

# Amazon S3 User Guide, "Setting up permissions for live replication" and "Replicating encrypted objects"
# (read 2026-11). Deletions are never replicated, so that role has no word for them.
LOOK = ("s3:GetReplicationConfiguration", "s3:ListBucket")
READ = ("s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging")
WRITE = ("s3:ReplicateObject", "s3:ReplicateTags")
OVERRIDE = "s3:ObjectOwnerOverrideToBucketOwner"  # the copy belongs to the account it lies in
ENCRYPT = ("kms:Encrypt", "kms:GenerateDataKey")


@dataclass(frozen=True)
class Target:
    """Where copies go: a bucket's ARN, its key's ARN, the account that owns both."""

    bucket_arn: str
    key_arn: str
    account: str

    @property
    def region(self) -> str:
        """A bucket's ARN names no region, its key's does, and S3 wants both in one."""
        return self.key_arn.split(":")[3]


def copier(
    sources: Sequence[str], source_keys: Sequence[str], target: Target, account: str, region: str
) -> Document:
    """What the role that copies may do: read versions of these buckets, write replicas into the target.

    `sources`: bucket ARNs; `source_keys`: keys they are encrypted with, if any.
    """
    objects = tuple(f"{arn}/*" for arn in sources)
    write = (*WRITE, OVERRIDE) if target.account != account else WRITE
    statements = [
        Statement("Look", "Allow", LOOK, tuple(sources)),
        Statement("Read", "Allow", READ, objects),
        Statement("Write", "Allow", write, (f"{target.bucket_arn}/*",)),
        Statement(
            "Encrypt", "Allow", ENCRYPT, (target.key_arn,), condition=through_service("s3", target.region)
        ),
    ]
    if source_keys:
        context: Condition = {
            "StringLike": {"kms:EncryptionContext:aws:s3:arn": sorted([*sources, *objects])}
        }
        statements.append(
            Statement(
                "Decrypt",
                "Allow",
                ["kms:Decrypt"],
                tuple(sorted(source_keys)),
                condition=merge(through_service("s3", region), context),
            )
        )
    return document(statements)


def copy_boundary(allowed_regions: Sequence[str]) -> Document:
    """The most any role that copies may ever do: replicate and en- or decrypt for it, in allowed regions."""
    return document(
        [
            Statement("CopyAtMost", "Allow", (*LOOK, *READ, *WRITE, OVERRIDE, "kms:Decrypt", *ENCRYPT)),
            Statement("StayInAllowedRegions", "Deny", ["*"], condition=outside_regions(allowed_regions)),
        ]
    )


def archive_bucket(bucket: str, key_arn: str, copier_arn: str) -> Document:
    """Nothing comes in but copies, made by the one role; nobody puts, alters or deletes.

    What S3 delivered under its own key stays under it in the copy (AES-256 as well), so the refusal of other
    keys speaks of uploads only.
    """
    objects = (f"arn:aws:s3:::{bucket}/*",)
    other: Condition = {"ArnNotEquals": {"aws:PrincipalArn": copier_arn}}
    return document(
        [
            *modern_tls_only(bucket),
            never_deleted(bucket),
            *no_other_encryption(bucket, key_arn),
            Statement(
                "NoUploads", "Deny", ["s3:PutObject", "s3:PutObjectAcl", "s3:ReplicateDelete"], objects, "*"
            ),
            Statement("OnlyCopies", "Deny", WRITE, objects, "*", other),
        ]
    )
