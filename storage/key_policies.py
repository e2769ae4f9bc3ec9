"""Policies of KMS keys as pure documents (no Pulumi import): who may use which key, through which service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iam.documents import (
    Condition,
    Document,
    Statement,
    document,
    merge,
    of_account,
    through_service,
)

# Administration without use: an administrator of keys can neither decrypt nor make grants to somebody who
# can.
KEY_ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
KEY_USE = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")

# AWS services that write into encrypted topics and queues, and what of this account's they act for.
# Amazon SNS Developer Guide, "Enable compatibility between event sources from AWS services and encrypted
# topics"; Amazon SQS Developer Guide, "Configure KMS permissions for AWS services" (both read 2026-11).
NOTIFIERS: Mapping[str, str] = {
    "cloudwatch": "arn:aws:cloudwatch:{region}:{account}:alarm:*",
    "events": "arn:aws:events:{region}:{account}:rule/*",
    "sns": "arn:aws:sns:{region}:{account}:*",
    # AWS Budgets User Guide, "Creating an Amazon SNS topic for budget notifications" (from memory).
    "budgets": "arn:aws:budgets::{account}:*",
}


def account_root(account: str) -> dict[str, list[str]]:
    """The account itself: IAM policies in the account then decide which identity may."""
    return {"AWS": [f"arn:aws:iam::{account}:root"]}


def administration(account: str) -> Statement:
    """What the account may do with the key itself: everything but use it."""
    return Statement("Administration", "Allow", KEY_ADMINISTRATION, principals=account_root(account))


def key_for_service(account: str, region: str, service: str) -> Document:
    """A key that the account's identities use through one AWS service only, e.g. `s3`."""
    use = Statement(
        "UseThroughService",
        "Allow",
        KEY_USE,
        principals=account_root(account),
        condition=through_service(service, region),
    )
    return document([administration(account), use])


def key_with_grants(account: str, region: str, service: str) -> Document:
    """A key for a service that works by grants (EBS through `ec2`, Backup): use through it, and only those
    grants that it makes for resources of its own.
    """
    through = through_service(service, region)
    use = Statement(
        "UseThroughService", "Allow", KEY_USE, principals=account_root(account), condition=through
    )
    grants = Statement(
        "GrantsForResources",
        "Allow",
        ["kms:CreateGrant"],
        principals=account_root(account),
        condition=merge(through, {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
    )
    return document([administration(account), use, grants])


def key_for_volumes(account: str, region: str) -> Document:
    """A key for EBS: use through EC2, and grants only those that EC2 makes for its own volumes."""
    return key_with_grants(account, region, "ec2")


def key_for_logs(account: str, region: str, log_groups: Sequence[str]) -> Document:
    """A key that CloudWatch Logs uses for the log groups whose names match these patterns, and for nothing
    else.
    """
    arns = [f"arn:aws:logs:{region}:{account}:log-group:{pattern}" for pattern in log_groups]
    condition: Condition = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arns}}
    use = Statement(
        "UseByLogs",
        "Allow",
        KEY_USE,
        principals={"Service": [f"logs.{region}.amazonaws.com"]},
        condition=condition,
    )
    return document([administration(account), use])


def key_for_trail(account: str, region: str) -> Document:
    """A key under which CloudTrail writes this account's trails, and readers of the bucket read them.

    CloudTrail User Guide, "Configure AWS KMS key policies for CloudTrail": GenerateDataKey with the trail as
    source and as encryption context, DescribeKey beside it.
    """
    trails = f"arn:aws:cloudtrail:{region}:{account}:trail/*"
    service = {"Service": ["cloudtrail.amazonaws.com"]}
    of_trail: Condition = merge(of_account(account), {"ArnLike": {"aws:SourceArn": trails}})
    context: Condition = {"StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": trails}}
    return document(
        [
            administration(account),
            Statement(
                "WriteByTrail",
                "Allow",
                ["kms:GenerateDataKey*"],
                principals=service,
                condition=merge(of_trail, context),
            ),
            Statement("LookByTrail", "Allow", ["kms:DescribeKey"], principals=service, condition=of_trail),
            Statement(
                "ReadThroughBucket",
                "Allow",
                ["kms:Decrypt", "kms:DescribeKey"],
                principals=account_root(account),
                condition=through_service("s3", region),
            ),
        ]
    )


def key_for_findings(account: str, region: str) -> Document:
    """A key under which GuardDuty exports this account's findings, and readers of the bucket read them.

    Amazon GuardDuty User Guide, "Exporting generated findings to Amazon S3" (read 2026-11).
    """
    detectors = f"arn:aws:guardduty:{region}:{account}:detector/*"
    return document(
        [
            administration(account),
            Statement(
                "WriteByGuardDuty",
                "Allow",
                ["kms:GenerateDataKey"],
                principals={"Service": ["guardduty.amazonaws.com"]},
                condition=merge(of_account(account), {"ArnLike": {"aws:SourceArn": detectors}}),
            ),
            Statement(
                "UseThroughBucket",
                "Allow",
                ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"],
                principals=account_root(account),
                condition=through_service("s3", region),
            ),
        ]
    )


def key_for_notices(account: str, region: str) -> Document:
    """A key for topics and queues: the account's identities through SNS and SQS, and the services that
    notify, for this account's alarms, rules and topics only.
    """
    statements = [administration(account)]
    for service in ("sns", "sqs"):
        statements.append(
            Statement(
                f"UseThrough{service.capitalize()}",
                "Allow",
                ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"],
                principals=account_root(account),
                condition=through_service(service, region),
            )
        )
    for service, source in NOTIFIERS.items():
        acted_for = source.format(region=region, account=account)
        statements.append(
            Statement(
                f"NoticesOf{service.capitalize()}",
                "Allow",
                ["kms:Decrypt", "kms:GenerateDataKey*"],
                principals={"Service": [f"{service}.amazonaws.com"]},
                condition=merge(of_account(account), {"ArnLike": {"aws:SourceArn": acted_for}}),
            )
        )
    # EventBridge User Guide, "Encrypting archives with AWS KMS keys" (from memory).
    bus = f"arn:aws:events:{region}:{account}:event-bus/default"
    statements.append(
        Statement(
            "ArchiveOfEvents",
            "Allow",
            ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"],
            principals={"Service": ["events.amazonaws.com"]},
            condition=merge(
                of_account(account),
                {"StringEquals": {"kms:EncryptionContext:aws:events:event-bus:arn": bus}},
            ),
        )
    )
    return document(statements)
