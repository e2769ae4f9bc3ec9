"""Nothing is created, replicated or reached outside the allowed regions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from guardrails.model import Bounds, Finding, Guardrail, Planned, at, of_type
from guardrails.provider import PROVIDER

# Inputs that name a region, of any resource: its own (provider v7), the other end of a peering, an
# endpoint's service.
REGION_INPUTS = ("region", "peerRegion", "serviceRegion")
REGION_NAME = re.compile(r"(?<![a-z0-9-])[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d(?![0-9])")
REGIONAL_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:([a-z0-9-]+):")


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
        for where, region in _regions(resource):
            if region not in bounds.allowed_regions:
                yield Finding(
                    "residency-input",
                    resource["urn"],
                    f"{where} names the region {region!r}",
                    f"keep to {', '.join(sorted(bounds.allowed_regions))}",
                )


def no_copies_elsewhere(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """No resource whose purpose is a copy in another region, until a rule here can judge its target."""
    for resource in of_type(
        resources,
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
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


def _regions(resource: Planned) -> Iterator[tuple[str, str]]:
    inputs = resource["inputs"]
    for name in REGION_INPUTS:
        if isinstance(inputs.get(name), str):
            yield name, inputs[name]
    for name in ("availabilityZone", "serviceName"):
        value = inputs.get(name)
        if isinstance(value, str):
            yield from ((name, region) for region in REGION_NAME.findall(value))
    for name, value in inputs.items():
        if name.endswith(("Arn", "KeyId", "Destination")) and isinstance(value, str):
            yield from ((name, region) for region in REGIONAL_ARN.findall(value))


GUARDRAILS: tuple[Guardrail, ...] = (in_region, inputs_in_region, no_copies_elsewhere)
