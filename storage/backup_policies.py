"""What AWS Backup may do with our volumes, and what nobody may do with its vault. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from iam.documents import Condition, Document, Statement, document, of_account, outside_regions, trust

# The tag that a volume is chosen by.
TAG, DAILY = "stockade:backup", "daily"
# AWS Backup Developer Guide, "Service roles" (read 2026-11): of AWS's own policy for all services only what
# volumes need. A recovery point carries this tag, so only those can be removed when their time is over.
_LOOK = ("ec2:DescribeSnapshots", "ec2:DescribeTags", "ec2:DescribeVolumes", "tag:GetResources")
_SNAPSHOT = ("ec2:CreateSnapshot", "ec2:CreateTags")
_EXPIRE = ("ec2:DeleteSnapshot",)
_POINT = "aws:ResourceTag/aws:backup:source-resource"
# Deleting, shortening or taking elsewhere: off for everybody, beside the lock, which nobody can lift.
WEAKENING = (
    "backup:CopyFromBackupVault",
    "backup:DeleteBackupVault",
    "backup:DeleteBackupVaultAccessPolicy",
    "backup:DeleteRecoveryPoint",
    "backup:StartCopyJob",
    "backup:UpdateRecoveryPointLifecycle",
)


def backup_trust(account: str) -> Document:
    """AWS Backup, for this account only."""
    return trust("backup.amazonaws.com", of_account(account))


def backup_role(account: str, region: str) -> Document:
    """Snapshots of volumes that carry the tag, and the end of snapshots that Backup itself made."""
    volumes = f"arn:aws:ec2:{region}:{account}:volume/*"
    snapshots = f"arn:aws:ec2:{region}::snapshot/*"
    chosen: Condition = {"StringEquals": {f"aws:ResourceTag/{TAG}": DAILY}}
    made: Condition = {"Null": {_POINT: "false"}}
    creating: Condition = {"StringEquals": {"ec2:CreateAction": "CreateSnapshot"}}
    return document(
        [
            Statement("Look", "Allow", _LOOK),
            Statement("SnapshotVolumes", "Allow", ["ec2:CreateSnapshot"], (volumes,), condition=chosen),
            Statement("MakeSnapshots", "Allow", ["ec2:CreateSnapshot"], (snapshots,)),
            Statement("TagNewSnapshots", "Allow", ["ec2:CreateTags"], (snapshots,), condition=creating),
            Statement("ExpireSnapshots", "Allow", _EXPIRE, (snapshots,), condition=made),
        ]
    )


def backup_boundary(allowed_regions: Sequence[str]) -> Document:
    """The most the role may ever do: snapshots, in allowed regions; never share or copy one."""
    return document(
        [
            Statement("BackUpAtMost", "Allow", (*_LOOK, *_SNAPSHOT, *_EXPIRE)),
            Statement("StayInAllowedRegions", "Deny", ["*"], condition=outside_regions(allowed_regions)),
            Statement("NoSharing", "Deny", ["ec2:CopySnapshot", "ec2:ModifySnapshotAttribute"]),
        ]
    )


def vault_policy() -> Document:
    """Nobody deletes a recovery point by hand, shortens its life or copies it away."""
    return document([Statement("NoWeakening", "Deny", WEAKENING, principals="*")])
