"""Who delivers logs into our buckets, where to, and with which encryption, as data and pure documents.

Every delivering service writes under a prefix of its own. What bounds it to this account differs: most say
for which account and resource they write (`aws:SourceAccount`, `aws:SourceArn`); Elastic Load Balancing does
not promise to, so there AWS's own advice holds: the account's number in the path, which the service writes
by itself and nobody chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from iam.documents import Condition, Document, Statement, document, merge, of_account
from storage.policies import modern_tls_only, never_deleted, no_other_encryption

READ = "read 2026-11"


@dataclass(frozen=True)
class Delivery:
    """One delivering service: its prefix in the bucket, its principal, and what it acts for.

    `prefix` empty: it writes at the top, under `AWSLogs/`. `source` None: the service names no source, the
    path bounds it. `acl` True: it sends the canned ACL `bucket-owner-full-control` with each object, so the
    policy can insist on it.
    """

    prefix: str
    principal: str
    source: str | None
    documentation: str
    acl: bool = False


_VENDED = "arn:aws:logs:{region}:{account}:*"
_VENDED_LOGS = f"CloudWatch Logs User Guide, 'Logs sent to Amazon S3' ({READ})"
_VENDOR = "delivery.logs.amazonaws.com"

# Load balancers take SSE-S3 only; the others would take a key of ours, but a bucket has one default.
DELIVERIES: Mapping[str, Delivery] = {
    "load_balancers": Delivery(
        "load-balancers",
        "logdelivery.elasticloadbalancing.amazonaws.com",
        None,
        f"Elastic Load Balancing User Guide, 'Enable access logs': SSE-S3 only, account in the path ({READ})",
    ),
    "flow_logs": Delivery("flow-logs", _VENDOR, _VENDED, _VENDED_LOGS, acl=True),
    "dns": Delivery("dns", _VENDOR, _VENDED, _VENDED_LOGS, acl=True),
    # The one without a prefix: the ARN that a web ACL logs to is the bucket's own.
    "waf": Delivery(
        "",
        _VENDOR,
        _VENDED,
        "AWS WAF Developer Guide, 'Sending web ACL traffic logs to an Amazon S3 bucket': SSE-S3 or a key of"
        f" ours, not one that AWS manages; the bucket's name begins with aws-waf-logs- ({READ})",
        acl=True,
    ),
    "config": Delivery(
        "config",
        "config.amazonaws.com",
        "arn:aws:config:{region}:{account}:*",
        f"AWS Config Developer Guide, 'Permissions for the Amazon S3 Bucket' ({READ})",
        acl=True,
    ),
}


def path(service: str, account: str) -> str:
    """The keys under which a service of `DELIVERIES` writes for an account, as a pattern."""
    prefix = DELIVERIES[service].prefix
    return f"{prefix}/AWSLogs/{account}/*" if prefix else f"AWSLogs/{account}/*"


def delivery_bucket(bucket: str, account: str, region: str) -> Document:
    """TLS 1.2 or newer only, no deletion; each delivering service writes under its own prefix, for this
    account only, and may look at the bucket as it insists on doing.
    """
    statements = [*modern_tls_only(bucket), never_deleted(bucket)]
    for service, found in DELIVERIES.items():
        name = "".join(word.capitalize() for word in service.split("_"))
        bounds = _bounds(found, account, region)
        acl: Condition = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}} if found.acl else {}
        statements.append(
            Statement(
                f"{name}Deliver",
                "Allow",
                ["s3:PutObject"],
                (f"arn:aws:s3:::{bucket}/{path(service, account)}",),
                {"Service": [found.principal]},
                merge(bounds, acl),
            )
        )
    looking = {(d.principal, d.source) for d in DELIVERIES.values() if d.source}
    for principal, source in sorted(looking):
        statements.append(
            Statement(
                f"{principal.split('.')[0].capitalize()}Looks",
                "Allow",
                ["s3:GetBucketAcl", "s3:ListBucket"],
                (f"arn:aws:s3:::{bucket}",),
                {"Service": [principal]},
                _of(source, account, region),
            )
        )
    return document(statements)


def trail_bucket(bucket: str, account: str, region: str, key_arn: str) -> Document:
    """CloudTrail of this account may write under its path, encrypted with the trail's key; nobody deletes.

    CloudTrail User Guide, "Amazon S3 bucket policy for CloudTrail".
    """
    trails: Condition = merge(
        of_account(account),
        {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudtrail:{region}:{account}:trail/*"}},
    )
    service = {"Service": ["cloudtrail.amazonaws.com"]}
    acl: Condition = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}
    return document(
        [
            *modern_tls_only(bucket),
            *no_other_encryption(bucket, key_arn),
            never_deleted(bucket),
            Statement(
                "TrailLooks", "Allow", ["s3:GetBucketAcl"], (f"arn:aws:s3:::{bucket}",), service, trails
            ),
            Statement(
                "TrailDelivers",
                "Allow",
                ["s3:PutObject"],
                (f"arn:aws:s3:::{bucket}/AWSLogs/{account}/*",),
                service,
                merge(trails, acl),
            ),
        ]
    )


def findings_bucket(bucket: str, account: str, region: str, key_arn: str) -> Document:
    """GuardDuty of this account may write findings under `findings/`, with their key only; nobody deletes.

    Under `lists/` lie the address lists that GuardDuty reads, under SSE-S3: it reads them by a role of its
    own, which could not use a key of ours. Amazon GuardDuty User Guide, "Exporting generated findings to
    Amazon S3" (read 2026-11).
    """
    bounds: Condition = merge(
        of_account(account),
        {"ArnLike": {"aws:SourceArn": f"arn:aws:guardduty:{region}:{account}:detector/*"}},
    )
    service = {"Service": ["guardduty.amazonaws.com"]}
    return document(
        [
            *modern_tls_only(bucket),
            *no_other_encryption(bucket, key_arn, "findings/*"),
            never_deleted(bucket),
            Statement(
                "GuardDutyLooks",
                "Allow",
                ["s3:GetBucketLocation"],
                (f"arn:aws:s3:::{bucket}",),
                service,
                bounds,
            ),
            Statement(
                "GuardDutyDelivers",
                "Allow",
                ["s3:PutObject"],
                (f"arn:aws:s3:::{bucket}/findings/AWSLogs/{account}/*",),
                service,
                bounds,
            ),
        ]
    )


def _bounds(found: Delivery, account: str, region: str) -> Condition:
    return {} if found.source is None else _of(found.source, account, region)


def _of(source: str | None, account: str, region: str) -> Condition:
    pattern = (source or "").format(region=region, account=account)
    return merge(of_account(account), {"ArnLike": {"aws:SourceArn": pattern}})
