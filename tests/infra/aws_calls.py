"""The AWS calls that provisioning makes, and what each asks of IAM: actions, resources, context.

Calls are recorded at the clients of the emulated account, while the program's own resources are made. Which
resources an action is asked on comes from the Service Authorization Reference, as parliament carries it: an
action that it does not know, or that no line below translates, is an error, never harmless.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from twin.program.aws import Clients

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import parliament

Context = dict[str, str]


@dataclass(frozen=True)
class Call:
    """One call as boto3 was asked to make it."""

    service: str
    operation: str
    region: str
    parameters: Mapping[str, Any]


@dataclass
class Asked:
    """One thing that IAM decides: an action on a resource."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


@contextmanager
def recording(calls: list[Call]) -> Iterator[None]:
    """Every call that clients made in this block are asked to make is kept."""
    make = Clients._make

    def listening(self: Clients, service: str, region: str) -> Any:
        client = make(self, service, region)

        def keep(params: dict[str, Any], model: Any, **_: Any) -> None:
            calls.append(Call(service, model.name, region, dict(params)))

        client.meta.events.register("provide-client-params", keep)
        return client

    Clients._make = listening  # type: ignore[method-assign]
    try:
        yield
    finally:
        Clients._make = make  # type: ignore[method-assign]


# boto3's name of a service → prefix of its actions, where they differ.
PREFIXES = {"accessanalyzer": "access-analyzer", "elbv2": "elasticloadbalancing", "s3control": "s3"}
# Operations whose action has another name (Service Authorization Reference, "Amazon S3", read 2026-11).
RENAMED = {
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:PutBucketReplication": "s3:PutReplicationConfiguration",
    "s3:PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3control:GetPublicAccessBlock": "s3:GetAccountPublicAccessBlock",
    "s3control:PutPublicAccessBlock": "s3:PutAccountPublicAccessBlock",
    "s3:GetBucketMetricsConfiguration": "s3:GetMetricsConfiguration",
    "s3:PutBucketMetricsConfiguration": "s3:PutMetricsConfiguration",
    # AWS Cost Management User Guide, "Managing access permissions" and the reference, "AWS Budget Service"
    # (2026-11): what makes, changes or ends a budget is one action, what shows one is another.
    "budgets:CreateBudget": "budgets:ModifyBudget",
    "budgets:DescribeBudget": "budgets:ViewBudget",
    "budgets:DescribeNotificationsForBudget": "budgets:ViewBudget",
    "budgets:DescribeSubscribersForNotification": "budgets:ViewBudget",
}
# IAM lets everybody ask who they are, whatever a policy says (AWS STS API Reference, GetCallerIdentity).
ALWAYS = ("sts:GetCallerIdentity",)
GLOBAL = (
    "iam",
    "organizations",
    "shield",
    "account",
    "budgets",
)  # answered in us-east-1, wherever they are asked from


def action_of(call: Call) -> str:
    """The IAM action of a call. Raises KeyError when the reference knows none of that name."""
    plain = f"{call.service}:{call.operation}"
    action = RENAMED.get(plain, f"{PREFIXES.get(call.service, call.service)}:{call.operation}")
    _privilege(action)
    return action


@functools.cache
def _services() -> dict[str, Any]:
    return {service["prefix"]: service for service in parliament.iam_definition}


@functools.cache
def _privilege(action: str) -> dict[str, Any]:
    prefix, _, name = action.partition(":")
    for privilege in _services()[prefix]["privileges"]:
        if privilege["privilege"].lower() == name.lower():
            found: dict[str, Any] = privilege
            return found
    raise KeyError(f"{action}: no such action")


@dataclass(frozen=True)
class Names:
    """What ARNs are filled from: the stack's account and region, and paths that only creation told."""

    account: str
    region: str
    paths: Mapping[str, str]  # name of a role or instance profile → its path with the name

    @classmethod
    def of(cls, account: str, region: str, calls: list[Call]) -> Names:
        """With the paths that the calls gave to roles and instance profiles."""
        paths = {}
        for call in calls:
            name = call.parameters.get("RoleName") or call.parameters.get("InstanceProfileName")
            if name and call.operation in ("CreateRole", "CreateInstanceProfile"):
                paths[name] = f"{call.parameters.get('Path', '/')}{name}".removeprefix("/")
            for role in handed_over(call.parameters):
                # A service's own role: its path stands in the ARN that a call hands over, and nowhere else.
                path = role.partition(":role/")[2]
                paths.setdefault(path.rpartition("/")[2], path)
        return cls(account, region, paths)

    def resources(self, call: Call, action: str) -> list[str]:
        """The ARNs that an action is asked on: every kind it needs, else one that it may have, else all."""
        kinds = [r["resource_type"] for r in _privilege(action)["resource_types"] if r["resource_type"]]
        needed = [kind.rstrip("*") for kind in kinds if kind.endswith("*")] or kinds[:1]
        return [self._arn(call, action.partition(":")[0], kind) for kind in needed] or ["*"]

    def _arn(self, call: Call, prefix: str, kind: str) -> str:
        for member in ("PolicyArn", "ResourceARN"):
            if arn := call.parameters.get(member):
                return str(arn)
        if service := call.parameters.get("AWSServiceName"):
            return f"arn:aws:iam::{self.account}:role/aws-service-role/{service}/x"
        shapes = {r["resource"]: r["arn"] for r in _services()[prefix]["resources"]}
        p = call.parameters
        role = p.get("RoleName", "x")
        filled = {
            "Partition": "aws",
            "Region": call.region,
            "Account": self.account,
            "BucketName": p.get("Bucket", "x"),
            "RoleNameWithPath": self.paths.get(role, role),
            "InstanceProfileNameWithPath": self.paths.get(
                p.get("InstanceProfileName", "x"), p.get("InstanceProfileName", "x")
            ),
            "PolicyNameWithPath": f"{p.get('Path', '/')}{p.get('PolicyName', 'x')}".removeprefix("/"),
            "FunctionName": p.get("FunctionName", "x"),
            "LogGroupName": p.get("logGroupName", "x"),
            "ScheduleName": p.get("Name", "x"),
            "GroupName": p.get("GroupName", "default") if prefix == "scheduler" else "x",
            "ObjectName": p.get("Key", "x"),
            "BudgetName": p.get("BudgetName") or p.get("Budget", {}).get("BudgetName", "x"),
            "EventBusName": str(p.get("EventSourceArn", "event-bus/x")).rpartition("event-bus/")[2],
        }
        text = str(shapes[kind])
        for name, value in filled.items():
            text = text.replace("${" + name + "}", str(value))
        while "${" in text:
            text = text[: text.index("${")] + "x" + text[text.index("}", text.index("${")) + 1 :]
        return text


# Calls by which a service's logs are delivered (CloudWatch Logs User Guide, "Enable logging from AWS
# services", read 2026-11).
DELIVERING = (
    ("ec2", "CreateFlowLogs"),
    ("network-firewall", "UpdateLoggingConfiguration"),
    ("route53resolver", "CreateResolverQueryLogConfig"),
    ("wafv2", "PutLoggingConfiguration"),
)
# Calls at which a service makes its own role, and that role's service. From memory of each service's user
# guide, "Using service-linked roles" (2026-11-22). The reference's dependent actions lack most of these, and
# name others for what is not ours: an organisation's trail, keys of several regions, logs through Firehose.
LINKED = {
    ("accessanalyzer", "CreateAnalyzer"): ("access-analyzer",),
    ("backup", "CreateBackupVault"): ("backup",),
    ("elbv2", "CreateLoadBalancer"): ("elasticloadbalancing",),
    ("guardduty", "CreateDetector"): ("guardduty", "malware-protection.guardduty"),
    ("inspector2", "Enable"): ("inspector2", "agentless.inspector2"),
    ("macie2", "EnableMacie"): ("macie",),
    ("network-firewall", "CreateFirewall"): ("network-firewall",),
    ("securityhub", "EnableSecurityHub"): ("securityhub",),
    ("ec2", "CreateTransitGateway"): ("transitgateway",),
}
# What is asked for beside the call itself (the reference, column "Dependent actions"): tagging at creation,
# and handing a role over to a service.
_TAGGED = {
    "ec2": ("ec2:CreateTags", "TagSpecifications"),
    "elasticloadbalancing": ("elasticloadbalancing:AddTags", "Tags"),
}
_HANDED_OVER = (
    "RoleArn",
    "Role",
    "role",
    "roleARN",
    "IamRoleArn",
    "DeliverLogsPermissionArn",
    "CloudWatchLogsRoleArn",
)
_TAKES = {"logs": "vpc-flow-logs", "config": "config", "events": "events", "ec2": "vpc-flow-logs"}


def handed_over(value: Any) -> Iterator[str]:
    """ARNs of roles that a call hands to a service, at any depth."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in _HANDED_OVER and isinstance(inner, str) and ":role/" in inner:
                yield inner
            else:
                yield from handed_over(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from handed_over(inner)


def asks(calls: list[Call], names: Names, at_work: Context) -> list[Asked]:
    """Everything that IAM decides for these calls, each once."""
    boundaries = {
        call.parameters["RoleName"]: str(call.parameters.get("PermissionsBoundary", ""))
        for call in calls
        if call.operation == "CreateRole"
    }
    found: dict[str, Asked] = {}
    for call in calls:
        region = "us-east-1" if call.service in GLOBAL else call.region
        context = {**at_work, "aws:RequestedRegion": region}
        if boundary := boundaries.get(call.parameters.get("RoleName", "")):
            context["iam:PermissionsBoundary"] = boundary
        action = action_of(call)
        if action in ALWAYS:
            continue
        if service := call.parameters.get("AWSServiceName"):
            context["iam:AWSServiceName"] = service
        wanted = [Asked(action, resource, context) for resource in names.resources(call, action)]
        wanted += _beside(call, action, names, context)
        for one in wanted:
            found.setdefault(str(one), one)
    return list(found.values())


def _beside(call: Call, action: str, names: Names, context: Context) -> Iterator[Asked]:
    prefix = action.partition(":")[0]
    tagging, member = _TAGGED.get(prefix, ("", ""))
    if tagging and call.parameters.get(member) and action != tagging:
        for resource in names.resources(call, action)[:1]:
            yield Asked(tagging, resource, context)
    for role in handed_over(call.parameters):
        service = _TAKES.get(prefix, prefix)
        yield Asked("iam:PassRole", role, {**context, "iam:PassedToService": f"{service}.amazonaws.com"})
    if (call.service, call.operation) in DELIVERING:
        for more in ("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:ListLogDeliveries"):
            yield Asked(more, "*", context)
    for service in LINKED.get((call.service, call.operation), ()):
        linked = f"arn:aws:iam::{names.account}:role/aws-service-role/{service}.amazonaws.com/x"
        there = {"aws:RequestedRegion": "us-east-1", "iam:AWSServiceName": f"{service}.amazonaws.com"}
        yield Asked("iam:CreateServiceLinkedRole", linked, {**context, **there})
    if call.operation == "CreateBucket" and call.parameters.get("ObjectLockEnabledForBucket"):
        for more in ("s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"):
            yield Asked(more, names.resources(call, action)[0], context)
    if call.operation == "CreateBucket" and call.parameters.get("ObjectOwnership"):
        yield Asked("s3:PutBucketOwnershipControls", names.resources(call, action)[0], context)
