"""What each server role's nodes may do, as pure documents.

The Systems Manager part is smaller than AWS's own AmazonSSMManagedInstanceCore, which also lets an instance
read every parameter of the account (ssm:GetParameter on *): only what the agent needs to be managed is
granted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iam.documents import (
    Condition,
    Document,
    Statement,
    document,
    merge,
    over_tls,
    through_endpoints,
    through_service,
)

# Systems Manager User Guide, "ec2messages, ssmmessages, and other API operations": these name no resource.
AGENT_CHANNELS = (
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
AGENT_REPORTS = (
    "ssm:PutComplianceItems",
    "ssm:UpdateInstanceAssociationStatus",
    "ssm:UpdateInstanceInformation",
)
AGENT_READS = (
    "ssm:PutInventory",  # names no resource (Service Authorization Reference)
    "ssm:DescribeAssociation",
    "ssm:GetDocument",
    "ssm:DescribeDocument",
    "ssm:GetManifest",
    "ssm:ListAssociations",
    "ssm:ListInstanceAssociations",
    "ssm:GetDeployablePatchSnapshotForInstance",
)


def managed_by_ssm(region: str, account: str) -> list[Statement]:
    """What the Systems Manager agent of a node needs, on this account's instances only."""
    instances = f"arn:aws:ec2:{region}:{account}:instance/*"
    return [
        Statement("AgentChannels", "Allow", AGENT_CHANNELS),
        Statement("AgentReports", "Allow", AGENT_REPORTS, (instances, f"arn:aws:ssm:{region}:{account}:*")),
        Statement("AgentReads", "Allow", AGENT_READS),
    ]


@dataclass(frozen=True)
class DataAccess:
    """What a role does with data: ARN patterns of buckets it writes to and reads from, the pattern of the
    names of their keys, and where the bucket of delivered logs takes this role's.
    """

    write: Sequence[str]
    read: Sequence[str]
    key_aliases: Sequence[str]
    logs: str


def uses_data(access: DataAccess, region: str, account: str, endpoints: Sequence[str]) -> list[Statement]:
    """Write and read objects over TLS 1.2 through our VPC endpoints only, use the buckets' keys through S3
    only, and hand in logs. Everything by patterns: no statement grows with the customers.
    """
    secure = merge(over_tls("1.2"), through_endpoints(endpoints))
    found = [Statement("NodeLogs", "Allow", ["s3:PutObject"], (access.logs,), condition=secure)]
    both = sorted({*access.write, *access.read})
    if access.write:
        write = ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject")
        objects = tuple(f"{bucket}/*" for bucket in access.write)
        found.append(Statement("WriteObjects", "Allow", write, objects, condition=secure))
    if access.read:
        read = ("s3:GetObject", "s3:GetObjectVersion")
        objects = tuple(f"{bucket}/*" for bucket in access.read)
        found.append(Statement("ReadObjects", "Allow", read, objects, condition=secure))
    if both:
        named: Condition = {"ForAnyValue:StringLike": {"kms:ResourceAliases": sorted(access.key_aliases)}}
        found += [
            Statement("Buckets", "Allow", ["s3:GetBucketLocation", "s3:ListBucket"], both, condition=secure),
            Statement(
                "DataKeys",
                "Allow",
                ["kms:Decrypt", *(["kms:GenerateDataKey"] if access.write else [])],
                (f"arn:aws:kms:{region}:{account}:key/*",),
                condition=merge(through_service("s3", region), named),
            ),
        ]
    return found


def node_policy(statements: Sequence[Statement]) -> Document:
    """The whole policy of one server role."""
    return document(statements)
