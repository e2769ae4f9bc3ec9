"""Object Lock and replication of buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin.program.handlers.s3 import BucketSetting, or_none
from twin.program.handlers.spec import Call, Plain, to_aws, to_pulumi


@dataclass(frozen=True, kw_only=True)
class ObjectLock(BucketSetting):
    """The lock's default for new objects; that a bucket can lock at all stays for ever."""

    def make(self, call: Call) -> str:
        """The lock itself and its rule go together; a token of AWS Support's is not ours to give."""
        given = {k: v for k, v in call.inputs.items() if k not in self.known_inputs | {"bucket"}}
        client = call.client("s3")
        parameters = to_aws(client, self.put, {"objectLockConfiguration": given}, self.rename)
        client.put_object_lock_configuration(Bucket=call.inputs["bucket"], **parameters)
        return str(call.inputs["bucket"])

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Without a rule new objects are not locked; those that are stay so."""
        wanted = {"ObjectLockEnabled": "Enabled"}
        or_none(
            call.client("s3").put_object_lock_configuration, Bucket=identity, ObjectLockConfiguration=wanted
        )


@dataclass(frozen=True, kw_only=True)
class Replication(BucketSetting):
    """Where copies of new objects go, and as whom S3 makes them."""

    def make(self, call: Call) -> str:
        """Everything sits under ReplicationConfiguration."""
        given = {k: v for k, v in call.inputs.items() if k not in self.known_inputs | {"bucket"}}
        client = call.client("s3")
        parameters = to_aws(client, self.put, {"replicationConfiguration": given}, self.rename)
        client.put_bucket_replication(Bucket=call.inputs["bucket"], **parameters)
        return str(call.inputs["bucket"])


def _replication(_call: Call, _identity: str, item: Plain) -> Plain:
    rules: list[dict[str, Any]] = to_pulumi(item["Rules"])
    return {"role": item["Role"], "rules": rules}


SPECS = (
    ObjectLock(
        type="aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        service="s3",
        put="put_object_lock_configuration",
        get="get_object_lock_configuration",
        remove="",
        found="ObjectLockConfiguration",
    ),
    Replication(
        type="aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        service="s3",
        put="put_bucket_replication",
        get="get_bucket_replication",
        remove="delete_bucket_replication",
        found="ReplicationConfiguration",
        more=_replication,
    ),
)
