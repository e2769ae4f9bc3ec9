"""What a customer puts in place in its own account, so that its deep archive takes our copies. Pure: two
documents and a page, made from the settings alone.
"""

from __future__ import annotations

import json

from fault import Fault
from iam.documents import Document, Statement, document, through_service
from settings import Settings
from storage.copy_policies import ENCRYPT, OVERRIDE, WRITE
from storage.key_policies import administration
from storage.names import copier_arn
from storage.policies import modern_tls_only

# What S3 asks of the bucket of another account before it copies: Amazon S3 User Guide, "Granting permissions
# when the source and destination buckets are owned by different AWS accounts" (read 2026-11).
LOOK_AT_BUCKET = ("s3:GetBucketVersioning", "s3:ListBucket")


def bucket_policy(bucket: str, role_arn: str) -> Document:
    """Our role may add copies and give them to the bucket's owner. It can neither read nor delete."""
    ours = {"AWS": [role_arn]}
    arn = f"arn:aws:s3:::{bucket}"
    return document(
        [
            *modern_tls_only(bucket),
            Statement("LookAtBucket", "Allow", LOOK_AT_BUCKET, (arn,), ours),
            Statement("TakeCopies", "Allow", (*WRITE, OVERRIDE), (f"{arn}/*",), ours),
        ]
    )


def key_policy(account: str, role_arn: str, region: str) -> Document:
    """The customer administers and uses its key as it likes; our role may only encrypt, through S3."""
    own = {"AWS": [f"arn:aws:iam::{account}:root"]}
    through = through_service("s3", region)
    use = ("kms:Decrypt", *ENCRYPT)
    return document(
        [
            administration(account),
            Statement("UseThroughS3", "Allow", use, principals=own, condition=through),
            Statement("EncryptCopies", "Allow", ENCRYPT, principals={"AWS": [role_arn]}, condition=through),
        ]
    )


def files(settings: Settings, stack: str, customer: str) -> dict[str, str]:
    """The hand-over by file name. Fault when there is no such customer or it has no archive of its own."""
    stated = settings.customers.get(customer)
    deep = stated.deep_archive if stated else None
    if deep is None:
        having = [name for name, found in settings.customers.items() if found.deep_archive]
        raise Fault(
            f"{customer} has no deep archive in {stack}",
            "a hand-over is for a customer with customers.<name>.deep_archive",
            f"choose from {', '.join(having)}" if having else "state its account, bucket and key",
        )
    role, region = copier_arn(stack, settings.account, customer), deep.key.split(":")[3]
    page = _PAGE.format(
        customer=customer,
        ours=settings.account,
        role=role,
        account=deep.account,
        bucket=deep.bucket,
        key=deep.key,
        region=region,
        days=settings.retention.archive_days,
    )
    return {
        "bucket-policy.json": json.dumps(bucket_policy(deep.bucket, role), indent=2) + "\n",
        "key-policy.json": json.dumps(key_policy(deep.account, role, region), indent=2) + "\n",
        "README.md": page,
    }


_PAGE = """# Deep archive of {customer}

Copies of your objects arrive in your own account. Nobody at our side can read, change or delete them there.

| what | where |
| --- | --- |
| your account | {account} |
| region of bucket and key | {region} |
| bucket | {bucket} |
| key | {key} |
| who copies | {role} (account {ours}) |

1. Create the bucket in {region}, with versioning and Object Lock switched on. A lock of its own (compliance
   mode, {days} days) makes the copies unalterable for you as well.
2. Create the key in {region}, rotate it yearly, and give it `key-policy.json`. Add your own readers to it if
   you keep stricter rules than "whoever your IAM lets".
3. Block all four kinds of public access, own all objects (bucket owner enforced), and give the bucket
   `bucket-policy.json`.
4. Encrypt the bucket by default with the key, and tell us when all is in place: replication starts with the
   next object. Objects from before are copied by S3 Batch Replication, which we start on request.
5. Check: an object uploaded here shows `x-amz-replication-status: COMPLETED` within 15 minutes; the copy at
   your side says `REPLICA` and belongs to you.
"""
