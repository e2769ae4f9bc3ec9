"""Policies of buckets and keys of data: the server roles concerned only, through our endpoints only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iam.documents import Condition, Document, Statement, document, merge, through_service
from storage.key_policies import account_root, administration
from storage.partitions import tenant_prefix
from storage.policies import (
    ALGORITHM_HEADER,
    KEY_HEADER,
    modern_tls_only,
    never_deleted,
)

READ_OBJECT = (
    "s3:GetObject",
    "s3:GetObjectAttributes",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionAttributes",
)
# What S3 itself reads when it replicates; never a node.
READ_FOR_COPY = ("s3:GetObjectVersionForReplication",)
WRITE_OBJECT = ("s3:PutObject",)
# Metadata that changes what an object is worth: nobody but S3's own replication sets it here.
CHANGE_OBJECT = ("s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:RestoreObject", "s3:UpdateObjectEncryption")


class Elsewhere(Statement):
    """A statement about everything but its resources."""

    def data(self) -> Document:
        """The statement with `NotResource`."""
        body = super().data()
        body["NotResource"] = body.pop("Resource")
        return body


@dataclass(frozen=True)
class Concerned:
    """Who is let at the data: ARNs of the node roles that write and read, of the role that copies it to the
    customer's own archive (or none), and the VPC endpoints they come through.
    """

    writers: Sequence[str]
    readers: Sequence[str]
    endpoints: Sequence[str]
    copier: str | None = None


def not_by(arns: Sequence[str]) -> Condition:
    """Somebody other than these roles. The ARN of a session's role, never of the session."""
    return {"ArnNotEquals": {"aws:PrincipalArn": sorted(arns)}}


def data_bucket(bucket: str, key_arn: str, who: Concerned, tenants: Mapping[str, str]) -> Document:
    """The policy of a bucket of data. `tenants`: customer with a prefix here → ARN of its key.

    It only refuses: what a role may do, its own policy grants. A role outside the two lists is refused even
    if it is granted everything.
    """
    objects = (f"arn:aws:s3:::{bucket}/*",)
    copiers = [who.copier] if who.copier else []
    elsewhere: Condition = {"StringNotEquals": {"aws:SourceVpce": sorted(who.endpoints)}}
    if copiers:
        elsewhere = merge(elsewhere, not_by(copiers))
    both = (*READ_OBJECT, *READ_FOR_COPY, *WRITE_OBJECT)
    return document(
        [
            *modern_tls_only(bucket),
            never_deleted(bucket),
            Statement("OnlyWriters", "Deny", WRITE_OBJECT, objects, "*", not_by(who.writers)),
            Statement("OnlyReaders", "Deny", READ_OBJECT, objects, "*", not_by([*who.readers, *copiers])),
            _nobody_else_copies(objects, copiers),
            Statement("NoOtherChange", "Deny", CHANGE_OBJECT, objects, "*"),
            Statement("OnlyOurEndpoints", "Deny", both, objects, "*", elsewhere),
            *_own_keys_only(bucket, key_arn, tenants),
        ]
    )


def _nobody_else_copies(objects: tuple[str, ...], copiers: Sequence[str]) -> Statement:
    condition = not_by(copiers) if copiers else {}
    return Statement("NoOtherCopies", "Deny", READ_FOR_COPY, objects, "*", condition)


def _own_keys_only(bucket: str, key_arn: str, tenants: Mapping[str, str]) -> list[Statement]:
    """The bucket's key, and under a customer's prefix that customer's key and no other."""
    objects = (f"arn:aws:s3:::{bucket}/*",)
    other_algorithm: Condition = {
        "StringNotEquals": {ALGORITHM_HEADER: "aws:kms"},
        "Null": {ALGORITHM_HEADER: "false"},
    }
    keys = [key_arn, *(tenants[name] for name in sorted(tenants))]
    other_key: Condition = {"StringNotEquals": {KEY_HEADER: keys}, "Null": {KEY_HEADER: "false"}}
    found = [
        Statement("NoOtherEncryption", "Deny", WRITE_OBJECT, objects, "*", other_algorithm),
        Statement("NoOtherKey", "Deny", WRITE_OBJECT, objects, "*", other_key),
    ]
    for customer, key in sorted(tenants.items()):
        prefix = (f"arn:aws:s3:::{bucket}/{tenant_prefix(customer)}*",)
        word = customer.replace(
            "-", "Z"
        )  # statement names are letters and digits; customers have no capitals
        # No key named at all is another key: the bucket's default.
        wrong: Condition = {"StringNotEquals": {KEY_HEADER: key}}
        astray: Condition = {"StringEquals": {KEY_HEADER: key}}
        found += [
            Statement(f"KeyOf{word}", "Deny", WRITE_OBJECT, prefix, "*", wrong),
            Elsewhere(f"PrefixOf{word}", "Deny", WRITE_OBJECT, prefix, "*", astray),
        ]
    return found


def data_key(account: str, region: str, who: Concerned) -> Document:
    """A key that the node roles concerned use through S3, and nobody else.

    AWS KMS Developer Guide, "kms:ViaService"; the account's root is named because IAM decides as well, the
    condition on the caller bounds it. Writers decrypt too: a multipart upload reads its own parts.
    """
    through = through_service("s3", region)
    copiers = [who.copier] if who.copier else []
    readers = sorted({*who.readers, *who.writers, *copiers})
    return document(
        [
            administration(account),
            Statement(
                "WritersEncrypt",
                "Allow",
                ["kms:GenerateDataKey"],
                principals=account_root(account),
                condition=merge(through, {"ArnEquals": {"aws:PrincipalArn": sorted(who.writers)}}),
            ),
            Statement(
                "ReadersDecrypt",
                "Allow",
                ["kms:Decrypt"],
                principals=account_root(account),
                condition=merge(through, {"ArnEquals": {"aws:PrincipalArn": readers}}),
            ),
        ]
    )
