"""Objects of S3 that the program itself writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Spec, Unsupported, tags_of

_TAKEN = frozenset({"bucket", "key", "content", "contentType", "serverSideEncryption"})


@dataclass(frozen=True, kw_only=True)
class Object(Spec):
    """One object with its content; its id is bucket and key."""

    def make(self, call: Call) -> str:
        """PutObject; without an encryption of its own it gets the bucket's default."""
        strange = sorted(set(call.inputs) - _TAKEN - self.known_inputs - self.write_only)
        if strange:
            raise Unsupported(", ".join(strange))
        bucket, key = call.inputs["bucket"], call.inputs["key"]
        more: dict[str, Any] = {}
        if call.inputs.get("contentType"):
            more["ContentType"] = call.inputs["contentType"]
        if call.inputs.get("serverSideEncryption"):
            more["ServerSideEncryption"] = call.inputs["serverSideEncryption"]
        call.client("s3").put_object(Bucket=bucket, Key=key, Body=call.inputs["content"].encode(), **more)
        return f"{bucket}/{key}"

    def settle(self, call: Call, identity: str) -> None:
        """Tags have their own operation."""
        if call.tags:
            self.retag(call, identity)

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The object and its content."""
        bucket, key = identity.split("/", 1)
        try:
            found = call.client("s3").get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        text = found["Body"].read().decode()
        kept = {
            name: found.get(name) for name in ("ContentType", "ETag", "VersionId", "ServerSideEncryption")
        }
        return {**kept, "Bucket": bucket, "Key": key, "Content": text}

    def can_change(self, changed: set[str]) -> bool:
        """Another bucket or key is another object."""
        return not changed & {"bucket", "key", "region"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Write again."""
        if changed - {"tags", "tagsAll"}:
            self.make(call)
        self.settle(call, identity)

    def retag(self, call: Call, identity: str) -> None:
        """PutObjectTagging replaces all."""
        bucket, key = identity.split("/", 1)
        tags = [{"Key": name, "Value": value} for name, value in sorted(call.tags.items())]
        call.client("s3").put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": tags})

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """A marker over its versions; where the account ends, the bucket goes with all that is in it."""
        if call.ending:
            return
        bucket, key = identity.split("/", 1)
        try:
            call.client("s3").delete_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if not self.means_gone(error):
                raise


def _facts(call: Call, identity: str, item: Plain) -> Plain:
    bucket, key = identity.split("/", 1)
    found = call.client("s3").get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    etag = str(item.get("ETag", "")).strip('"')
    return {"arn": f"arn:aws:s3:::{identity}", "etag": etag, "tagsAll": tags_of({"Tags": found})}


SPECS = (
    Object(
        type="aws:s3/bucketObjectv2:BucketObjectv2",
        service="s3",
        tags_as="Tagging",
        exclusive=False,
        write_only=frozenset({"forceDestroy"}),  # how it is deleted
        more=_facts,
    ),
)
