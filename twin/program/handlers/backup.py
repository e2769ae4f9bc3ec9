"""AWS Backup: vault, its policy and lock, plan, selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin.program.handlers.spec import Call, Plain, Setting, Spec, to_aws, to_pulumi

# The wire's words of a plan's rule → those of the API.
_RULE = {
    "targetVaultName": "TargetBackupVaultName",
    "schedule": "ScheduleExpression",
    "startWindow": "StartWindowMinutes",
    "completionWindow": "CompletionWindowMinutes",
    "deleteAfter": "DeleteAfterDays",
    "coldStorageAfter": "MoveToColdStorageAfterDays",
}
_BACK = {
    "targetBackupVaultName": "targetVaultName",
    "scheduleExpression": "schedule",
    "startWindowMinutes": "startWindow",
    "completionWindowMinutes": "completionWindow",
    "deleteAfterDays": "deleteAfter",
    "moveToColdStorageAfterDays": "coldStorageAfter",
}


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {_BACK.get(key, key): _renamed(item) for key, item in value.items() if key != "ruleId"}
    return [_renamed(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True, kw_only=True)
class Tagged(Spec):
    """Backup takes tags as a mapping, by ARN."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """Tags have a parameter of their own name."""
        parameters = super().create_params(client, call)
        parameters.pop("Tags", None)
        if call.tags:
            parameters[self.tags_as] = dict(call.tags)
        return parameters

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        client = call.client("backup")
        item = self.fetch(call, identity) or {}
        arn = str(item.get("BackupVaultArn") or item.get("BackupPlanArn"))
        stale = set(client.list_tags(ResourceArn=arn)["Tags"]) - set(call.tags)
        if stale:
            client.untag_resource(ResourceArn=arn, TagKeyList=sorted(stale))
        client.tag_resource(ResourceArn=arn, Tags=dict(call.tags))


def _vault_facts(call: Call, identity: str, item: Plain) -> Plain:
    arn = item["BackupVaultArn"]
    tags = call.client("backup").list_tags(ResourceArn=arn)["Tags"]
    return {"arn": arn, "name": identity, "kmsKeyArn": item.get("EncryptionKeyArn"), "tagsAll": tags}


@dataclass(frozen=True, kw_only=True)
class Plan(Tagged):
    """A plan; its rules sit one level deeper in the API."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """BackupPlan and its tags."""
        return {"BackupPlan": self._stated(client, call)} | (
            {"BackupPlanTags": dict(call.tags)} if call.tags else {}
        )

    def _stated(self, client: Any, call: Call) -> Plain:
        given = {k: v for k, v in call.inputs.items() if k not in self.known_inputs}
        stated = {"backupPlan": {"backupPlanName": given.pop("name"), **given}}
        return dict(to_aws(client, "create_backup_plan", stated, _RULE)["BackupPlan"])

    def can_change(self, changed: set[str]) -> bool:
        """Everything in place."""
        return True

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Another version of the plan."""
        if changed - {"tags", "tagsAll"}:
            client = call.client("backup")
            client.update_backup_plan(BackupPlanId=identity, BackupPlan=self._stated(client, call))
        if changed & {"tags", "tagsAll"}:
            self.retag(call, identity)


def _plan_facts(call: Call, _identity: str, item: Plain) -> Plain:
    plan, arn = item["BackupPlan"], item["BackupPlanArn"]
    tags = call.client("backup").list_tags(ResourceArn=arn)["Tags"]
    rules = _renamed(to_pulumi(plan["Rules"]))
    return {
        "arn": arn,
        "name": plan["BackupPlanName"],
        "rules": rules,
        "version": item["VersionId"],
        "tagsAll": tags,
    }


@dataclass(frozen=True, kw_only=True)
class Selection(Spec):
    """What a plan backs up; only ever made anew."""

    def make(self, call: Call) -> str:
        """CreateBackupSelection."""
        given = {k: v for k, v in call.inputs.items() if k not in self.known_inputs | {"planId"}}
        tags = [
            {"ConditionType": tag["type"], "ConditionKey": tag["key"], "ConditionValue": tag["value"]}
            for tag in given.pop("selectionTags", [])
        ]
        selection = {"selectionName": given.pop("name"), **given}
        client = call.client("backup")
        stated = to_aws(client, "create_backup_selection", {"backupSelection": selection}, {})[
            "BackupSelection"
        ]
        with call.aws.once(call.token):
            answer = client.create_backup_selection(
                BackupPlanId=call.inputs["planId"], BackupSelection={**stated, "ListOfTags": tags}
            )
        return str(answer["SelectionId"])

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Under its plan."""
        client, plan = call.client("backup"), call.inputs["planId"]
        try:
            found = client.get_backup_selection(BackupPlanId=plan, SelectionId=identity)
            return dict(found["BackupSelection"])
        except client.exceptions.ResourceNotFoundException:
            return None

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """What is gone already is fine."""
        client = call.client("backup")
        try:
            client.delete_backup_selection(BackupPlanId=call.inputs["planId"], SelectionId=identity)
        except client.exceptions.ResourceNotFoundException:
            return


def _selection_facts(call: Call, _identity: str, item: Plain) -> Plain:
    tags = [
        {"type": tag["ConditionType"], "key": tag["ConditionKey"], "value": tag["ConditionValue"]}
        for tag in item.get("ListOfTags", [])
    ]
    return {"name": item["SelectionName"], "planId": call.inputs["planId"], "selectionTags": tags}


@dataclass(frozen=True, kw_only=True)
class Lock(Spec):
    """The vault's lock; within its grace it is put again, and taken away."""

    def make(self, call: Call) -> str:
        """PutBackupVaultLockConfiguration."""
        client = call.client("backup")
        given = {k: v for k, v in call.inputs.items() if k not in self.known_inputs}
        client.put_backup_vault_lock_configuration(**to_aws(client, self.create, given, self.rename))
        return str(call.inputs["backupVaultName"])

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """In the vault's description."""
        found = super().fetch(call, identity)
        return found if found and found.get("Locked") else None

    def can_change(self, changed: set[str]) -> bool:
        """On the same vault."""
        return "backupVaultName" not in changed

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Put again."""
        self.make(call)


SPECS = (
    Tagged(
        type="aws:backup/vault:Vault",
        service="backup",
        create="create_backup_vault",
        made="=name",
        read="describe_backup_vault",
        by="BackupVaultName",
        delete="delete_backup_vault",
        delete_by="BackupVaultName",
        rename={"name": "BackupVaultName", "kmsKeyArn": "EncryptionKeyArn"},
        tags_as="BackupVaultTags",
        name_input="name",
        exclusive=True,
        write_only=frozenset({"forceDestroy"}),  # how it is deleted
        more=_vault_facts,
    ),
    Spec(
        type="aws:backup/vaultPolicy:VaultPolicy",
        service="backup",
        create="put_backup_vault_access_policy",
        made="=backupVaultName",
        read="get_backup_vault_access_policy",
        by="BackupVaultName",
        delete="delete_backup_vault_access_policy",
        delete_by="BackupVaultName",
        outputs={"policy": "Policy"},
        after=(
            Setting(
                ("policy",),
                lambda call, identity: call.client("backup").put_backup_vault_access_policy(
                    BackupVaultName=identity, Policy=call.inputs["policy"]
                ),
            ),
        ),
    ),
    Lock(
        type="aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        service="backup",
        create="put_backup_vault_lock_configuration",
        made="=backupVaultName",
        read="describe_backup_vault",
        by="BackupVaultName",
        delete="delete_backup_vault_lock_configuration",
        delete_by="BackupVaultName",
        # AWS gives the date on which the lock closes, not the days until then
        write_only=frozenset({"changeableForDays"}),
    ),
    Plan(
        type="aws:backup/plan:Plan",
        service="backup",
        create="create_backup_plan",
        made="BackupPlanId",
        read="get_backup_plan",
        by="BackupPlanId",
        delete="delete_backup_plan",
        delete_by="BackupPlanId",
        name_input="name",
        tags_as="BackupPlanTags",
        more=_plan_facts,
    ),
    Selection(
        type="aws:backup/selection:Selection",
        service="backup",
        name_input="name",
        more=_selection_facts,
    ),
)
