"""Puts a bundle into the region's evidence bucket, from where it is copied into the locked archive."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from fault import UNREACHABLE, Fault


@dataclass(frozen=True)
class Stored:
    """Where a bundle lies: the object in the evidence bucket, and its copy under the archive's lock."""

    bucket: str
    key: str
    version: str
    archive: str
    retained_until: str


def client(region: str, endpoint: str | None = None) -> Any:
    """S3 as the usual AWS_… environment reaches it."""
    config = Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"max_attempts": 3, "mode": "standard"},
        s3={"addressing_style": "path"} if endpoint else None,
    )
    return boto3.session.Session(region_name=region).client("s3", config=config, endpoint_url=endpoint)


def upload(bundle: Path, contract: dict[str, Any], s3: Any) -> Stored:
    """Store a bundle that was checked before. Raises Fault when it is not kept as it has to be.

    An object of that name is never replaced: the key carries the bundle's hash.
    """
    data = bundle.read_bytes()
    digest = hashlib.sha256(data)
    bucket = _bucket(contract, "evidence")
    key = f"bundles/{contract['stack']}/{bundle.stem}-{digest.hexdigest()[:16]}.tar"
    try:
        _kept_well(s3, bucket)
        answer = s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=data,
            ContentType="application/x-tar",
            ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            IfNoneMatch="*",
        )
        back = s3.get_object(Bucket=bucket, Key=key, VersionId=answer["VersionId"])["Body"].read()
        if hashlib.sha256(back).digest() != digest.digest():
            raise Fault(
                f"s3://{bucket}/{key} is not what was sent", "evidence is stored unaltered", "try again"
            )
        archive = _bucket(contract, "archive")
        until = _retained(s3, archive, key)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "PreconditionFailed":
            raise Fault(
                f"s3://{bucket}/{key} exists", "evidence is never replaced", "nothing to do"
            ) from error
        rule = "evidence goes to the evidence bucket and its locked copy"
        raise Fault(f"{bucket}: {code or error}", rule, "look at the bucket and your role") from error
    except BotoCoreError as error:
        rule = "the account has to answer"
        raise Fault(f"{bucket}: {error}", rule, "check AWS_… and try again", UNREACHABLE) from error
    return Stored(bucket, key, answer["VersionId"], archive, until)


def _bucket(contract: dict[str, Any], name: str) -> str:
    try:
        return str(contract["buckets"][name]["name"])
    except KeyError as error:
        rule = "the region contract names the buckets evidence and archive"
        raise Fault(f"the region has no bucket {name}", rule, "provision the stack") from error


def _kept_well(s3: Any, bucket: str) -> None:
    """Refuse to leave evidence where it could be replaced or would be copied nowhere."""
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        rule = "evidence lies in a bucket that keeps every version"
        raise Fault(f"{bucket} keeps no versions", rule, "provision the stack again")
    rules = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"]
    if not any(rule["Status"] == "Enabled" for rule in rules):
        rule = "evidence is copied into the locked archive"
        raise Fault(f"{bucket} is copied nowhere", rule, "provision the stack again")


def _retained(s3: Any, archive: str, key: str) -> str:
    """The day until which the copy is locked; "" while the copy is still on its way."""
    try:
        head = s3.head_object(Bucket=archive, Key=key)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey", "403"):
            return ""
        raise
    if head.get("ObjectLockMode") != "COMPLIANCE":
        rule = "the archive locks what it takes in compliance mode"
        raise Fault(f"s3://{archive}/{key} is not locked", rule, "look at the archive's default lock")
    return str(head["ObjectLockRetainUntilDate"].date())
