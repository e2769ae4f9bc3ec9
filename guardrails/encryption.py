"""Everything at rest is encrypted under a rotated key of ours, and keeps its history for the stated time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrails.model import (
    UNKNOWN,
    Bounds,
    Finding,
    Guardrail,
    Planned,
    at,
    differing,
    listed,
    of_type,
    statements,
)

BUCKET = "aws:s3/bucket:Bucket"
COMPANIONS = {
    "encryption": "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "versioning": "aws:s3/bucketVersioning:BucketVersioning",
    "a policy": "aws:s3/bucketPolicy:BucketPolicy",
    "a lifecycle": "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
}


def buckets_complete(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Every bucket comes with encryption, versioning, a policy and a lifecycle."""
    for bucket in of_type(resources, BUCKET):
        for what, companion_type in COMPANIONS.items():
            if not any(companion_of(bucket, other) for other in of_type(resources, companion_type)):
                yield Finding(
                    "bucket-complete", bucket["urn"], f"it has no {what.removeprefix('a ')}", f"add {what}"
                )


def companion_of(bucket: Planned, other: Planned) -> bool:
    """Whether a bucket's satellite belongs to it: by name, or in the same component when the name is not
    known yet.
    """
    named, wanted = other["inputs"].get("bucket"), bucket["inputs"].get("bucket")
    if named not in UNKNOWN and wanted not in UNKNOWN:
        return bool(named == wanted)
    return other["parent"] == bucket["parent"] and other["name"] == bucket["name"]


def buckets_encrypted(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Default encryption is KMS with a bucket key, or SSE-S3; versioning is on."""
    for found in of_type(resources, COMPANIONS["encryption"]):
        default = "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm"
        algorithm = at(found["inputs"], default)
        if algorithm not in ("aws:kms", "aws:kms:dsse", "AES256"):
            yield Finding("bucket-encrypted", found["urn"], f"algorithm is {algorithm!r}", "use aws:kms")
        if algorithm == "aws:kms" and at(found["inputs"], "rules.0.bucketKeyEnabled") is not True:
            yield Finding("bucket-encrypted", found["urn"], "no bucket key", "set bucketKeyEnabled")
    for found in of_type(resources, COMPANIONS["versioning"]):
        for problem in differing(found["inputs"], {"versioningConfiguration.status": "Enabled"}):
            yield Finding("bucket-versioned", found["urn"], problem, "enable versioning")


def buckets_over_tls(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Every bucket policy refuses clear text and TLS older than 1.2, for everybody."""
    wanted = {
        "clear text": ("Bool", "aws:SecureTransport", "false"),
        "TLS before 1.2": ("NumericLessThan", "s3:TlsVersion", "1.2"),
    }
    for found in of_type(resources, COMPANIONS["a policy"]):
        if found["inputs"].get("policy") in UNKNOWN:
            continue  # not known before creation; judged on what was created
        denials = [s for s in statements(found["inputs"]["policy"]) if _denies_everybody(s)]
        for what, (operator, key, value) in wanted.items():
            if not any(listed(s.get("Condition", {}).get(operator, {}).get(key)) == [value] for s in denials):
                yield Finding("bucket-tls", found["urn"], f"does not refuse {what}", "deny it for everybody")


def _denies_everybody(statement: dict[str, object]) -> bool:
    everybody = statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    return statement.get("Effect") == "Deny" and everybody and "s3:*" in listed(statement.get("Action"))


def keys_rotate(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Keys rotate, and a deletion leaves the full thirty days to notice."""
    for key in of_type(resources, "aws:kms/key:Key"):
        for problem in differing(key["inputs"], {"enableKeyRotation": True, "deletionWindowInDays": 30}):
            yield Finding("key-rotates", key["urn"], problem, "rotate, and keep the longest window")


def logs_encrypted(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Log groups have a key and a retention."""
    for group in of_type(resources, "aws:cloudwatch/logGroup:LogGroup"):
        if "kmsKeyId" not in group["inputs"]:
            yield Finding("log-group-encrypted", group["urn"], "it has no key", "set kmsKeyId")
        if not group["inputs"].get("retentionInDays"):
            yield Finding("log-group-retention", group["urn"], "it has no retention", "set retentionInDays")


def volumes_encrypted(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Volumes are encrypted: those of templates, single ones, and by default whatever else starts."""
    encrypted = {"encrypted": True}
    for template in of_type(resources, "aws:ec2/launchTemplate:LaunchTemplate"):
        devices = listed(template["inputs"].get("blockDeviceMappings"))
        if not devices:
            yield Finding("volume-encrypted", template["urn"], "states no root volume", "state it, encrypted")
        for device in devices:
            for problem in differing(device.get("ebs", {}), encrypted):
                yield Finding("volume-encrypted", template["urn"], problem, "encrypt with the volume key")
    for volume in of_type(resources, "aws:ebs/volume:Volume"):
        for problem in differing(volume["inputs"], encrypted):
            yield Finding("volume-encrypted", volume["urn"], problem, "encrypt with the volume key")
    defaults = list(of_type(resources, "aws:ebs/encryptionByDefault:EncryptionByDefault"))
    if not any(at(found["inputs"], "enabled") is not False for found in defaults):
        yield Finding("volume-default", "-", "volumes are not encrypted by default", "enable it")


GUARDRAILS: tuple[Guardrail, ...] = (
    buckets_complete,
    buckets_encrypted,
    buckets_over_tls,
    keys_rotate,
    logs_encrypted,
    volumes_encrypted,
)
