"""Nothing of this stack lies outside the regions its customers were promised. Rows M2, D1."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from verify.account import Account
from verify.subjects import Resource

Region = dict[str, Any]
Find = Callable[[str], list[Resource]]


def _arns(value: object) -> list[str]:
    if isinstance(value, dict):
        return [arn for part in value.values() for arn in _arns(part)]
    if isinstance(value, list):
        return [arn for part in value for arn in _arns(part)]
    return re.findall(r"arn:aws[a-z-]*:[^\s\"',]+", value) if isinstance(value, str) else []


@pytest.mark.control("STK-REG-001")
def test_we_look_at_the_account_that_was_meant(aws: Account, region: Region) -> None:
    account = aws.need("sts", "get_caller_identity")["Account"]
    assert account == str(region["account"]), f"these credentials belong to {account}"


@pytest.mark.control("STK-REG-002")
def test_everything_the_region_names_lies_in_an_allowed_region(region: Region) -> None:
    assert region["region"] in region["allowed_regions"], f"{region['region']} is not allowed"
    outside = [arn for arn in _arns(region) if arn.split(":")[3] not in {"", *region["allowed_regions"]}]
    assert not outside, f"outside: {', '.join(outside)}"
    zones = {subnet["zone"] for vpc in region["vpcs"].values() for subnet in vpc["subnets"].values()}
    strange = {zone for zone in zones if not zone.startswith(region["region"])}
    assert not strange, f"zones of another region: {', '.join(sorted(strange))}"


@pytest.mark.control("STK-REG-003")
def test_no_compute_or_network_stands_in_another_region(aws: Account, region: Region) -> None:
    enabled = {r["RegionName"] for r in aws.need("ec2", "describe_regions")["Regions"]}
    for other in sorted(enabled - set(region["allowed_regions"])):
        reservations = aws.need("ec2", "describe_instances", region=other)["Reservations"]
        running = [
            i["InstanceId"]
            for r in reservations
            for i in r["Instances"]
            if i["State"]["Name"] != "terminated"
        ]
        assert not running, f"{other}: instances {', '.join(running)}"
        volumes = [v["VolumeId"] for v in aws.need("ec2", "describe_volumes", region=other)["Volumes"]]
        assert not volumes, f"{other}: volumes {', '.join(volumes)}"
        vpcs = [
            v["VpcId"] for v in aws.need("ec2", "describe_vpcs", region=other)["Vpcs"] if not v["IsDefault"]
        ]
        assert not vpcs, f"{other}: VPCs {', '.join(vpcs)}"


@pytest.mark.control("STK-REG-004")
def test_every_bucket_lies_in_an_allowed_region(bucket: Resource, aws: Account, region: Region) -> None:
    where = (
        aws.need("s3", "get_bucket_location", Bucket=bucket["Name"]).get("LocationConstraint") or "us-east-1"
    )
    assert where in region["allowed_regions"], f"it lies in {where}"


@pytest.mark.control("STK-REG-005")
def test_no_bucket_copies_its_objects_out_of_the_allowed_regions(
    bucket: Resource, aws: Account, region: Region, resources: Find
) -> None:
    absent = ("ReplicationConfigurationNotFoundError",)
    ours = {other["Name"] for other in resources("bucket") if other.data}
    found = aws.read("s3", "get_bucket_replication", absent=absent, Bucket=bucket["Name"])
    rules = found["ReplicationConfiguration"]["Rules"] if found else []
    for rule in (rule for rule in rules if rule["Status"] == "Enabled"):
        target = rule["Destination"]["Bucket"].split(":")[-1]
        if target in ours:
            found = aws.need("s3", "get_bucket_location", Bucket=target)
            where = found.get("LocationConstraint") or "us-east-1"
        else:
            # A bucket of another account is not ours to ask; S3 wants its key in the bucket's own region.
            key = rule["Destination"].get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID", "")
            assert key, f"objects are copied to {target}, and no key tells in which region it lies"
            where = key.split(":")[3]
        assert where in region["allowed_regions"], f"objects are copied to {target} in {where}"


@pytest.mark.control("STK-REG-006")
def test_keys_do_not_exist_in_other_regions(key: Resource) -> None:
    assert key.get("MultiRegion") in (None, False), "a multi-region key's material leaves the region"
