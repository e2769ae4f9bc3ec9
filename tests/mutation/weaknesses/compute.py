"""Weaknesses of the compute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, account, node_of, pairs


def new_volumes_in_clear(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    ec2.disable_ebs_encryption_by_default()
    zone = node_of(live, "edge")["zone"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=1, Encrypted=False)["VolumeId"]
    yield account(live, "ACC-003") | pairs(f"volume/{volume}", "CMP-002", "BAK-005")
    ec2.delete_volume(VolumeId=volume)
    ec2.enable_ebs_encryption_by_default()


def old_metadata_by_default(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    ec2.modify_instance_metadata_defaults(HttpTokens="optional")
    yield account(live, "ACC-004")
    ec2.modify_instance_metadata_defaults(HttpTokens="required")


def snapshots_may_be_shared(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    ec2.disable_snapshot_block_public_access()
    yield account(live, "ACC-005")
    ec2.enable_snapshot_block_public_access(State="block-all-sharing")


def old_metadata_on_a_node(live: Any) -> Iterator[Pairs]:
    ec2, node = live.client("ec2"), node_of(live, "archive")
    ec2.modify_instance_metadata_options(InstanceId=node["instance_id"], HttpTokens="optional")
    yield pairs(f"instance/{node['name']}", "CMP-001")
    ec2.modify_instance_metadata_options(InstanceId=node["instance_id"], HttpTokens="required")


def internal_node_with_a_public_address(live: Any) -> Iterator[Pairs]:
    ec2, node = live.client("ec2"), node_of(live, "app")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    held = ec2.associate_address(AllocationId=address, InstanceId=node["instance_id"])["AssociationId"]
    yield pairs(f"instance/{node['name']}", "CMP-003") | account(live, "NET-015")
    ec2.disassociate_address(AssociationId=held)
    ec2.release_address(AllocationId=address)


WEAKNESSES: tuple[Weakness, ...] = (
    new_volumes_in_clear,
    old_metadata_by_default,
    snapshots_may_be_shared,
    old_metadata_on_a_node,
    internal_node_with_a_public_address,
)
