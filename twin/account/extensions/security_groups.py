"""Security groups: the default group's own rule, and descriptions of every kind of rule.

Amazon VPC User Guide, "Default security groups for your VPCs": inbound, all protocols and ports, source the
group itself; outbound, everything. EC2 API reference, SecurityGroupRule: a description whatever the source
is.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule

from twin.account.extensions.placing import place


def install() -> None:
    """Give default groups their self-rule when they are created; keep descriptions."""
    _keep_descriptions()
    original = SecurityGroupBackend.create_security_group

    def create_security_group(self: Any, *args: Any, **kwargs: Any) -> Any:
        group = original(self, *args, **kwargs)
        if kwargs.get("is_default"):
            own = [{"GroupId": group.id, "UserId": group.owner_id}]
            self.authorize_security_group_ingress(group.id, "-1", None, None, [], source_groups=own)
        return group

    place(SecurityGroupBackend, create_security_group=create_security_group)


def _keep_descriptions() -> None:
    original = SecurityGroupRule.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        listed = kwargs.get("prefix_list_id", args[7] if len(args) > 7 else None) or {}
        self.prefix_list_description = listed.get("Description")

    def description(self: Any) -> Any:
        sources = (self.ip_range, self.source_group)
        said = [source["Description"] for source in sources if source.get("Description")]
        return said[0] if said else self.prefix_list_description

    place(SecurityGroupRule, __init__=__init__)
    place(SecurityGroupRule, description=property(description))
