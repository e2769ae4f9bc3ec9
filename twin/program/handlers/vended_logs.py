"""Resource policies of CloudWatch Logs: which AWS service may write into which log groups."""

from __future__ import annotations

from typing import Any

from twin.program.handlers.spec import Call, Plain, Spec


class ResourcePolicy(Spec):
    """A policy of the region's log groups; its name is its id."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """Putting is creating."""
        return {"policyName": call.inputs["policyName"], "policyDocument": call.inputs["policyDocument"]}

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The policy of exactly this name."""
        found = call.client("logs").describe_resource_policies()["resourcePolicies"]
        return next((dict(policy) for policy in found if policy["policyName"] == identity), None)

    def can_change(self, changed: set[str]) -> bool:
        """The document."""
        return changed <= {"policyDocument"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Put again."""
        client = call.client("logs")
        client.put_resource_policy(**self.create_params(client, call))


SPECS = (
    ResourcePolicy(
        type="aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
        service="logs",
        create="put_resource_policy",
        made="=policyName",
        delete="delete_resource_policy",
        delete_by="policyName",
        name_input="policyName",
        exclusive=True,
    ),
)
