"""Storage as the program registers it: protection, division by class and customer, copies, backups."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

import settings
from storage.backup import schedule
from storage.handover import files
from storage.names import administrators
from tests.infra.monitor import ROOT, Registered, Run, run_of, run_program, stack_file
from tests.infra.test_policies import ACCOUNT

S3 = "aws:s3/"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
LOCK = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
REPLICATION = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
KEPT = (
    "aws:s3/bucket:Bucket",
    "aws:kms/key:Key",
    "aws:backup/vault:Vault",
    "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
)


@pytest.fixture(scope="module")
def run() -> Run:
    return run_of("in-mumbai")


def test_buckets_keys_and_the_vault_are_protected_and_never_emptied_by_force(run: Run) -> None:
    kept: list[Registered] = [one for one in run.registered if one.planned["type"] in KEPT]
    assert len(kept) > 15
    assert [one.planned["urn"] for one in kept if not one.protect] == []
    assert [one.planned["urn"] for one in kept if one.planned["inputs"].get("forceDestroy")] == []


def test_the_archive_alone_has_a_lock_and_keeps_what_the_stack_says(run: Run) -> None:
    ((name, lock),) = run.of(LOCK).items()
    days = stack_file("in-mumbai")["stockade:retention"]["archive_days"]
    assert name == "archive"
    assert lock["inputs"]["rule"]["defaultRetention"] == {"mode": "COMPLIANCE", "days": days}
    locked = [n for n, b in run.of("aws:s3/bucket:Bucket").items() if b["inputs"].get("objectLockEnabled")]
    assert locked == ["archive"]


def test_a_customer_with_a_bucket_has_its_own_and_one_with_a_prefix_has_none(run: Run) -> None:
    buckets = run.outputs["region"]["buckets"]
    assert buckets["customer/acme-bank/records"]["key"] == run.outputs["region"]["keys"]["customer/acme-bank"]
    assert "customer/surya-insurance/records" not in buckets
    tenants = buckets["data/records"]["tenants"]
    assert tenants == {"surya-insurance": run.outputs["region"]["keys"]["customer/surya-insurance"]}
    keys = [arn for name, arn in run.outputs["region"]["keys"].items()]
    assert len(set(keys)) == len(keys)


def test_data_moves_by_use_then_by_age_and_never_ends_by_itself(run: Run) -> None:
    for name in ("data-records", "customer-acme-bank--records"):
        rules = {rule["id"]: rule for rule in run.of(LIFECYCLE)[name]["inputs"]["rules"]}
        moves = [(m["days"], m["storageClass"]) for m in rules["tiering"]["transitions"]]
        assert moves == [(30, "INTELLIGENT_TIERING"), (120, "GLACIER_IR")]
        assert rules["tidy"]["noncurrentVersionExpiration"]["noncurrentDays"] == 2922
        assert not any("expiration" in rule for rule in rules.values())


def test_logs_trail_and_evidence_are_copied_whole_and_without_deletions(run: Run) -> None:
    found = run.of(REPLICATION)
    assert set(found) == {
        *("copy-logs", "copy-delivery", "copy-trail", "copy-evidence"),
        "copy-customer-acme-bank--records",
    }
    for one in found.values():
        (rule,) = one["inputs"]["rules"]
        assert rule["filter"] == {"prefix": ""}
        assert rule["deleteMarkerReplication"] == {"status": "Disabled"}
    theirs = found["copy-customer-acme-bank--records"]["inputs"]["rules"][0]["destination"]
    assert theirs["accessControlTranslation"] == {"owner": "Destination"}
    assert theirs["account"] == "333344445555"


def with_customers(count: int) -> dict[str, Any]:
    data = copy.deepcopy(stack_file("in-mumbai"))
    for number in range(count):
        data["stockade:customers"][f"bank-{number}"] = {"classes": ["records"], "partition": "bucket"}
    return data


def test_a_customer_more_adds_its_own_resources_and_changes_no_node_role() -> None:
    few, many = (run_program("in-mumbai", with_customers(count)) for count in (0, 4))
    storage = [
        len([p for p in run.planned if ":storage:" in p["parent"].split("::")[2]]) for run in (few, many)
    ]
    assert (storage[1] - storage[0]) % 4 == 0
    assert (storage[1] - storage[0]) // 4 <= 11

    def policies(run: Run) -> dict[str, str]:
        found = run.of("aws:iam/rolePolicy:RolePolicy")
        return {name: p["inputs"]["policy"] for name, p in found.items() if name.startswith("node-")}

    assert policies(few) == policies(many)
    assert len(policies(few)) >= 2


def test_volumes_are_tagged_for_the_plan_that_runs_in_the_stacks_own_time(run: Run) -> None:
    for template in run.of("aws:ec2/launchTemplate:LaunchTemplate").values():
        (tags,) = template["inputs"]["tagSpecifications"]
        assert tags["tags"]["stockade:backup"] == "daily"
    (plan,) = run.of("aws:backup/plan:Plan").values()
    (rule,) = plan["inputs"]["rules"]
    assert (rule["schedule"], rule["scheduleExpressionTimezone"]) == ("cron(30 2 ? * * *)", "Asia/Kolkata")
    assert "copyActions" not in rule


@pytest.mark.parametrize(
    ("at", "expected"),
    [("00:00", "cron(0 0 ? * * *)"), ("02:30", "cron(30 2 ? * * *)"), ("23:59", "cron(59 23 ? * * *)")],
)
def test_a_time_of_day_is_a_daily_schedule(at: str, expected: str) -> None:
    assert schedule(at) == expected


def test_the_hand_over_names_the_role_that_the_program_makes(run: Run) -> None:
    made = files(settings.load("in-mumbai", ROOT), "in-mumbai", "acme-bank")
    role = run.of("aws:iam/role:Role")["copy-customer-acme-bank"]["inputs"]
    arn = f"arn:aws:iam::{ACCOUNT}:role{role['path']}{role['name']}"
    assert arn in made["README.md"]
    (copies,) = [s for s in json.loads(made["bucket-policy.json"])["Statement"] if s["Sid"] == "TakeCopies"]
    assert copies["Principal"] == {"AWS": [arn]}
    assert not any("Delete" in action or "Get" in action for action in copies["Action"])
    (key,) = [s for s in json.loads(made["key-policy.json"])["Statement"] if s["Sid"] == "EncryptCopies"]
    assert "kms:Decrypt" not in key["Action"]


def test_those_who_may_change_buckets_are_the_teams_that_the_program_makes(run: Run) -> None:
    made = {
        f"arn:aws:iam::{ACCOUNT}:role{role['inputs']['path']}{role['inputs']['name']}"
        for role in run.of("aws:iam/role:Role").values()
        if "name" in role["inputs"]
    }
    *roles, root = administrators("in-mumbai", ACCOUNT)
    assert set(roles) <= made
    assert root == f"arn:aws:iam::{ACCOUNT}:root"
