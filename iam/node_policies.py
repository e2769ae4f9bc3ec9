"""What each server role's nodes may do, as pure documents.

The Systems Manager part is smaller than AWS's own AmazonSSMManagedInstanceCore, which also lets an instance
read every parameter of the account (ssm:GetParameter on *): only what the agent needs to be managed is
granted here.
"""

from __future__ import annotations

from collections.abc import Sequence

from iam.documents import Document, Statement, document, merge, over_tls, through_endpoints, through_service

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
    "ssm:PutInventory",
    "ssm:UpdateInstanceAssociationStatus",
    "ssm:UpdateInstanceInformation",
)
AGENT_READS = (
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


def uses_bucket(bucket_arn: str, key_arn: str, region: str, endpoints: Sequence[str]) -> list[Statement]:
    """Read and write objects over TLS 1.2 through our VPC endpoints only, and use the bucket's key through
    S3 only.
    """
    secure = merge(over_tls("1.2"), through_endpoints(endpoints))
    return [
        Statement(
            "Objects",
            "Allow",
            ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
            (f"{bucket_arn}/*",),
            condition=secure,
        ),
        Statement(
            "Bucket", "Allow", ["s3:GetBucketLocation", "s3:ListBucket"], (bucket_arn,), condition=secure
        ),
        Statement(
            "BucketKey",
            "Allow",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            (key_arn,),
            condition=through_service("s3", region),
        ),
    ]


def node_policy(statements: Sequence[Statement]) -> Document:
    """The whole policy of one server role."""
    return document(statements)
