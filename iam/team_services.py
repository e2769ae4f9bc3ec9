"""What provisioning asks of services beside the resources it makes: their roles, budgets, lists, settings.

A managed policy under the teams' path, which nobody in the account can change, for the teams that provision:
a role's inline policies take 10,240 characters together (IAM User Guide, "IAM and AWS STS quotas"), and those
are full. In words: docs/decisions/0005-teams.md.
"""

from __future__ import annotations

from iam.documents import Condition, Statement, passed_to
from iam.team_grants import Place
from storage.names import bucket_name, bucket_patterns

PROVISIONING_TEAMS = ("break-glass", "platform")
# Services that make a role of their own when they are first used, by the names they have there. After each
# service's user guide, "Using service-linked roles", from memory on 2026-11-22.
LINKED = (
    *("access-analyzer", "agentless.inspector2", "backup", "config", "elasticloadbalancing", "guardduty"),
    *("inspector2", "macie", "malware-protection.guardduty", "network-firewall", "securityhub"),
    "transitgateway",
)


def lists(place: Place) -> tuple[str, ...]:
    """The address lists that GuardDuty reads: written by the program from the settings, and read back."""
    return (f"arn:aws:s3:::{bucket_name(place.stack, place.account, 'findings')}/lists/*",)


def services(place: Place) -> list[Statement]:
    """The statements of that policy. Nothing here reads what was recorded, or ends anything."""
    recorder = (place.iam("role/aws-service-role/config.amazonaws.com/*"),)
    linked: Condition = {"StringEquals": {"iam:AWSServiceName": [f"{name}.amazonaws.com" for name in LINKED]}}
    # AWS Budgets tells creation from deletion by no action of its own: ModifyBudget is all of it.
    budget = ("ListTagsForResource", "ModifyBudget", "TagResource", "ViewBudget")
    objects = ("s3:GetObject", "s3:GetObjectTagging", "s3:PutObject", "s3:PutObjectTagging")
    jobs = ("macie2:CreateClassificationJob", "macie2:DescribeClassificationJob")
    return [
        Statement(
            "LinkedRoles",
            "Allow",
            ["iam:CreateServiceLinkedRole"],
            (place.iam("role/aws-service-role/*"),),
            condition=linked,
        ),
        Statement("TagRecordersRole", "Allow", ["iam:TagRole"], recorder),
        Statement("PassRecordersRole", "Allow", ["iam:PassRole"], recorder, condition=passed_to("config")),
        Statement(
            "Budgets",
            "Allow",
            [f"budgets:{action}" for action in budget],
            (f"arn:aws:budgets::{place.account}:budget/{place.stack}-*",),
        ),
        Statement(
            "Archives",
            "Allow",
            ["events:CreateArchive"],
            (place.arn("events", "archive/*"), place.arn("events", "event-bus/default")),
        ),
        Statement(
            "Hub",
            "Allow",
            ["securityhub:UpdateSecurityHubConfiguration"],
            (place.arn("securityhub", "hub/default"),),
        ),
        Statement("DataSearches", "Allow", jobs, (place.arn("macie2", "classification-job/*"),)),
        Statement(
            "Publishing",
            "Allow",
            ["guardduty:DescribePublishingDestination"],
            (place.arn("guardduty", "detector/*"),),
        ),
        Statement(
            "RequestMetrics",
            "Allow",
            ["s3:GetMetricsConfiguration", "s3:PutMetricsConfiguration"],
            bucket_patterns(place.stack, place.account),
        ),
        Statement("Lists", "Allow", objects, lists(place)),
    ]
