"""AWS Backup: selections, vault policies, updates of plans; a lock holds when its grace is over.

AWS Backup API reference: CreateBackupSelection, GetBackupSelection, ListBackupSelections,
DeleteBackupSelection, PutBackupVaultAccessPolicy and its Get and Delete, UpdateBackupPlan. A plan that has
selections is not deleted; a plan that was is not found.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from moto.backup import urls
from moto.backup.exceptions import InvalidRequestException, ResourceNotFoundException
from moto.backup.models import BackupBackend
from moto.backup.responses import BackupResponse
from moto.core.utils import unix_time

from twin.account.extensions.placing import place
from twin.account.extensions.rest import asked, route


def install() -> None:
    """Add the operations and their paths."""
    plan = "/backup/plans/(?P<backupPlanId>[^/]+)/selections/"
    vault = "/backup-vaults/(?P<backupVaultName>[^/]+)/access-policy"
    # moto's own path for plans takes everything below it, so the longer ones come first.
    own = dict(urls.url_paths)
    urls.url_paths.clear()
    response = BackupResponse()
    route(urls, response, f"{plan}?$", f"{plan}(?P<selectionId>[^/]+)$", f"{vault}/?$")
    urls.url_paths.update(own)
    place(
        BackupResponse,
        create_backup_selection=create_backup_selection,
        get_backup_selection=get_backup_selection,
        list_backup_selections=list_backup_selections,
        delete_backup_selection=delete_backup_selection,
        put_backup_vault_access_policy=put_backup_vault_access_policy,
        get_backup_vault_access_policy=get_backup_vault_access_policy,
        delete_backup_vault_access_policy=delete_backup_vault_access_policy,
        update_backup_plan=update_backup_plan,
    )
    _plans_end()


def _plans_end() -> None:
    delete, find = BackupBackend.delete_backup_plan, BackupBackend.get_backup_plan

    def delete_backup_plan(self: Any, backup_plan_id: str) -> Any:
        if any(kept["plan"] == backup_plan_id for kept in _selections(self).values()):
            raise InvalidRequestException(
                msg="Related backup plan selections must be deleted prior to backup plan deletion"
            )
        return delete(self, backup_plan_id)

    def get_backup_plan(self: Any, backup_plan_id: str, version_id: Any | None) -> Any:
        plan = find(self, backup_plan_id, version_id)
        if plan.deletion_date is not None:
            raise ResourceNotFoundException(msg="Failed reading Backup plan with provided version")
        return plan

    place(BackupBackend, delete_backup_plan=delete_backup_plan, get_backup_plan=get_backup_plan)


def _selections(backend: Any) -> dict[str, Any]:
    found: dict[str, Any] = backend.__dict__.setdefault("selections", {})
    return found


def _plan(response: Any, wanted: dict[str, Any]) -> Any:
    return response.backup_backend.get_backup_plan(wanted["BackupPlanId"], None)


def _selection(response: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] | None = _selections(response.backup_backend).get(wanted["SelectionId"])
    if kept is None or kept["plan"] != wanted["BackupPlanId"]:
        raise ResourceNotFoundException(msg=f"Cannot find selection {wanted['SelectionId']}")
    return kept


def create_backup_selection(self: Any) -> str:
    """CreateBackupSelection."""
    wanted = asked(self)
    plan, identity = _plan(self, wanted), str(uuid.uuid4())
    kept = {"plan": plan.backup_plan_id, "made": unix_time(), "stated": wanted["BackupSelection"]}
    _selections(self.backup_backend)[identity] = kept
    return json.dumps(
        {"SelectionId": identity, "BackupPlanId": plan.backup_plan_id, "CreationDate": kept["made"]}
    )


def get_backup_selection(self: Any) -> str:
    """GetBackupSelection."""
    wanted = asked(self)
    kept = _selection(self, wanted)
    return json.dumps(
        {
            "BackupSelection": kept["stated"],
            "SelectionId": wanted["SelectionId"],
            "BackupPlanId": kept["plan"],
            "CreationDate": kept["made"],
        }
    )


def list_backup_selections(self: Any) -> str:
    """ListBackupSelections."""
    plan = _plan(self, asked(self)).backup_plan_id
    found = [
        {
            "SelectionId": identity,
            "SelectionName": kept["stated"]["SelectionName"],
            "BackupPlanId": plan,
            "IamRoleArn": kept["stated"].get("IamRoleArn"),
        }
        for identity, kept in _selections(self.backup_backend).items()
        if kept["plan"] == plan
    ]
    return json.dumps({"BackupSelectionsList": found})


def delete_backup_selection(self: Any) -> str:
    """DeleteBackupSelection."""
    wanted = asked(self)
    _selection(self, wanted)
    del _selections(self.backup_backend)[wanted["SelectionId"]]
    return "{}"


def put_backup_vault_access_policy(self: Any) -> str:
    """PutBackupVaultAccessPolicy."""
    wanted = asked(self)
    vault = self.backup_backend.describe_backup_vault(wanted["BackupVaultName"])
    vault.access_policy = wanted.get("Policy")
    return "{}"


def get_backup_vault_access_policy(self: Any) -> str:
    """GetBackupVaultAccessPolicy."""
    vault = self.backup_backend.describe_backup_vault(asked(self)["BackupVaultName"])
    if not getattr(vault, "access_policy", None):
        raise ResourceNotFoundException(msg=f"No policy for vault {vault.backup_vault_name}")
    names = {"BackupVaultName": vault.backup_vault_name, "BackupVaultArn": vault.backup_vault_arn}
    return json.dumps({**names, "Policy": vault.access_policy})


def delete_backup_vault_access_policy(self: Any) -> str:
    """DeleteBackupVaultAccessPolicy."""
    self.backup_backend.describe_backup_vault(asked(self)["BackupVaultName"]).access_policy = None
    return "{}"


def update_backup_plan(self: Any) -> str:
    """UpdateBackupPlan: another version of the same plan."""
    wanted = asked(self)
    plan = _plan(self, wanted)
    fresh = type(plan)(wanted["BackupPlan"], plan.creator_request_id, self.backup_backend)
    plan.backup_plan, plan.version_id = fresh.backup_plan, fresh.version_id
    return json.dumps(plan.to_dict())
