"""The KMS keys of a region: one per kind of data, rotated, each usable through one AWS service only."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import kms

from iam.documents import Document, render
from storage.key_policies import (
    key_for_findings,
    key_for_logs,
    key_for_notices,
    key_for_service,
    key_for_trail,
    key_for_volumes,
    key_with_grants,
)
from tagging import tags

DELETION_WINDOW_DAYS = 30  # the longest AWS offers: a deleted key is lost data
ROTATION_DAYS = 365


@dataclass(frozen=True)
class KeysArgs:
    """Where the keys live and which stack they serve. `log_groups`: name patterns of log groups."""

    account: str
    region: str
    stack: str
    log_groups: tuple[str, ...]


class Keys(pulumi.ComponentResource):
    """Keys for log groups, volumes, the audit trail, findings, topics and queues (`notices`), the locked
    archive with the evidence, and backups. Classes of data and customers have keys of their own:
    storage/data.py.
    """

    logs: kms.Key
    volumes: kms.Key
    trail: kms.Key
    findings: kms.Key
    notices: kms.Key
    archive: kms.Key
    backup: kms.Key

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:storage:Keys", name, {}, opts)
        self._stack = args.stack
        account, region = args.account, args.region
        self.logs = self._key("logs", "log groups", key_for_logs(account, region, args.log_groups))
        self.volumes = self._key("volumes", "volumes", key_for_volumes(account, region))
        self.trail = self._key("trail", "audit trail", key_for_trail(account, region))
        self.findings = self._key("findings", "findings", key_for_findings(account, region))
        self.notices = self._key("notices", "topics and queues", key_for_notices(account, region))
        self.archive = self._key("archive", "archive", key_for_service(account, region, "s3"))
        self.backup = self._key("backup", "backups", key_with_grants(account, region, "backup"))
        self.register_outputs(self.arns())

    def arns(self) -> dict[str, pulumi.Output[str]]:
        """Every key by its purpose, as in the region contract."""
        own = ("logs", "volumes", "trail", "findings", "notices", "archive", "backup")
        return {purpose: getattr(self, purpose).arn for purpose in own}

    def _key(self, purpose: str, what: str, policy: Document) -> kms.Key:
        return make_key(self, self._stack, purpose, what, render(policy))


def make_key(
    parent: pulumi.Resource, stack: str, purpose: str, what: str, policy: pulumi.Input[str]
) -> kms.Key:
    """A rotated, protected key and its alias `alias/stockade/<stack>/<purpose>`."""
    child = purpose.replace("/", "-")
    key = kms.Key(
        child,
        description=f"Encrypts the {what} of {stack}",
        enable_key_rotation=True,
        rotation_period_in_days=ROTATION_DAYS,
        deletion_window_in_days=DELETION_WINDOW_DAYS,
        policy=policy,
        tags=tags(f"{stack}-{child}"),
        # A key that is gone is all its data gone.
        opts=pulumi.ResourceOptions(parent=parent, protect=True),
    )
    kms.Alias(
        child,
        name=f"alias/stockade/{stack}/{purpose}",
        target_key_id=key.id,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return key
