"""S3 replication: the whole configuration is kept, and objects are copied where the policies let S3 do so.

Amazon S3 API reference, PutBucketReplication and GetBucketReplication; User Guide, "Replication status":
a copy that some policy refuses leaves the source object FAILED. Both buckets have to be versioned. The role
must be assumable by S3, read the version, decrypt it, write the replica and encrypt it; in another account
that account's bucket and key must let it in as well. Copies get the target's default lock.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.exceptions import ReplicationConfigurationNotFoundError, S3ClientError
from moto.s3.models import FakeKey, S3Backend, s3_backends
from moto.s3.responses import S3Response

from twin.account.extensions.judging import by_identity, by_resource, request
from twin.account.extensions.placing import place

_PARTITION = "aws"
_STATED = "Stated"


class _Copy(NamedTuple):
    """One object on its way."""

    role: Any
    source: Any
    key: Any
    target: Any
    replica_key: str | None
    to_owner: bool


def install() -> None:
    """Wrap reading and writing of the configuration and the writing of objects."""
    parse, put = S3Response._replication_config_from_xml, S3Response.put_object
    keep = S3Backend.put_bucket_replication

    def _replication_config_from_xml(self: Any, xml: Any) -> dict[str, Any]:
        config: dict[str, Any] = parse(self, xml)
        config[_STATED] = xml.decode() if isinstance(xml, bytes) else xml
        return config

    def put_bucket_replication(self: Any, bucket_name: str, replication: dict[str, Any]) -> None:
        if not self.get_bucket(bucket_name).is_versioned:
            raise S3ClientError(
                "InvalidRequest",
                "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
            )
        keep(self, bucket_name, replication)

    def get_bucket_replication(self: Any) -> Any:
        found = self.backend.get_bucket_replication(self.bucket_name)
        if not found:
            raise ReplicationConfigurationNotFoundError(bucket_name=self.bucket_name)
        return 200, {"content-type": "application/xml"}, found[_STATED]

    def put_object(self: Any) -> Any:
        answer = put(self)
        replicate(self.backend.get_bucket(self.bucket_name), self.parse_key_name())
        return answer

    told: Any = FakeKey.response_dict.fget  # type: ignore[attr-defined]

    def response_dict(self: Any) -> dict[str, Any]:
        answer: dict[str, Any] = told(self)
        status = getattr(self, "replication_status", None)
        return answer | {"x-amz-replication-status": status} if status else answer

    place(FakeKey, response_dict=property(response_dict))
    place(S3Backend, put_bucket_replication=put_bucket_replication)
    place(
        S3Response,
        _replication_config_from_xml=_replication_config_from_xml,
        get_bucket_replication=get_bucket_replication,
        put_object=put_object,
    )


def replicate(source: Any, name: str) -> None:
    """Copy the newest version of an object by every enabled rule that covers it."""
    config = getattr(source, "replication", None)
    if not config:
        return
    key: Any = s3_backends[source.account_id][_PARTITION].get_object(source.name, name)
    for rule in config["Rule"]:
        prefix = (rule.get("Filter") or {}).get("Prefix") or ""
        if rule["Status"] == "Enabled" and name.startswith(prefix):
            done = _carry_out(source, key, config["Role"], rule)
            key.replication_status = "COMPLETED" if done else "FAILED"


def _carry_out(source: Any, key: Any, role_arn: str, rule: dict[str, Any]) -> bool:
    there = rule["Destination"]
    target = _bucket(there["Bucket"].rpartition(":")[2])
    role = _role(role_arn)
    selected = (rule.get("SourceSelectionCriteria") or {}).get("SseKmsEncryptedObjects") or {}
    if key.encryption == "aws:kms" and selected.get("Status") != "Enabled":
        return True  # left out on purpose: no copy and no failure
    if target is None or role is None or not target.is_versioned:
        return False
    stated = (there.get("EncryptionConfiguration") or {}).get("ReplicaKmsKeyID")
    replica_key = stated if key.encryption == "aws:kms" else None
    owner = (there.get("AccessControlTranslation") or {}).get("Owner") == "Destination"
    copy = _Copy(role, source, key, target, replica_key, owner)
    if not _admitted(copy):
        return False
    locked = target.object_lock_enabled and target.has_default_lock
    made: Any = s3_backends[target.account_id][_PARTITION].put_object(
        target.name,
        key.name,
        key.value,
        storage=there.get("StorageClass") or key.storage_class,
        encryption=key.encryption,
        kms_key_id=replica_key,
        lock_mode=target.default_lock_mode if locked else None,
        lock_until=target.default_retention() if locked else None,
    )
    made.replication_status = "REPLICA"
    return True


def _admitted(copy: _Copy) -> bool:
    """Whether every policy on the way says yes."""
    source, target = f"arn:aws:s3:::{copy.source.name}", f"arn:aws:s3:::{copy.target.name}"
    name = copy.key.name
    wanted = [
        ("s3:GetReplicationConfiguration", source, copy.source),
        ("s3:GetObjectVersionForReplication", f"{source}/{name}", copy.source),
        ("s3:ReplicateObject", f"{target}/{name}", copy.target),
    ]
    if copy.to_owner and copy.target.account_id != copy.source.account_id:
        wanted.append(("s3:ObjectOwnerOverrideToBucketOwner", f"{target}/{name}", copy.target))
    if not _assumable(copy.role) or not all(
        _both(copy.role, action, arn, bucket) for action, arn, bucket in wanted
    ):
        return False
    if copy.key.encryption != "aws:kms":
        return True
    return _may_use("kms:Decrypt", copy, copy.key.kms_key_id, copy.source) and _may_use(
        "kms:Encrypt", copy, copy.replica_key, copy.target
    )


def _both(role: Any, action: str, arn: str, bucket: Any) -> bool:
    """In one account the role's own policy is enough, unless the bucket refuses; across, both must allow."""
    asked = request(role.arn, action, arn, bucket.region_name)
    resource = by_resource(bucket.policy, asked)
    account = role.arn.split(":")[4]
    identity = by_identity(_policies(role), _boundary(role), asked)
    if "Deny" in (identity, resource):
        return False
    return identity == "Allow" and (resource == "Allow" or bucket.account_id == account)


def _may_use(action: str, copy: _Copy, key_id: str | None, bucket: Any) -> bool:
    """A key's own policy always has to allow, in whichever account it lies."""
    arn = str(key_id or "")
    if not arn.startswith("arn:"):
        return False
    _, _, _, region, account, resource = arn.split(":", 5)
    kept = kms_backends[account][region].keys.get(resource.removeprefix("key/"))
    if kept is None:
        return False
    facts = {
        "kms:viaservice": f"s3.{region}.amazonaws.com",
        "kms:encryptioncontext:aws:s3:arn": f"arn:aws:s3:::{bucket.name}/{copy.key.name}",
    }
    asked = request(copy.role.arn, action, arn, region, facts)
    return by_resource(kept.policy, asked) == "Allow" and (
        by_identity(_policies(copy.role), _boundary(copy.role), asked) == "Allow"
    )


def _bucket(name: str) -> Any:
    found = s3_backends.bucket_accounts.get(name)
    return s3_backends[found[1]][found[0]].buckets.get(name) if found else None


def _role(arn: str) -> Any:
    backend = iam_backends[arn.split(":")[4]][_PARTITION]
    return next((role for role in backend.roles.values() if role.arn == arn), None)


def _policies(role: Any) -> list[Any]:
    managed = [_text(policy) for policy in role.managed_policies.values()]
    return [*role.policies.values(), *managed]


def _text(policy: Any) -> str:
    version = policy.default_version_id
    return str(next(one.document for one in policy.versions if one.version_id == version))


def _boundary(role: Any) -> Any:
    arn = role.permissions_boundary_arn
    backend = iam_backends[role.arn.split(":")[4]][_PARTITION]
    return _text(backend.managed_policies[arn]) if arn else None


def _assumable(role: Any) -> bool:
    trust = json.loads(role.assume_role_policy_document)
    for statement in trust["Statement"]:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        if statement["Effect"] == "Allow" and "s3.amazonaws.com" in (
            services if isinstance(services, list) else [services]
        ):
            return True
    return False
