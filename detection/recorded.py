"""What the trail records, as data (no Pulumi import).

Every management event of every service, reading and writing: also those of KMS and of the RDS Data API, which
CloudTrail would let one exclude. Each use of a key is in there, and the first copy of management events costs
nothing. Of data events only those of S3 objects worth a question afterwards: who read this customer's file?
Those of Lambda are left out: nothing here keeps data in functions, and their calls are management events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.names import bucket_name, class_bucket

Fields = Mapping[str, Mapping[str, Sequence[str]]]
# What replication itself does in the archive, for each object once; the source's own record says as much.
REPLICATION = ("PutObject", "PutObjectTagging")


@dataclass(frozen=True)
class Selector:
    """One advanced event selector: field → operator (equals, not_equals, starts_with) → values."""

    name: str
    fields: Fields


def trail_name(stack: str) -> str:
    """The trail's name: stable, since policies name it."""
    return f"stockade-{stack}"


def trail_arn(account: str, region: str, stack: str) -> str:
    """The trail's ARN, before there is one."""
    return f"arn:aws:cloudtrail:{region}:{account}:trail/{trail_name(stack)}"


def stream_pattern(account: str, region: str, stack: str) -> str:
    """The log streams that CloudTrail makes in the trail's log group (CloudTrail User Guide, "Role policy
    document for CloudTrail to use CloudWatch Logs").
    """
    group = f"arn:aws:logs:{region}:{account}:log-group:/stockade/{stack}/trail"
    return f"{group}:log-stream:{account}_CloudTrail_{region}*"


def selectors(stack: str, account: str, critical: Sequence[str]) -> list[Selector]:
    """The selectors of a trail. `critical`: data classes of which each access to an object is recorded, in
    the buckets of today's customers and of those to come.
    """
    names = [_class_prefix(stack, account, name) for name in sorted(critical)]
    watched = [*names, f"{bucket_name(stack, account, 'evidence')}/"]
    archived = [f"{bucket_name(stack, account, 'archive')}/"]
    others: Fields = {**_objects(archived), "eventName": {"not_equals": REPLICATION}}
    return [
        Selector("every management event", {"eventCategory": {"equals": ["Management"]}}),
        Selector("objects that matter", _objects(watched)),
        Selector("the archive, but for its replication", others),
    ]


def _class_prefix(stack: str, account: str, data_class: str) -> str:
    """What the names of all buckets of a class begin with, the shared one and customers' own."""
    return class_bucket(stack, account, data_class).removesuffix(account)


def _objects(names: Sequence[str]) -> dict[str, Mapping[str, Sequence[str]]]:
    return {
        "eventCategory": {"equals": ["Data"]},
        "resources.type": {"equals": ["AWS::S3::Object"]},
        # A whole bucket ends in a slash, which keeps out one whose name begins the same.
        "resources.ARN": {"starts_with": [f"arn:aws:s3:::{name}" for name in names]},
    }
