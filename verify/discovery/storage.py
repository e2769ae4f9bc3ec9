"""Buckets and keys."""

from __future__ import annotations

from verify.account import Account
from verify.discovery.joining import Contract, Finder, Found, join


def _buckets(account: Account, contract: Contract) -> Found:
    promised = {bucket["name"]: (name, bucket) for name, bucket in contract["buckets"].items()}
    seen = {bucket["Name"]: bucket for bucket in account.need("s3", "list_buckets")["Buckets"]}
    return join("bucket", promised, seen, "s3.list_buckets")


def _keys(account: Account, contract: Contract) -> Found:
    promised = {arn: (name, {"arn": arn}) for name, arn in contract["keys"].items()}
    seen = {}
    for entry in account.need("kms", "list_keys")["Keys"]:
        key = account.need("kms", "describe_key", KeyId=entry["KeyId"])["KeyMetadata"]
        if key.get("KeyManager") == "CUSTOMER" and key["KeyState"] not in (
            "PendingDeletion",
            "PendingReplicaDeletion",
        ):
            seen[key["Arn"]] = {**key, "Name": key["KeyId"]}
    return join("key", promised, seen, "kms.describe_key")


KINDS: dict[str, Finder] = {
    "bucket": _buckets,
    "key": _keys,
}
