"""AWS Backup of the emulated account against AWS's documented answers."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.emulated_account import ACCOUNT, aws
from twin.program.aws import Clients

__all__ = ["aws"]
RULE = {"RuleName": "daily", "TargetBackupVaultName": "any", "ScheduleExpression": "cron(30 2 ? * * *)"}
CHOICE = {
    "SelectionName": "volumes",
    "IamRoleArn": f"arn:aws:iam::{ACCOUNT}:role/backup",
    "ListOfTags": [{"ConditionType": "STRINGEQUALS", "ConditionKey": "k", "ConditionValue": "v"}],
}


@pytest.fixture(scope="module")
def backup(aws: Clients) -> Any:
    return aws.client("backup")


@pytest.fixture
def plan(backup: Any, request: pytest.FixtureRequest) -> str:
    name = f"plan-{abs(hash(request.node.name)) % 10**6}"
    made = backup.create_backup_plan(BackupPlan={"BackupPlanName": name, "Rules": [dict(RULE)]})
    return str(made["BackupPlanId"])


def test_a_selection_is_given_back_listed_and_ended(backup: Any, plan: str) -> None:
    made = backup.create_backup_selection(BackupPlanId=plan, BackupSelection=CHOICE)["SelectionId"]
    found = backup.get_backup_selection(BackupPlanId=plan, SelectionId=made)
    assert found["BackupSelection"] == CHOICE
    (listed,) = backup.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"]
    assert (listed["SelectionId"], listed["SelectionName"]) == (made, "volumes")
    backup.delete_backup_selection(BackupPlanId=plan, SelectionId=made)
    assert backup.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_backup_selection(BackupPlanId=plan, SelectionId=made)


def test_a_plan_with_selections_stays_and_a_deleted_one_is_not_found(backup: Any, plan: str) -> None:
    made = backup.create_backup_selection(BackupPlanId=plan, BackupSelection=CHOICE)["SelectionId"]
    with pytest.raises(ClientError, match="selections must be deleted"):
        backup.delete_backup_plan(BackupPlanId=plan)
    backup.delete_backup_selection(BackupPlanId=plan, SelectionId=made)
    backup.delete_backup_plan(BackupPlanId=plan)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_backup_plan(BackupPlanId=plan)


def test_a_changed_plan_is_another_version_of_the_same(backup: Any, plan: str) -> None:
    before = backup.get_backup_plan(BackupPlanId=plan)
    shorter = {"BackupPlanName": "x", "Rules": [{**RULE, "Lifecycle": {"DeleteAfterDays": 9}}]}
    backup.update_backup_plan(BackupPlanId=plan, BackupPlan=shorter)
    after = backup.get_backup_plan(BackupPlanId=plan)
    assert after["BackupPlan"]["Rules"][0]["Lifecycle"] == {"DeleteAfterDays": 9}
    assert after["VersionId"] != before["VersionId"]
    assert after["BackupPlanArn"] == before["BackupPlanArn"]


def test_a_vaults_policy_is_given_back_and_removed(backup: Any) -> None:
    backup.create_backup_vault(BackupVaultName="kept")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_backup_vault_access_policy(BackupVaultName="kept")
    backup.put_backup_vault_access_policy(BackupVaultName="kept", Policy='{"Statement": []}')
    assert backup.get_backup_vault_access_policy(BackupVaultName="kept")["Policy"] == '{"Statement": []}'
    backup.delete_backup_vault_access_policy(BackupVaultName="kept")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.get_backup_vault_access_policy(BackupVaultName="kept")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        backup.put_backup_vault_access_policy(BackupVaultName="missing", Policy="{}")
