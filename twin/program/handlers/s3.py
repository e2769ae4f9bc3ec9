"""Buckets and the settings that hang on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Spec, tag_list, tags_of, to_aws, to_pulumi

_US = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class Bucket(Spec):
    """The bucket itself; everything else about it is a resource of its own."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """Only us-east-1 is made without naming the region."""
        given = {k: v for k, v in call.inputs.items() if k not in self.known_inputs | self.write_only}
        parameters = to_aws(client, self.create, given, {"objectLockEnabled": "ObjectLockEnabledForBucket"})
        if call.region != _US:
            parameters["CreateBucketConfiguration"] = {"LocationConstraint": call.region}
        return parameters

    def settle(self, call: Call, identity: str) -> None:
        """Tags have their own operation."""
        if call.tags:
            self.retag(call, identity)

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The bucket answers HEAD, or is gone."""
        try:
            answer = call.client("s3").head_bucket(Bucket=identity)
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return {"BucketRegion": answer.get("BucketRegion")}

    def retag(self, call: Call, identity: str) -> None:
        """PutBucketTagging replaces all."""
        client = call.client("s3")
        if call.tags:
            client.put_bucket_tagging(Bucket=identity, Tagging={"TagSet": tag_list(call.tags)})
        else:
            client.delete_bucket_tagging(Bucket=identity)

    def can_change(self, changed: set[str]) -> bool:
        """Tags, and how deletion works."""
        return changed <= {"tags", "tagsAll", "forceDestroy"}

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Empty it first only when the program said so, or the account ends anyway."""
        client = call.client("s3")
        try:
            if call.inputs.get("forceDestroy") or call.ending:
                _empty(client, identity)
            client.delete_bucket(Bucket=identity)
        except ClientError as error:
            if not self.means_gone(error):
                raise


def _empty(client: Any, bucket: str) -> None:
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = page.get("Versions", []) + page.get("DeleteMarkers", [])
        keys = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if keys:
            client.delete_objects(Bucket=bucket, Delete={"Objects": keys}, BypassGovernanceRetention=True)


def _bucket_facts(call: Call, identity: str, _item: Plain) -> Plain:
    client = call.client("s3")
    facts: Plain = {
        "arn": f"arn:aws:s3:::{identity}",
        "bucket": identity,
        "bucketDomainName": f"{identity}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{identity}.s3.{call.region}.amazonaws.com",
        "tagsAll": tags_of(or_none(client.get_bucket_tagging, Bucket=identity) or {}),
    }
    lock = or_none(client.get_object_lock_configuration, Bucket=identity) or {}
    state = lock.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled")
    return facts | {"objectLockEnabled": state == "Enabled"}


def or_none(operation: Callable[..., Plain], **parameters: Any) -> Plain | None:
    """An answer, or None when S3 says that the thing was never set."""
    try:
        return operation(**parameters)
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        if code.startswith("NoSuch") or "NotFound" in code or code == "404":
            return None
        raise


@dataclass(frozen=True, kw_only=True)
class BucketSetting(Spec):
    """One setting of a bucket: put, get, delete; the bucket's name is its id."""

    put: str
    get: str
    remove: str
    under: str = ""  # parameter of put that holds the setting; empty: parameters side by side
    found: str = ""  # member of get's answer that holds the setting
    wrap: Mapping[str, str] = field(default_factory=dict)  # input that is a list of one in the API → its name

    def make(self, call: Call) -> str:
        """Write the setting."""
        client = call.client("s3")
        given = {
            k: v for k, v in call.inputs.items() if k not in self.known_inputs | self.write_only | {"bucket"}
        }
        for name, member in self.wrap.items():
            given[member] = [given.pop(name)]
        nested = {self.under: given} if self.under else given
        parameters = to_aws(client, self.put, nested, self.rename)
        getattr(client, self.put)(Bucket=call.inputs["bucket"], **parameters)
        return str(call.inputs["bucket"])

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Read the setting."""
        answer = or_none(getattr(call.client("s3"), self.get), Bucket=identity)
        if answer is None:
            return None
        item = answer.get(self.found) if self.found else answer
        return {**item, "Bucket": identity} if item else None

    def is_dead(self, item: Plain) -> bool:
        """`Status` is the setting's value."""
        return False

    def can_change(self, changed: set[str]) -> bool:
        """Always in place on the same bucket."""
        return not changed & {"bucket", "region"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Write again."""
        self.make(call)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Back to the bucket's default."""
        or_none(getattr(call.client("s3"), self.remove), Bucket=identity)


@dataclass(frozen=True, kw_only=True)
class Versioning(BucketSetting):
    """Versioning cannot be removed, only suspended."""

    def make(self, call: Call) -> str:
        """The configuration is called differently in the API."""
        wanted = call.inputs["versioningConfiguration"]
        parameters = {"Status": wanted["status"]}
        if wanted.get("mfaDelete"):
            parameters["MFADelete"] = wanted["mfaDelete"]
        call.client("s3").put_bucket_versioning(
            Bucket=call.inputs["bucket"], VersioningConfiguration=parameters
        )
        return str(call.inputs["bucket"])

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Never set means no status."""
        answer = or_none(call.client("s3").get_bucket_versioning, Bucket=identity)
        if not answer or not answer.get("Status"):
            return None
        configuration = {"Status": answer["Status"], "MfaDelete": answer.get("MFADelete")}
        return {"Bucket": identity, "VersioningConfiguration": configuration}

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Suspend, while the bucket is there."""
        wanted = {"Status": "Suspended"}
        or_none(call.client("s3").put_bucket_versioning, Bucket=identity, VersioningConfiguration=wanted)


@dataclass(frozen=True, kw_only=True)
class Logging(BucketSetting):
    """An empty status switches logging off."""

    def make(self, call: Call) -> str:
        """Everything sits under LoggingEnabled."""
        client = call.client("s3")
        given = {k: v for k, v in call.inputs.items() if k not in self.known_inputs | {"bucket"}}
        nested = {"bucketLoggingStatus": {"loggingEnabled": given}}
        parameters = to_aws(client, self.put, nested, self.rename)
        client.put_bucket_logging(Bucket=call.inputs["bucket"], **parameters)
        return str(call.inputs["bucket"])

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Off."""
        or_none(call.client("s3").put_bucket_logging, Bucket=identity, BucketLoggingStatus={})


def _policy_text(_call: Call, _identity: str, item: Plain) -> Plain:
    return {"policy": item.get("Policy")}


def _kept_prefix(_call: Call, _identity: str, item: Plain) -> Plain:
    return {"rules": [_rule(rule) for rule in item["Rules"]]}


def _rule(rule: Plain) -> Plain:
    converted: Plain = to_pulumi(rule)
    both = (rule.get("Filter") or {}).get("And")
    if both:
        converted["filter"]["and"]["tags"] = {tag["Key"]: tag["Value"] for tag in both.get("Tags", [])}
    return converted


SPECS = (
    Bucket(
        type="aws:s3/bucket:Bucket",
        service="s3",
        create="create_bucket",
        made="=bucket",
        name_input="bucket",
        max_name=63,
        exclusive=True,
        tags_as="Tagging",
        write_only=frozenset({"forceDestroy"}),  # how it is deleted, not a property of the bucket
        more=_bucket_facts,
    ),
    Versioning(
        type="aws:s3/bucketVersioning:BucketVersioning",
        service="s3",
        put="put_bucket_versioning",
        get="get_bucket_versioning",
        remove="",
    ),
    BucketSetting(
        type="aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        service="s3",
        put="put_bucket_encryption",
        get="get_bucket_encryption",
        remove="delete_bucket_encryption",
        under="serverSideEncryptionConfiguration",
        found="ServerSideEncryptionConfiguration",
    ),
    BucketSetting(
        type="aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        service="s3",
        put="put_public_access_block",
        get="get_public_access_block",
        remove="delete_public_access_block",
        under="publicAccessBlockConfiguration",
        found="PublicAccessBlockConfiguration",
        write_only=frozenset({"skipDestroy"}),  # what deletion does
    ),
    BucketSetting(
        type="aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        service="s3",
        put="put_bucket_ownership_controls",
        get="get_bucket_ownership_controls",
        remove="delete_bucket_ownership_controls",
        under="ownershipControls",
        found="OwnershipControls",
        wrap={"rule": "rules"},
        more=lambda _call, _identity, item: {"rule": to_pulumi(item["Rules"][0])},
    ),
    BucketSetting(
        type="aws:s3/bucketPolicy:BucketPolicy",
        service="s3",
        put="put_bucket_policy",
        get="get_bucket_policy",
        remove="delete_bucket_policy",
        more=_policy_text,
    ),
    Logging(
        type="aws:s3/bucketLogging:BucketLogging",
        service="s3",
        put="put_bucket_logging",
        get="get_bucket_logging",
        remove="",
        found="LoggingEnabled",
    ),
    BucketSetting(
        type="aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        service="s3",
        put="put_bucket_lifecycle_configuration",
        get="get_bucket_lifecycle_configuration",
        remove="delete_bucket_lifecycle",
        under="lifecycleConfiguration",
        more=_kept_prefix,
    ),
)
