"""Backups: a locked vault, a daily plan, and every volume in it. Rows M2, M9, M10, M14."""

from __future__ import annotations

from typing import Any

import pytest

from verify.account import Account
from verify.policies import conditions, covers, principals, statements
from verify.subjects import Resource

Region = dict[str, Any]


@pytest.mark.control("STK-BAK-001")
def test_the_vault_is_locked_for_good(backup_vault: Resource, region: Region) -> None:
    assert backup_vault.get("Locked") is True, "it is not locked"
    assert backup_vault.get("LockDate"), "its lock has no date after which nobody can lift it"
    least, wanted = backup_vault.get("MinRetentionDays") or 0, region["backup"]["keep_days"]
    assert least >= wanted, f"recovery points may go after {least} days, promised are {wanted}"


@pytest.mark.control("STK-BAK-002")
def test_recovery_points_lie_under_our_key(backup_vault: Resource, region: Region) -> None:
    key = str(backup_vault.get("EncryptionKeyArn") or "AWS's own")
    assert key == region["backup"]["key"], f"its key is {key}"


@pytest.mark.control("STK-BAK-003")
@pytest.mark.parametrize(
    "action", ["backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle", "backup:StartCopyJob"]
)
def test_nobody_deletes_or_copies_recovery_points(backup_vault: Resource, aws: Account, action: str) -> None:
    found = aws.read(
        "backup",
        "get_backup_vault_access_policy",
        absent=("ResourceNotFoundException",),
        BackupVaultName=backup_vault["BackupVaultName"],
    )
    refused = [
        s
        for s in statements(found["Policy"] if found else None)
        if s.get("Effect") == "Deny"
        and "*" in principals(s)
        and not conditions(s)
        and covers(s.get("Action", []), action)
    ]
    assert refused, f"{action} is not refused for everybody"


@pytest.mark.control("STK-BAK-004")
def test_the_plan_runs_every_day_into_the_vault_and_stays_here(backup_plan: Resource, region: Region) -> None:
    stated = region["backup"]
    hour, minute = (int(part) for part in stated["at"].split(":"))
    daily = [
        rule
        for rule in backup_plan["Rules"]
        if rule.get("ScheduleExpression") == f"cron({minute} {hour} ? * * *)"
        and rule.get("ScheduleExpressionTimezone") == stated["timezone"]
        and rule["TargetBackupVaultName"] == stated["vault"]
    ]
    assert daily, f"no rule runs daily at {stated['at']} {stated['timezone']} into {stated['vault']}"
    days = min(rule.get("Lifecycle", {}).get("DeleteAfterDays") or 0 for rule in daily)
    assert days >= stated["keep_days"], f"recovery points go after {days} days"
    for rule in backup_plan["Rules"]:
        for copy in rule.get("CopyActions", []):
            where = copy["DestinationBackupVaultArn"].split(":")[3]
            assert where in region["allowed_regions"], f"recovery points are copied to {where}"


@pytest.mark.control("STK-BAK-005")
def test_every_volume_is_backed_up(volume: Resource, aws: Account, region: Region) -> None:
    plan = region["backup"]["plan"]
    chosen = [
        aws.need("backup", "get_backup_selection", BackupPlanId=plan, SelectionId=one["SelectionId"])
        for one in aws.need("backup", "list_backup_selections", BackupPlanId=plan)["BackupSelectionsList"]
    ]
    wanted = {
        (tag["ConditionKey"], tag["ConditionValue"])
        for found in chosen
        for tag in found["BackupSelection"].get("ListOfTags", [])
        if tag["ConditionType"] == "STRINGEQUALS"
    }
    assert wanted, "the plan chooses nothing"
    tags = {(tag["Key"], tag["Value"]) for tag in volume.get("Tags", [])}
    assert tags & wanted, f"it carries none of {', '.join('='.join(tag) for tag in sorted(wanted))}"
