"""The machine images of a stack, registered under their pinned ids: moto's own catalogue is left out."""

from __future__ import annotations

from collections.abc import Mapping

from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami


def offer(account: str, region: str, images: Mapping[str, str]) -> None:
    """Make images (id → owner's account) visible in a region, as a public Debian image looks there."""
    backend = ec2_backends[account][region]
    for identity, owner in images.items():
        backend.amis[identity] = Ami(
            backend,
            identity,
            name=f"debian-12-amd64-{identity.removeprefix('ami-')}",
            description="Debian 12 (bookworm)",
            owner_id=owner,
            public=True,
            virtualization_type="hvm",
            architecture="x86_64",
            root_device_type="ebs",
            root_device_name="/dev/xvda",
            hypervisor="xen",
            image_type="machine",
            region_name=f"{region}a",
        )
