"""The locked archive and what ends in it; customers' own archives. Rows M2, M8, M13, M14, E1."""

from __future__ import annotations

from typing import Any

import pytest

from verify.account import Account
from verify.subjects import Resource

Region = dict[str, Any]
DELIVERED = ("logs", "delivery", "trail")
ARCHIVED = (*DELIVERED, "evidence")


def _purpose(bucket: Resource) -> str:
    return str((bucket.expected or {}).get("purpose", ""))


@pytest.fixture
def lock(bucket: Resource, aws: Account) -> dict[str, Any]:
    """The default retention of new objects; empty without one."""
    absent = ("ObjectLockConfigurationNotFoundError", "ObjectLockConfigurationNotFound")
    found = aws.read("s3", "get_object_lock_configuration", absent=absent, Bucket=bucket["Name"]) or {}
    return dict(found.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {}))


@pytest.fixture
def copies(bucket: Resource, aws: Account) -> list[dict[str, Any]]:
    """Where every object of the bucket is copied to."""
    absent = ("ReplicationConfigurationNotFoundError",)
    found = aws.read("s3", "get_bucket_replication", absent=absent, Bucket=bucket["Name"]) or {}
    rules = found.get("ReplicationConfiguration", {}).get("Rules", [])
    whole = [r for r in rules if r["Status"] == "Enabled" and not r.get("Filter", {}).get("Prefix")]
    return [dict(rule["Destination"]) for rule in whole]


@pytest.mark.control("STK-BKT-018")
def test_the_archive_is_locked_for_the_stated_time(
    bucket: Resource, lock: dict[str, Any], region: Region
) -> None:
    if _purpose(bucket) != "archive":
        pytest.skip("not applicable: it is not the archive")
    days = region["retention"]["archive_days"]
    assert lock.get("Mode") == "COMPLIANCE", f"its lock is {lock.get('Mode') or 'missing'}"
    kept = lock.get("Days") or 365 * int(lock.get("Years") or 0)
    assert kept >= days, f"objects are locked for {kept} days, promised are {days}"


@pytest.mark.control("STK-BKT-019")
def test_nothing_locks_what_logs_are_delivered_to(bucket: Resource, lock: dict[str, Any]) -> None:
    if _purpose(bucket) not in DELIVERED:
        pytest.skip("not applicable: no logs are delivered into it")
    assert not lock, "a default lock keeps the delivering services out"


@pytest.mark.control("STK-BKT-020")
def test_what_proves_something_ends_in_the_archive(
    bucket: Resource, copies: list[dict[str, Any]], region: Region
) -> None:
    if _purpose(bucket) not in ARCHIVED:
        pytest.skip("not applicable: it holds no logs and no evidence")
    archive = f"arn:aws:s3:::{region['buckets']['archive']['name']}"
    found = [copy["Bucket"] for copy in copies]
    assert archive in found, f"its objects are copied to {', '.join(found) or 'nowhere'}, not to the archive"


@pytest.mark.control("STK-BKT-021")
def test_a_customers_archive_gets_a_copy_of_its_own(
    bucket: Resource, copies: list[dict[str, Any]], region: Region
) -> None:
    expected = bucket.expected or {}
    deep = region["customers"].get(expected.get("customer") or "", {}).get("deep_archive")
    if not deep:
        pytest.skip("not applicable: no customer with an archive of its own has it")
    found = [copy for copy in copies if copy["Bucket"] == f"arn:aws:s3:::{deep['bucket']}"]
    assert found, f"nothing is copied to {deep['bucket']}"
    (copy,) = found
    assert copy.get("Account") == deep["account"], f"the copy is for account {copy.get('Account')}"
    assert copy.get("AccessControlTranslation", {}).get("Owner") == "Destination", "the copy stays ours"
    key = copy.get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID")
    assert key == deep["key"], f"the copy lies under {key}"
