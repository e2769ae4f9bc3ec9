"""AWS Shield Advanced: nothing is protected without the subscription that somebody pays for.

AWS Shield Advanced API reference, CreateProtection: ResourceNotFoundException without a subscription.
"""

from __future__ import annotations

from typing import Any

from moto.shield.models import ShieldBackend

from twin.account.extensions.placing import place


def install() -> None:
    """Ask for the subscription first."""
    create = ShieldBackend.create_protection

    def create_protection(self: Any, name: str, resource_arn: str, tags: Any) -> str:
        self.describe_subscription()
        made: str = create(self, name, resource_arn, tags or [])
        return made

    place(ShieldBackend, create_protection=create_protection)
