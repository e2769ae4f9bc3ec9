"""Names of buckets: worldwide, so made of stack and account, and no longer than S3 takes. Pure.

Names of classes and customers hold single hyphens only (settings/rules_data.py), so that the two hyphens
between the parts can belong to nothing else: a pattern for one class matches no bucket of another.
"""

from __future__ import annotations

from fault import Fault

MOST = 63  # Amazon S3 User Guide, "General purpose bucket naming rules"
# AWS WAF logs into buckets whose names begin so, and into no other (AWS WAF Developer Guide, "Sending web ACL
# traffic logs to an Amazon S3 bucket"); load balancers, flow logs and the others take any name.
WAF_PREFIX = "aws-waf-logs-"


def bucket_name(stack: str, account: str, purpose: str) -> str:
    """The bucket of a purpose, e.g. `logs`."""
    prefix = WAF_PREFIX if purpose == "delivery" else ""
    name = f"{prefix}stockade-{stack}-{purpose}-{account}"
    if len(name) > MOST:
        raise Fault(
            f"a bucket would be named {name}", f"S3 takes {MOST} characters", "shorten the stack or customer"
        )
    return name


def class_bucket(stack: str, account: str, data_class: str, customer: str | None = None) -> str:
    """The bucket of a data class: the shared one, or a customer's own."""
    own = f"--{customer}" if customer else ""
    return bucket_name(stack, account, f"-{data_class}{own}")


def class_patterns(stack: str, account: str, data_class: str) -> tuple[str, str]:
    """ARN patterns of all buckets of a class, whichever customers there are and will be."""
    shared = class_bucket(stack, account, data_class)
    return f"arn:aws:s3:::{shared}", f"arn:aws:s3:::{class_bucket(stack, account, data_class, '*')}"


def bucket_patterns(stack: str, account: str) -> tuple[str, str]:
    """ARN patterns of every bucket of a stack."""
    return tuple(f"arn:aws:s3:::{prefix}stockade-{stack}-*-{account}" for prefix in ("", WAF_PREFIX))  # type: ignore[return-value]


def copier_name(stack: str, customer: str) -> str:
    """The role that copies a customer's objects to its own archive; stated, since the customer names it."""
    return f"stockade-{stack}-copy-{customer}"


def copier_arn(stack: str, account: str, customer: str) -> str:
    """The ARN of that role, known before it is made."""
    return f"arn:aws:iam::{account}:role/stockade/{stack}/{copier_name(stack, customer)}"


def archive_copier_name(stack: str) -> str:
    """The role that copies logs and evidence into the locked archive; no customer can be named so."""
    return f"stockade-{stack}-archive"


def archive_copier_arn(stack: str, account: str) -> str:
    """The ARN of that role, known before it is made."""
    return f"arn:aws:iam::{account}:role/stockade/{stack}/{archive_copier_name(stack)}"


def administrators(stack: str, account: str) -> tuple[str, ...]:
    """Who may change how buckets are kept: the platform team, break-glass, and the root user for recovery.

    The names are those of iam/teams.py. Whoever provisions a stack for the first time may be somebody else:
    the policy of a bucket is the last thing it gets.
    """
    roles = (f"role/stockade-teams/{stack}/{stack}-{team}" for team in ("break-glass", "platform"))
    return tuple(f"arn:aws:iam::{account}:{who}" for who in (*roles, "root"))
