"""What may pass through our VPC endpoints, as pure documents, one per service: our identities, doing what a
node may ever do, with our own resources.

Both ends matter. Without the first, a stolen key of another account works from inside our network; without
the second, our own identity copies data into a foreign bucket.
"""

from __future__ import annotations

from dataclasses import dataclass

from iam.boundary import NODE_SERVICES
from iam.documents import Condition, Document, Statement, document, merge
from storage.names import bucket_patterns

# Buckets of AWS that the Systems Manager agent reads for its own updates and for patch baselines; each is
# named after the region. Systems Manager User Guide, "SSM Agent communications with AWS managed S3 buckets",
# read 2026-11. Regions whose buckets have a suffix of their own (Bahrain, …) are in no jurisdiction we know.
AGENT_BUCKETS = ("amazon-ssm-{region}", "aws-ssm-{region}", "patch-baseline-snapshot-{region}")
# Their resources belong to AWS in part (documents, patch baselines) or are none at all (channels), so
# the request's resource account cannot be ours.
SYSTEMS_MANAGER = ("ec2messages", "ssm", "ssmmessages")


@dataclass(frozen=True)
class Home:
    """Whose endpoints these are."""

    account: str
    region: str
    stack: str


def endpoint_policy(service: str, home: Home) -> Document:
    """The policy of an endpoint of `service`. Raises KeyError for a service nodes have no action of."""
    if service == "s3":
        return document([_our_buckets(home), _agent_buckets(home)])
    if service in SYSTEMS_MANAGER:
        return document([_statement("OurIdentities", service, ("*",), _ours(home))])
    resources = {
        "kms": f"arn:aws:kms:{home.region}:{home.account}:key/*",
        "logs": f"arn:aws:logs:{home.region}:{home.account}:log-group:*",
        "secretsmanager": f"arn:aws:secretsmanager:{home.region}:{home.account}:secret:*",
    }
    return document([_statement("OurResources", service, (resources[service],), _both(home))])


def _our_buckets(home: Home) -> Statement:
    buckets = bucket_patterns(home.stack, home.account)
    resources = (*buckets, *(f"{bucket}/*" for bucket in buckets))
    return _statement("OurBuckets", "s3", resources, _both(home))


def _agent_buckets(home: Home) -> Statement:
    names = (name.format(region=home.region) for name in AGENT_BUCKETS)
    resources = [f"arn:aws:s3:::{name}/*" for name in names]
    read = ["s3:GetObject"]
    return Statement("AgentBuckets", "Allow", read, resources, principals="*", condition=_ours(home))


def _statement(sid: str, service: str, resources: tuple[str, ...], condition: Condition) -> Statement:
    actions = [action for action in NODE_SERVICES if action.startswith(f"{service}:")]
    if not actions:
        raise KeyError(service)
    return Statement(sid, "Allow", actions, resources, principals="*", condition=condition)


def _ours(home: Home) -> Condition:
    return {"StringEquals": {"aws:PrincipalAccount": home.account}}


def _both(home: Home) -> Condition:
    return merge(_ours(home), {"StringEquals": {"aws:ResourceAccount": home.account}})
