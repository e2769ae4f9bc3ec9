"""Backups of volumes: a locked vault, a daily plan, and the tag that chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import backup, iam

from iam.documents import render
from settings import Settings
from storage.backup_policies import DAILY, TAG, backup_boundary, backup_role, backup_trust, vault_policy
from tagging import tags

# AWS Backup API reference, PutBackupVaultLockConfiguration: in compliance mode the lock can be changed for so
# many days (three at least) and then by nobody, AWS included. A week covers a mistake found on a Monday.
CHANGEABLE_DAYS = 7
# No recovery point may be kept longer than this by anybody's mistake: it could not be removed.
MOST_DAYS = 3653
START_MINUTES, COMPLETE_MINUTES = 60, 480


def schedule(at: str) -> str:
    """The daily schedule of a time of day, e.g. `02:30`; AWS Backup reads it in the zone beside it, so half
    hours and summer time need no arithmetic of ours.
    """
    hour, minute = (int(part) for part in at.split(":"))
    return f"cron({minute} {hour} ? * * *)"


@dataclass(frozen=True)
class BackupsArgs:
    """Settings, stack, and the key of the vault."""

    settings: Settings
    stack: str
    key_arn: pulumi.Output[str]


class Backups(pulumi.ComponentResource):
    """What carries `stockade:backup=daily` is backed up every day into a vault that nobody can empty.

    No copy is made into another region: the rule has no copy action, and the vault refuses one.
    """

    vault: backup.Vault
    plan: backup.Plan
    role: iam.Role

    def __init__(self, name: str, args: BackupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:storage:Backups", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self._name = f"stockade-{args.stack}"
        guarded = pulumi.ResourceOptions(parent=self, protect=True)
        self.vault = backup.Vault(
            "vault", name=self._name, kms_key_arn=args.key_arn, tags=tags(self._name), opts=guarded
        )
        backup.VaultPolicy(
            "vault", backup_vault_name=self.vault.name, policy=render(vault_policy()), opts=self._child
        )
        backup.VaultLockConfiguration(
            "vault",
            backup_vault_name=self.vault.name,
            min_retention_days=args.settings.backup.keep_days,
            max_retention_days=MOST_DAYS,
            changeable_for_days=CHANGEABLE_DAYS,
            opts=guarded,
        )
        self.role = self._role()
        self.plan = self._plan()
        self.register_outputs({"vault": self.vault.name, "plan": self.plan.id})

    def contract(self) -> dict[str, Any]:
        """`backup` of the region contract."""
        stated = self._args.settings.backup
        return {
            "vault": self.vault.name,
            "vault_arn": self.vault.arn,
            "key": self._args.key_arn,
            "plan": self.plan.id,
            "role": self.role.arn,
            "tag": {"key": TAG, "value": DAILY},
            "at": stated.at,
            "timezone": stated.timezone,
            "keep_days": stated.keep_days,
        }

    def _role(self) -> iam.Role:
        config, path = self._args.settings, f"/stockade/{self._args.stack}/"
        boundary = iam.Policy(
            "backup-boundary",
            path=path,
            description="The most the role of the backups may ever do",
            policy=render(backup_boundary(config.residency.allowed_regions)),
            tags=tags(f"{self._name}-backup-boundary"),
            opts=self._child,
        )
        role = iam.Role(
            "backup",
            path=path,
            assume_role_policy=render(backup_trust(config.account)),
            permissions_boundary=boundary.arn,
            description="AWS Backup makes and ends snapshots of chosen volumes with it",
            tags=tags(f"{self._name}-backup"),
            opts=self._child,
        )
        iam.RolePolicy(
            "backup",
            name="backup",
            role=role.name,
            policy=render(backup_role(config.account, config.region)),
            opts=self._child,
        )
        return role

    def _plan(self) -> backup.Plan:
        stated, config = self._args.settings.backup, self._args.settings
        rule = backup.PlanRuleArgs(
            rule_name=DAILY,
            target_vault_name=self.vault.name,
            schedule=schedule(stated.at),
            schedule_expression_timezone=stated.timezone,
            start_window=START_MINUTES,
            completion_window=COMPLETE_MINUTES,
            lifecycle=backup.PlanRuleLifecycleArgs(delete_after=stated.keep_days),
        )
        plan = backup.Plan(
            "daily",
            name=f"{self._name}-daily",
            rules=[rule],
            tags=tags(f"{self._name}-daily"),
            opts=self._child,
        )
        backup.Selection(
            "volumes",
            name="volumes",
            plan_id=plan.id,
            iam_role_arn=self.role.arn,
            resources=[f"arn:aws:ec2:{config.region}:{config.account}:volume/*"],
            selection_tags=[backup.SelectionSelectionTagArgs(type="STRINGEQUALS", key=TAG, value=DAILY)],
            opts=self._child,
        )
        return plan
