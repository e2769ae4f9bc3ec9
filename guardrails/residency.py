"""Nothing is created, replicated or reached outside the allowed regions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardrails.model import UNKNOWN, Bounds, Finding, Guardrail, Planned, at, listed, of_type
from guardrails.provider import PROVIDER

# Inputs that name a region, of any resource: its own (provider v7), the other end of a peering, an
# endpoint's service, the regions of a trail, a backup's copy or an aggregator.
REGION_INPUT = re.compile(r"(^|[a-z])[rR]egions?$")
REGION_NAME = re.compile(r"(?<![a-z0-9-])[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d(?![0-9])")
REGIONAL_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:([a-z0-9-]+):")
# A host name of AWS that carries a region: an endpoint, a queue, a bucket's own address.
REGIONAL_HOST = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?")
# A statement in a policy speaks of regions in order to forbid them.
_ABOUT_REGIONS = ("aws:RequestedRegion",)
LOOKUP = "lookup:"
BUCKET = "aws:s3/bucket:Bucket"
REPLICATION = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"


def in_region(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """The provider stands in the stack's region, and that region is an allowed one."""
    for found in of_type(resources, PROVIDER):
        region = at(found["inputs"], "region")
        if region != bounds.region or region not in bounds.allowed_regions:
            yield Finding(
                "residency-provider",
                found["urn"],
                f"region is {region!r}",
                f"use {bounds.region}, one of {', '.join(sorted(bounds.allowed_regions))}",
            )


def inputs_in_region(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """No input of a resource names another region: as a region, a zone, an endpoint's service or an ARN."""
    for resource in resources:
        if not resource["type"].startswith("aws:"):
            continue
        for where, region in regions_of(resource):
            if region not in bounds.allowed_regions:
                yield Finding(
                    "residency-input",
                    resource["urn"],
                    f"{where} names the region {region!r}",
                    f"keep to {', '.join(sorted(bounds.allowed_regions))}",
                )


def replicas_in_region(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """Objects are replicated into a bucket of this plan, or into one whose key lies in an allowed region.

    A bucket's ARN names no region, its key's does, and S3 wants both in one. A target whose region nobody can
    tell is refused.
    """
    buckets = {found["urn"]: found["inputs"].get("bucket") for found in of_type(resources, BUCKET)}
    ours = {f"arn:aws:s3:::{name}" for name in buckets.values() if name not in UNKNOWN}
    for resource in of_type(resources, REPLICATION):
        made_here = set(resource.get("depends", {}).get("rules", [])) & set(buckets)
        for rule in listed(resource["inputs"].get("rules")):
            target = at(rule, "destination.bucket")
            key = at(rule, "destination.encryptionConfiguration.replicaKmsKeyId")
            regions = REGIONAL_ARN.findall(key) if isinstance(key, str) else []
            if target in ours or (target in UNKNOWN and made_here):
                continue
            if not regions or regions[0] not in bounds.allowed_regions:
                place = f"in {regions[0]!r}" if regions else "in a region that no key tells"
                yield Finding(
                    "residency-replica",
                    resource["urn"],
                    f"it copies to {target or 'a bucket not known yet'} {place}",
                    f"copy to {', '.join(sorted(bounds.allowed_regions))}, with a key there",
                )


def no_copies_elsewhere(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """No key, image or snapshot that exists in order to be in two regions."""
    for resource in of_type(
        resources,
        "aws:kms/replicaKey:ReplicaKey",
        "aws:ec2/amiCopy:AmiCopy",
        "aws:ebs/snapshotCopy:SnapshotCopy",
    ):
        yield Finding(
            "residency-copy", resource["urn"], "it copies data to another place", "keep data in its region"
        )
    for key in of_type(resources, "aws:kms/key:Key"):
        if at(key["inputs"], "multiRegion"):
            yield Finding("residency-copy", key["urn"], "multiRegion is set", "use a key of one region")


def lookups_in_region(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """No look-up asks another region, or asks through anything but the stack's provider."""
    providers = {found["urn"] for found in of_type(resources, PROVIDER)}
    for lookup in (resource for resource in resources if resource["type"].startswith(LOOKUP)):
        if lookup["provider"].rpartition("::")[0] not in providers:
            yield Finding(
                "residency-lookup", lookup["urn"], "no explicit provider", "pass opts with the provider"
            )
        for where, region in regions_of(lookup):
            if region not in bounds.allowed_regions:
                yield Finding(
                    "residency-lookup", lookup["urn"], f"{where} names {region!r}", "ask in the region"
                )


def regions_of(resource: Planned) -> Iterator[tuple[str, str]]:
    """Every region that an input names, at any depth, and the path where it does."""
    for path, name, text in _texts(resource["inputs"], "", ""):
        if REGION_INPUT.search(name) and REGION_NAME.fullmatch(text):
            yield path, text
        elif name in ("availabilityZone", "availabilityZones", "serviceName"):
            yield from ((path, region) for region in REGION_NAME.findall(text))
        else:
            yield from (
                (path, region) for region in REGIONAL_ARN.findall(text) if REGION_NAME.fullmatch(region)
            )
            for host in REGIONAL_HOST.findall(text):
                yield from ((path, region) for region in REGION_NAME.findall(host.replace(".", " ")))


def _texts(value: Any, path: str, name: str) -> Iterator[tuple[str, str, str]]:
    """(path, nearest key, text) of every text; a list's items bear the list's key."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in _ABOUT_REGIONS:
                yield from _texts(item, f"{path}.{key}" if path else str(key), str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}.{index}", name)
    elif isinstance(value, str):
        yield path, name, value


GUARDRAILS: tuple[Guardrail, ...] = (
    in_region,
    inputs_in_region,
    lookups_in_region,
    replicas_in_region,
    no_copies_elsewhere,
)
