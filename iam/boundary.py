"""Permission boundaries of the roles: the most that any policy attached to one can ever grant.

A boundary intersects: what it does not allow stays impossible even if somebody attaches
AdministratorAccess. The deny statements restate what must never happen, so that a later widening of the
allow list cannot bring it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from iam.documents import Document, Statement, document, outside_regions
from iam.node_policies import AGENT_CHANNELS, AGENT_READS, AGENT_REPORTS

# What a node can need at all: management by Systems Manager, its logs, objects, keys, secrets read.
NODE_SERVICES = (
    *AGENT_CHANNELS,
    *AGENT_READS,
    *AGENT_REPORTS,
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKey",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:PutObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "secretsmanager:GetSecretValue",
)
ESCALATION = ("account:*", "iam:*", "organizations:*", "sts:AssumeRole*", "sts:GetFederationToken")
DESTRUCTION = (
    "kms:CreateGrant",
    "kms:DisableKey",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "logs:Delete*",
    "logs:PutRetentionPolicy",
    "s3:BypassGovernanceRetention",
    "s3:Delete*",
    "s3:PutBucket*",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutObjectAcl",
)
# A node is managed by Systems Manager; it never manages others through it.
LATERAL = ("ssm:SendCommand", "ssm:StartSession", "ssm:StartAutomationExecution", "ssm:PutParameter")


def node_boundary(allowed_regions: Sequence[str], switched: Sequence[Statement] = ()) -> Document:
    """The boundary document for nodes that may speak to `allowed_regions` only, less what is switched off."""
    return document(
        [
            Statement("NodesAtMost", "Allow", NODE_SERVICES),
            Statement("StayInAllowedRegions", "Deny", ["*"], condition=outside_regions(allowed_regions)),
            Statement("NoEscalation", "Deny", ESCALATION),
            Statement("NoDestruction", "Deny", DESTRUCTION),
            Statement("NoLateralMovement", "Deny", LATERAL),
            *switched,
        ]
    )


LOG_DELIVERY = ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")


def delivery_boundary(region: str) -> Document:
    """The boundary of a role that a service takes to write log streams: writing them in `region`, no more."""
    statements = [
        Statement("DeliverAtMost", "Allow", LOG_DELIVERY),
        Statement("StayInTheRegion", "Deny", ["*"], condition=outside_regions([region])),
    ]
    return document(statements)
