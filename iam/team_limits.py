"""What no team may do, whatever it is granted: as pure statements, and the boundary of each team.

Conditions of the request (TLS, address, region) stand here as denials, because a denial holds for everything
that is ever granted to the role. The second factor and the organisation are asked for when the role is
assumed (iam/team_trust.py): a session carries neither further.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network

from iam.documents import (
    Document,
    Statement,
    before,
    document,
    outside_networks,
    outside_regions,
    without_tls,
)
from iam.team_grants import PROVISIONED, READING, Place

Networks = Sequence[IPv4Network | IPv6Network]
# Where team roles, their boundaries and what rolls their windows live; nobody in the account may write there.
TEAMS_PATH = "stockade-teams"
# These have one endpoint for all regions, in us-east-1: a region condition would refuse them everywhere.
GLOBAL = ("account:*", "budgets:*", "iam:*", "organizations:*", "shield:*", "sts:*")
# Delete is off by default (M14): data, keys, backups, logs, trail, detection, network evidence.
DESTRUCTION: tuple[str, ...] = (
    *("access-analyzer:DeleteAnalyzer", "backup:DeleteBackup*", "backup:DeleteRecoveryPoint"),
    *("backup:DisassociateRecoveryPoint*", "backup:StopBackupJob", "backup:UpdateRecoveryPointLifecycle"),
    *("cloudtrail:DeleteTrail", "cloudtrail:StopLogging", "cloudtrail:UpdateTrail"),
    *("config:Delete*", "config:StopConfigurationRecorder"),
    *("ec2:DeleteFlowLogs", "ec2:DeleteSnapshot", "ec2:DeleteVolume", "ec2:DisableEbsEncryptionByDefault"),
    *("guardduty:Delete*", "guardduty:Disassociate*", "inspector2:Disable", "macie2:Disable*"),
    *("kms:DeleteImportedKeyMaterial", "kms:DisableKeyRotation", "kms:ScheduleKeyDeletion"),
    *("logs:Delete*", "logs:DisassociateKmsKey", "s3:BypassGovernanceRetention", "s3:DeleteBucket*"),
    *("s3:DeleteObject*", "s3:PutObjectLegalHold", "s3:PutObjectRetention"),
    *("secretsmanager:DeleteSecret", "securityhub:BatchDisableStandards", "securityhub:DisableSecurityHub"),
    *("sns:DeleteTopic", "sqs:DeleteQueue", "sqs:PurgeQueue", "wafv2:DeleteLoggingConfiguration"),
)
ESCALATION: tuple[str, ...] = (
    *("iam:AddUserToGroup", "iam:AttachUserPolicy", "iam:AttachGroupPolicy", "iam:CreateAccessKey"),
    *("iam:CreateLoginProfile", "iam:CreateOpenIDConnectProvider", "iam:CreatePolicyVersion"),
    *("iam:CreateSAMLProvider", "iam:CreateServiceSpecificCredential", "iam:CreateUser"),
    *("iam:DeleteAccountPasswordPolicy", "iam:DeleteRolePermissionsBoundary", "iam:PutUserPolicy"),
    *("iam:SetDefaultPolicyVersion", "iam:UpdateAssumeRolePolicy", "iam:UpdateLoginProfile"),
    *("iam:UploadSigningCertificate", "organizations:LeaveOrganization", "sts:AssumeRole"),
    "sts:GetFederationToken",
)
CONTENTS: tuple[str, ...] = (
    *("ec2:GetConsoleOutput", "ec2:GetConsoleScreenshot", "ec2:GetPasswordData"),
    *("secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue", "sqs:ReceiveMessage"),
    *("ssm:GetParameter*", "ssm:PutParameter"),
)
LOOKING = tuple(
    f"{service}:{verb}*" for service in ("iam", "lambda", "scheduler") for verb in ("Get", "List")
)


def limits(trusted: Networks, own_objects: Sequence[str] = ()) -> list[Statement]:
    """The denials in every team role's own policies. The boundary adds region and teams. `own_objects`: what
    the program itself wrote and reads back; every other object stays closed.
    """
    return [
        Statement("OverTlsOnly", "Deny", ["*"], condition=without_tls()),
        Statement("FromTrustedRangesOnly", "Deny", ["*"], condition=outside_networks(trusted)),
        Statement("NoDestruction", "Deny", DESTRUCTION),
        Statement("NoEscalation", "Deny", ESCALATION),
        Statement("NoContents", "Deny", CONTENTS),
        Statement("NoObjects", "Deny", ["s3:GetObject*"], but_resources=own_objects),
    ]


def region_only(allowed_regions: Sequence[str]) -> Statement:
    """Everything outside the allowed regions is refused, except services that have no region."""
    outside = outside_regions(allowed_regions)
    return Statement("StayInAllowedRegions", "Deny", GLOBAL, condition=outside, excepting=True)


def own_limits(place: Place) -> Statement:
    """Nobody changes a team's role or boundary, or what rolls the windows: not even their own team."""
    return Statement("KeepTeams", "Deny", LOOKING, team_resources(place), excepting=True)


def team_resources(place: Place) -> tuple[str, ...]:
    """Everything that says who may do what, and when."""
    return (
        place.iam(f"role/{TEAMS_PATH}/*"),
        place.iam(f"policy/{TEAMS_PATH}/*"),
        place.arn("lambda", f"function:{roller_name(place.stack)}"),
        place.arn("scheduler", f"schedule/*/{roller_name(place.stack)}*"),
    )


def roller_name(stack: str) -> str:
    """The name of the function and of the schedule that roll the windows."""
    return f"{stack}-window-roll"


_NODES = (
    *("backup:StartRestoreJob", "ec2:RebootInstances", "ec2:StartInstances", "ec2:StopInstances"),
    *("elasticloadbalancing:*Targets", "iam:PassRole", "ssm:CancelCommand", "ssm:*Session"),
    *("ssm:SendCommand", "ssm:StartAssociationsOnce"),
)
_RESPONSE = (
    *("access-analyzer:UpdateFindings", "ec2:CreateSnapshot", "ec2:CreateTags", "ec2:StopInstances"),
    *("ec2:ModifyNetworkInterfaceAttribute", "guardduty:*Findings*", "iam:UpdateAccessKey"),
    *("inspector2:CreateFilter", "kms:DisableKey", "kms:EnableKey", "logs:*Query*", "logs:FilterLogEvents"),
    *("logs:GetLogEvents", "macie2:CreateFindingsFilter", "securityhub:BatchUpdateFindings"),
    "wafv2:UpdateIPSet",
)
_PROVISIONING = (
    *(f"{service}:*" for service, _ in PROVISIONED),
    *(
        "account:Get*",
        "backup-storage:*",
        "budgets:*",
        "ec2:*",
        "iam:*",
        "inspector2:*",
        "macie2:*",
        "organizations:Describe*",
    ),
    *("s3:*", "securityhub:*", "shield:*", "tag:GetResources"),
)
# The most that each team's role can do, whatever is attached to it.
AT_MOST: dict[str, tuple[str, ...]] = {
    "platform": _PROVISIONING,
    "operations": (*READING, *_NODES),
    "security": (*READING, *_RESPONSE),
    "auditor": READING,
    "break-glass": _PROVISIONING,
}


def boundary(
    team: str,
    place: Place,
    allowed_regions: Sequence[str],
    switched: Sequence[Statement],
    until: datetime | None,
) -> Document:
    """A team's permission boundary. Its Allow is what iam/window_roll.py repeats for each window, so it names
    whole services; a denial that stands once takes away what is not on the team's list.
    """
    most = AT_MOST[team]
    services = sorted({f"{action.partition(':')[0]}:*" for action in most})
    return document(
        [
            Statement("AtMost", "Allow", services, condition=before(until) if until else {}),
            Statement("NothingElse", "Deny", most, excepting=True),
            region_only(allowed_regions),
            own_limits(place),
            *switched,
        ]
    )
