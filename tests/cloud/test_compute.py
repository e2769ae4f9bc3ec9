"""Instances, their volumes and templates. Rows M5, M10, M26, D1."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from verify.account import Account
from verify.evidence import redact
from verify.subjects import Resource

Region = dict[str, Any]
Find = Callable[[str], list[Resource]]

PUBLIC_KEY = re.compile(r"\b((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+)\s+([A-Za-z0-9+/]+={0,2})")
# Anything but a plain no; cloud-init takes true, yes, on and 1 alike.
PASSWORD_LOGIN = re.compile(r"ssh_pwauth[\"']?\s*:(?!\s*[\"']?(?:false|no|off|0)\b)", re.IGNORECASE)


@pytest.fixture
def planned(instance: Resource) -> Region:
    assert instance.expected is not None, f"{instance['InstanceId']} is in no plan"
    return instance.expected


@pytest.mark.control("STK-CMP-001")
def test_metadata_needs_a_session_token_and_does_not_leave_the_node(instance: Resource) -> None:
    options = instance.get("MetadataOptions", {})
    assert options.get("HttpTokens") == "required", f"HttpTokens is {options.get('HttpTokens', 'not set')}"
    assert options.get("HttpPutResponseHopLimit") == 1, f"hop limit {options.get('HttpPutResponseHopLimit')}"


@pytest.mark.control("STK-CMP-002")
def test_every_volume_is_encrypted_with_our_own_key(volume: Resource, region: Region) -> None:
    assert volume["Encrypted"] is True, "the volume is clear"
    ours = {arn.split("/")[-1] for arn in region["keys"].values()}
    assert volume.get("KmsKeyId", "").split("/")[-1] in ours, f"its key is {volume.get('KmsKeyId', 'of AWS')}"


@pytest.mark.control("STK-CMP-003")
def test_only_nodes_of_the_public_tier_have_a_public_address(instance: Resource, planned: Region) -> None:
    shown = {i["Association"]["PublicIp"] for i in instance["NetworkInterfaces"] if i.get("Association")}
    shown |= {instance["PublicIpAddress"]} if instance.get("PublicIpAddress") else set()
    if planned["tier"] == "public":
        stated = planned.get("public_address")
        assert shown <= {stated}, f"it shows {sorted(shown)}, planned {stated}"
    else:
        assert not shown, f"an internal node is reachable at {', '.join(sorted(shown))}"


@pytest.mark.control("STK-CMP-004")
def test_a_node_stands_where_the_plan_puts_it(instance: Resource, planned: Region, region: Region) -> None:
    subnet = region["vpcs"][planned["vpc"]]["subnets"][planned["subnet"]]
    found = (instance["SubnetId"], instance["Placement"]["AvailabilityZone"], instance["PrivateIpAddress"])
    assert found == (subnet["id"], planned["zone"], planned["address"]), f"subnet, zone, address are {found}"
    assert instance["State"]["Name"] == "running", f"it is {instance['State']['Name']}"


@pytest.mark.control("STK-CMP-005")
def test_a_node_is_watched_every_minute(instance: Resource) -> None:
    assert instance["Monitoring"]["State"] in ("enabled", "pending"), (
        f"monitoring is {instance['Monitoring']['State']}"
    )


@pytest.mark.control("STK-CMP-006")
def test_a_node_has_the_security_group_of_its_role_only(instance: Resource, planned: Region) -> None:
    groups = {g["GroupId"] for i in instance["NetworkInterfaces"] for g in i["Groups"]}
    assert groups == {planned["security_group"]}, f"it has {sorted(groups)}"


@pytest.mark.control("STK-CMP-011")
def test_a_node_has_one_interface_for_its_own_packets(instance: Resource) -> None:
    interfaces = instance["NetworkInterfaces"]
    assert len(interfaces) == 1, f"it has {len(interfaces)} interfaces"
    checked = [instance.get("SourceDestCheck"), *(i.get("SourceDestCheck") for i in interfaces)]
    assert all(check is True for check in checked), "it may send and take packets of other addresses"


@pytest.mark.control("STK-CMP-007")
def test_a_template_starts_hardened_instances_only(launch_template: Resource) -> None:
    options = launch_template.get("MetadataOptions", {})
    assert options.get("HttpTokens") == "required" and options.get("HttpPutResponseHopLimit") == 1, (
        f"{options}"
    )
    disks = [m["Ebs"] for m in launch_template.get("BlockDeviceMappings", []) if "Ebs" in m]
    assert disks and all(disk.get("Encrypted") and disk.get("KmsKeyId") for disk in disks), (
        "a volume is clear"
    )
    assert launch_template.get("Monitoring", {}).get("Enabled") is True, "no monitoring"


@pytest.mark.control("STK-CMP-015")
def test_a_template_gives_no_public_address(launch_template: Resource) -> None:
    shown = [i for i in launch_template.get("NetworkInterfaces", []) if i.get("AssociatePublicIpAddress")]
    assert not shown, "what it starts is on the internet, whatever its subnet says"


def _without_public_key(found: re.Match[str]) -> str:
    """A public key is no secret, but its base64 text may look like one; only a whole key is left out."""
    try:
        load_ssh_public_key(f"{found[1]} {found[2]}".encode())
    except (ValueError, UnsupportedAlgorithm):
        return found[0]
    return "[public key]"


@pytest.mark.control("STK-CMP-008")
def test_user_data_holds_no_secret_and_opens_no_password_login(launch_template: Resource) -> None:
    text = base64.b64decode(launch_template.get("UserData", "")).decode(errors="replace")
    text = PUBLIC_KEY.sub(_without_public_key, text)
    clean = redact(text) == text  # compared here: pytest would print both sides
    assert clean, "user data holds a secret; every process of the node can read it"
    assert not PASSWORD_LOGIN.search(text), "user data lets people log in by password"


@pytest.mark.control("STK-CMP-009")
def test_every_instance_is_planned_and_of_the_pinned_image(
    instance: Resource, planned: Region, aws: Account, resources: Find
) -> None:
    images = {other["ImageId"] for other in resources("instance") if other.expected}
    assert len(images) == 1, f"nodes come from {len(images)} images: {sorted(images)}"


@pytest.mark.control("STK-CMP-010")
def test_no_snapshot_or_image_of_ours_is_public(aws: Account, region: Region) -> None:
    own = [str(region["account"])]
    snapshots = aws.need("ec2", "describe_snapshots", OwnerIds=own)["Snapshots"]
    for snapshot in (snapshot for snapshot in snapshots if snapshot["OwnerId"] in own):
        shared = aws.need(
            "ec2",
            "describe_snapshot_attribute",
            SnapshotId=snapshot["SnapshotId"],
            Attribute="createVolumePermission",
        )
        assert not shared.get("CreateVolumePermissions"), f"{snapshot['SnapshotId']} is shared"
        assert snapshot["Encrypted"], f"{snapshot['SnapshotId']} is clear"
    public = [
        i["ImageId"] for i in aws.need("ec2", "describe_images", Owners=own)["Images"] if i.get("Public")
    ]
    assert not public, f"public images: {', '.join(public)}"
