"""What each team may do, as pure statements. In words: docs/decisions/0005-teams.md.

A wildcard stands behind a reading verb only (Describe, Get, List, …), or on resources of this account and
region only; nothing here is a whole service on everything. What every team is refused is iam/team_limits.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iam.documents import Condition, Statement, merge, passed_to, with_resource_tag


@dataclass(frozen=True)
class Place:
    """Where a stack is: its names and tags bound what a team may touch."""

    stack: str
    account: str
    region: str

    def arn(self, service: str, rest: str) -> str:
        """An ARN of this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"

    def iam(self, rest: str) -> str:
        """An ARN of an identity of this account, which has no region."""
        return f"arn:aws:iam::{self.account}:{rest}"


# Reads configuration. Never objects, log lines, messages, parameters, secrets, console output, passwords.
READING: tuple[str, ...] = (
    *("access-analyzer:Get*", "access-analyzer:List*", "account:GetAlternateContact"),
    *("acm:Describe*", "acm:List*", "backup:Describe*", "backup:Get*", "backup:List*"),
    *("cloudtrail:Describe*", "cloudtrail:Get*", "cloudtrail:List*", "cloudtrail:LookupEvents"),
    *("cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*"),
    *("config:Describe*", "config:Get*", "config:List*", "ec2:Describe*", "ec2:Get*", "ec2:Search*"),
    *("elasticloadbalancing:Describe*", "events:Describe*", "events:List*"),
    *("guardduty:Get*", "guardduty:List*", "iam:Get*", "iam:List*", "inspector2:BatchGet*"),
    *("inspector2:Get*", "inspector2:List*", "kms:Describe*", "kms:GetKey*", "kms:List*"),
    *("lambda:GetFunctionC*", "lambda:GetFunctionU*", "lambda:GetPolicy", "lambda:List*"),
    *("logs:Describe*", "logs:List*", "macie2:Get*", "macie2:List*"),
    *("network-firewall:Describe*", "network-firewall:List*", "organizations:DescribeOrganization"),
    *("route53resolver:Get*", "route53resolver:List*", "s3:GetAccountPublicAccessBlock", "s3:GetBucket*"),
    *("s3:GetEncryption*", "s3:GetLifecycle*", "s3:GetReplication*"),
    *("s3:ListAllMyBuckets", "s3:ListBucket", "scheduler:Get*", "scheduler:List*"),
    *("secretsmanager:Describe*", "secretsmanager:GetResourcePolicy", "secretsmanager:List*"),
    *("securityhub:Describe*", "securityhub:Get*", "securityhub:List*", "shield:Describe*", "shield:Get*"),
    *("sns:Get*", "sns:List*", "sqs:GetQueueAttributes", "sqs:List*", "ssm:Describe*", "ssm:GetDocument"),
    *("ssm:GetInventory", "ssm:GetMaintenance*", "ssm:GetPatch*", "ssm:GetServiceSetting", "ssm:List*"),
    *("tag:GetResources", "wafv2:Describe*", "wafv2:Get*", "wafv2:List*"),
)


def reading() -> Statement:
    """Every team sees how the region is configured, and that only."""
    return Statement("ReadConfiguration", "Allow", READING)


def operations(place: Place) -> list[Statement]:
    """Sessions on nodes, patching, start and stop, taking a node out of service, restoring a backup."""
    ours = with_resource_tag("stockade:stack", place.stack)
    nodes = (place.arn("ec2", "instance/*"),)
    own_sessions = (place.arn("ssm", "session/${aws:userid}-*"),)
    shell = (place.arn("ssm", "document/SSM-SessionManagerRunShell"),)
    patching = tuple(
        f"arn:aws:ssm:{place.region}::document/AWS-{name}"
        for name in ("PatchAsgInstance", "RunPatchBaseline", "RunPatchBaselineAssociation")
    )
    targets = (place.arn("elasticloadbalancing", "targetgroup/*"),)
    moving = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]
    power = ["ec2:RebootInstances", "ec2:StartInstances", "ec2:StopInstances"]
    restorers = (place.iam(f"role/stockade/{place.stack}/*"),)
    return [
        Statement("PowerOfNodes", "Allow", power, nodes, condition=ours),
        Statement("SessionsOnNodes", "Allow", ["ssm:StartSession"], nodes, condition=ours),
        Statement("ShellOfSessions", "Allow", ["ssm:StartSession"], shell),
        Statement("OwnSessions", "Allow", ["ssm:ResumeSession", "ssm:TerminateSession"], own_sessions),
        Statement("PatchNodes", "Allow", ["ssm:SendCommand"], nodes, condition=ours),
        Statement("PatchBy", "Allow", ["ssm:SendCommand"], patching),
        Statement(
            "PatchNow",
            "Allow",
            ["ssm:StartAssociationsOnce"],
            (place.arn("ssm", "association/*"),),
        ),
        Statement("CancelCommands", "Allow", ["ssm:CancelCommand"]),
        Statement("TargetsOfBalancers", "Allow", moving, targets, condition=ours),
        Statement("Restore", "Allow", ["backup:StartRestoreJob"], (place.arn("backup", "recovery-point:*"),)),
        Statement("RestoreAs", "Allow", ["iam:PassRole"], restorers, condition=passed_to("backup")),
    ]


def security(place: Place) -> list[Statement]:
    """Detection services, quarantine, forensic snapshots, blocking sources, disabling keys."""
    ours = with_resource_tag("stockade:stack", place.stack)
    quarantine = merge(ours, with_resource_tag("stockade:purpose", "quarantine"))
    interfaces = (place.arn("ec2", "network-interface/*"),)
    groups = (place.arn("ec2", "security-group/*"),)
    snapshots = (f"arn:aws:ec2:{place.region}::snapshot/*",)
    forensic: Condition = {"StringEquals": {"aws:RequestTag/stockade:purpose": "forensics"}}
    creation: Condition = {"StringEquals": {"ec2:CreateAction": "CreateSnapshot"}}
    findings = [
        *("guardduty:ArchiveFindings", "guardduty:UnarchiveFindings", "guardduty:UpdateFindingsFeedback"),
        *("inspector2:CreateFilter", "macie2:CreateFindingsFilter", "securityhub:BatchUpdateFindings"),
    ]
    investigation = ["logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"]
    log_groups = (
        place.arn("logs", f"log-group:/stockade/{place.stack}/*"),
        place.arn("logs", f"log-group:/aws/vendedlogs/stockade/{place.stack}/*"),
    )
    sets = (place.arn("wafv2", "regional/ipset/*"),)
    return [
        Statement("Findings", "Allow", findings),
        Statement(
            "AnalyzerFindings",
            "Allow",
            ["access-analyzer:UpdateFindings"],
            (place.arn("access-analyzer", "analyzer/*"),),
        ),
        Statement("Investigate", "Allow", investigation, log_groups),
        Statement("InvestigationResults", "Allow", ["logs:GetQueryResults", "logs:StopQuery"]),
        Statement(
            "MoveToQuarantine", "Allow", ["ec2:ModifyNetworkInterfaceAttribute"], interfaces, condition=ours
        ),
        Statement(
            "QuarantineOnly", "Allow", ["ec2:ModifyNetworkInterfaceAttribute"], groups, condition=quarantine
        ),
        Statement(
            "SnapshotVolumes",
            "Allow",
            ["ec2:CreateSnapshot"],
            (place.arn("ec2", "volume/*"),),
            condition=ours,
        ),
        Statement("ForensicSnapshots", "Allow", ["ec2:CreateSnapshot"], snapshots, condition=forensic),
        Statement("TagSnapshots", "Allow", ["ec2:CreateTags"], snapshots, condition=creation),
        Statement(
            "StopNodes", "Allow", ["ec2:StopInstances"], (place.arn("ec2", "instance/*"),), condition=ours
        ),
        Statement("BlockSources", "Allow", ["wafv2:UpdateIPSet"], sets, condition=ours),
        Statement(
            "DisableKeys",
            "Allow",
            ["kms:DisableKey", "kms:EnableKey"],
            (place.arn("kms", "key/*"),),
            condition=ours,
        ),
        Statement("DisableAccessKeys", "Allow", ["iam:UpdateAccessKey"], (place.iam("user/*"),)),
    ]


# What provisioning makes and changes. Actions that name no resource at all stand in MAKING; the rest is bound
# to this account and region by its ARN.
MAKING: tuple[str, ...] = (
    *("backup-storage:MountCapsule", "cloudwatch:PutDashboard"),
    *("ec2:DisableSerialConsoleAccess", "ec2:EnableEbsEncryptionByDefault"),
    *("ec2:EnableImageBlockPublicAccess", "ec2:EnableSnapshotBlockPublicAccess"),
    *("ec2:ModifyEbsDefaultKmsKeyId", "ec2:ModifyInstanceMetadataDefaults"),
    "ec2:ModifyVpcBlockPublicAccessOptions",
    *("guardduty:CreateDetector", "inspector2:Enable", "kms:CreateKey", "macie2:EnableMacie"),
    *("macie2:UpdateMacieSession", "s3:CreateBucket"),
    *("s3:PutAccountPublicAccessBlock", "securityhub:EnableSecurityHub"),
    *("securityhub:BatchEnableStandards", "iam:UpdateAccountPasswordPolicy"),
    *("acm:RequestCertificate", "config:PutConfigurationRecorder", "config:PutDeliveryChannel"),
    *("config:PutRetentionConfiguration", "guardduty:CreateIPSet", "guardduty:CreateThreatIntelSet"),
    *("guardduty:CreatePublishingDestination", "route53resolver:CreateResolverQueryLogConfig"),
    *("ssm:CreateMaintenanceWindow", "ssm:CreatePatchBaseline"),
    # Whoever has flow, DNS or firewall logs delivered is asked for these (CloudWatch Logs User Guide, "Enable
    # logging from AWS services"); none of them names a resource.
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:PutResourcePolicy"),
)
# Services whose resources carry account and region in their ARN, with the verbs of provisioning beside those.
PROVISIONED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("access-analyzer", ("CreateAnalyzer", "TagResource", "UpdateAnalyzer")),
    ("acm", ("AddTagsToCertificate",)),
    ("backup", ("CreateBackup*", "Put*", "TagResource", "UpdateBackupPlan")),
    ("cloudtrail", ("AddTags", "CreateTrail", "PutEventSelectors", "PutInsightSelectors", "StartLogging")),
    ("cloudwatch", ("PutMetricAlarm", "TagResource")),
    (
        "config",
        ("PutConfig*", "StartConfig*", "TagResource"),
    ),
    ("elasticloadbalancing", ("Add*", "Create*", "Modify*", "Register*", "RemoveTags", "Set*")),
    ("events", ("Put*", "RemoveTargets", "TagResource", "UntagResource")),
    ("guardduty", ("TagResource", "Update*")),
    ("kms", ("CreateAlias", "EnableKeyRotation", "PutKeyPolicy", "TagResource", "UpdateKeyDescription")),
    (
        "lambda",
        ("AddPermission", "CreateFunction", "PutFunctionConcurrency", "TagResource", "UpdateFunction*"),
    ),
    ("logs", ("AssociateKmsKey", "Create*", "PutMetricFilter", "PutRetentionPolicy", "TagResource")),
    ("network-firewall", ("Associate*", "Create*", "TagResource", "Update*")),
    ("route53resolver", ("Associate*", "Create*", "TagResource", "Update*")),
    ("scheduler", ("CreateSchedule", "UpdateSchedule")),
    ("secretsmanager", ("CreateSecret", "PutSecretValue", "TagResource", "UpdateSecret")),
    ("sns", ("CreateTopic", "SetTopicAttributes", "Subscribe", "TagResource")),
    ("sqs", ("CreateQueue", "SetQueueAttributes", "TagQueue")),
    (
        "ssm",
        (
            *("AddTagsToResource", "Create*", "RegisterDefaultPatchBaseline", "RegisterT*"),
            *("UpdateA*", "UpdateS*"),
        ),
    ),
    ("wafv2", ("AssociateWebACL", "Create*", "PutLoggingConfiguration", "TagResource", "Update*")),
)
EC2_CHANGES: tuple[str, ...] = (
    *("Accept*", "AllocateAddress", "Assign*", "Associate*", "Attach*", "Authorize*", "Create*"),
    *("Delete*Route*", "DeleteNetworkAclEntry", "DeleteTags", "Disassociate*", "EnableVgwRoutePropagation"),
    *("Modify*", "Replace*", "Revoke*", "RunInstances", "StartInstances", "StopInstances"),
)
S3_CHANGES: tuple[str, ...] = (
    *("PutBucket*", "PutEncryptionConfiguration", "PutLifecycleConfiguration", "PutReplicationConfiguration"),
)


def platform(place: Place) -> list[Statement]:
    """Provisioning: makes and changes what the program describes; ends nothing that keeps a record."""
    changing = [f"{service}:{action}" for service, actions in PROVISIONED for action in actions]
    return [
        # One statement for all services: an action takes no resource but its own service's.
        Statement("Change", "Allow", changing, tuple(place.arn(service, "*") for service, _ in PROVISIONED)),
        *provisioning(place),
    ]


def provisioning(place: Place) -> list[Statement]:
    """The part of provisioning whose resources carry no account or region, or need a closer bound."""
    path = f"stockade/{place.stack}/*"
    ec2 = tuple(f"ec2:{action}" for action in EC2_CHANGES)
    ec2_owners = (place.arn("ec2", "*"), f"arn:aws:ec2:{place.region}::*")
    roles = (place.iam(f"role/{path}"),)
    ours: Condition = {"ArnLike": {"iam:PermissionsBoundary": place.iam(f"policy/{path}")}}
    return [
        Statement("Make", "Allow", MAKING),
        Statement("ChangeEc2", "Allow", ec2, ec2_owners),
        Statement(
            "ReplaceNodes",
            "Allow",
            ["ec2:TerminateInstances"],
            (place.arn("ec2", "instance/*"),),
            condition=with_resource_tag("stockade:stack", place.stack),
        ),
        Statement("ChangeS3", "Allow", [f"s3:{a}" for a in S3_CHANGES], ("arn:aws:s3:::*",)),
        Statement("BoundedRoles", "Allow", BOUNDED_ROLES, roles, condition=ours),
        Statement("Roles", "Allow", PLAIN_ROLES, roles),
        Statement(
            "Profiles",
            "Allow",
            ["iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:TagInstanceProfile"],
            (place.iam(f"instance-profile/{path}"),),
        ),
        Statement(
            "KeysByServices",
            "Allow",
            ["kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"],
            (place.arn("kms", "key/*"),),
            condition={
                "StringEquals": {
                    "kms:ViaService": [f"{name}.{place.region}.amazonaws.com" for name in USING_KEYS]
                }
            },
        ),
        Statement("PassRoles", "Allow", ["iam:PassRole"], roles, condition=_to_services(PASSED_TO)),
    ]


# Rights may be given only to a role that stays under one of our boundaries (iam:PermissionsBoundary). Whoever
# provisions cannot make or change a boundary, or the condition would bound nothing. Boundaries and team
# roles change under the organisation's own administration role, with a second pair of eyes.
BOUNDED_ROLES = (
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)
PLAIN_ROLES = ("iam:TagRole", "iam:UntagRole", "iam:UpdateRole")
# Services that use a key in the name of whoever makes a volume, a function or a secret.
USING_KEYS = ("ec2", "lambda", "secretsmanager")
PASSED_TO = ("backup", "cloudtrail", "config", "ec2", "lambda", "s3", "scheduler", "vpc-flow-logs", "events")


def _to_services(services: Sequence[str]) -> Condition:
    return {"StringEquals": {"iam:PassedToService": [f"{name}.amazonaws.com" for name in services]}}


def break_glass(place: Place) -> list[Statement]:
    """Everything of most services on this account's resources in this region, less what nobody may."""
    services = sorted({"ec2", *(service for service, _ in PROVISIONED)} - {"kms", "secretsmanager"})
    everything = [f"{service}:*" for service in services]
    keys = [f"{service}:{verb}" for service, verbs in PROVISIONED if service == "kms" for verb in verbs]
    return [
        Statement("Change", "Allow", everything, tuple(place.arn(service, "*") for service in services)),
        Statement(
            "ChangeKeys",
            "Allow",
            [*keys, "kms:DisableKey", "kms:EnableKey"],
            (place.arn("kms", "*"),),
        ),
        *provisioning(place),
    ]


GRANTS = {
    "platform": platform,
    "operations": operations,
    "security": security,
    "auditor": lambda _place: [],
    "break-glass": break_glass,
}
