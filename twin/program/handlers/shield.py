"""AWS Shield Advanced: a protection of one resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin.program.handlers.spec import Call, Plain, Spec, tag_list, tags_of


@dataclass(frozen=True, kw_only=True)
class Protection(Spec):
    """CreateProtection; it needs the organisation's subscription."""

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The protection with its tags."""
        found = super().fetch(call, identity)
        if found is None:
            return None
        tags = call.client("shield").list_tags_for_resource(ResourceARN=found["ProtectionArn"])["Tags"]
        return {**found, "Tags": tags}

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        found = self.fetch(call, identity)
        if found is None:
            return
        client: Any = call.client("shield")
        stale = set(tags_of(found)) - set(call.tags)
        if stale:
            client.untag_resource(ResourceARN=found["ProtectionArn"], TagKeys=sorted(stale))
        if call.tags:
            client.tag_resource(ResourceARN=found["ProtectionArn"], Tags=tag_list(call.tags))


SPECS = (
    Protection(
        type="aws:shield/protection:Protection",
        service="shield",
        create="create_protection",
        made="ProtectionId",
        read="describe_protection",
        by="ProtectionId",
        item="Protection",
        delete="delete_protection",
        delete_by="ProtectionId",
        tags_as="Tags",
        outputs={"arn": "ProtectionArn"},
    ),
)
