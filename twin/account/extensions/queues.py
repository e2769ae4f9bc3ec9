"""SQS: a policy survives other changes, and a key of ours replaces the service's own.

SQS API reference, SetQueueAttributes: only the named attributes change. GetQueueAttributes:
SqsManagedSseEnabled says whether the keys are the service's; with KmsMasterKeyId they are not.
"""

from __future__ import annotations

from typing import Any

from moto.sqs.models import Queue

from twin.account.extensions.placing import place


def install() -> None:
    """Wrap the one function that sets attributes."""
    set_attributes = Queue._set_attributes

    def keeping(self: Any, attributes: dict[str, Any], now: float | None = None) -> None:
        before = getattr(self, "policy", None)
        set_attributes(self, attributes, now)
        if "Policy" not in attributes:
            self.policy = before
        self.sqs_managed_sse_enabled = not self.kms_master_key_id and _on(self.sqs_managed_sse_enabled)

    place(Queue, _set_attributes=keeping)


def _on(value: Any) -> bool:
    return str(value).lower() == "true"
