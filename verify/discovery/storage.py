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


def _vaults(account: Account, contract: Contract) -> Found:
    promised = {contract["backup"]["vault"]: ("daily", contract["backup"])}
    seen = {}
    for entry in account.need("backup", "list_backup_vaults")["BackupVaultList"]:
        name = entry["BackupVaultName"]
        if not name.startswith("aws/"):  # AWS's own vault of EFS, which takes no lock
            seen[name] = account.need("backup", "describe_backup_vault", BackupVaultName=name)
    return join("backup_vault", promised, seen, "backup.describe_backup_vault")


def _plans(account: Account, contract: Contract) -> Found:
    plan = contract["backup"]["plan"]
    listed = {p["BackupPlanId"] for p in account.need("backup", "list_backup_plans")["BackupPlansList"]}
    seen = {}
    if plan in listed:  # a plan made by hand beside ours backs up more, never less
        seen[plan] = account.need("backup", "get_backup_plan", BackupPlanId=plan)["BackupPlan"]
    return join("backup_plan", {plan: ("daily", contract["backup"])}, seen, "backup.get_backup_plan")


KINDS: dict[str, Finder] = {
    "bucket": _buckets,
    "key": _keys,
    "backup_vault": _vaults,
    "backup_plan": _plans,
}
