"""A VPC's default security group admits its own members, as EC2 makes it.

Amazon VPC User Guide, "Default security groups for your VPCs": inbound, all protocols and ports, source the group
itself; outbound, everything.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.security_groups import SecurityGroupBackend


def install() -> None:
    """Give default groups their self-rule when they are created."""
    original = SecurityGroupBackend.create_security_group

    def create_security_group(self: Any, *args: Any, **kwargs: Any) -> Any:
        group = original(self, *args, **kwargs)
        if kwargs.get("is_default"):
            self.authorize_security_group_ingress(
                group.id, "-1", None, None, [], [{"GroupId": group.id, "UserId": group.owner_id}]
            )
        return group

    SecurityGroupBackend.create_security_group = create_security_group
