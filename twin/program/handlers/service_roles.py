"""Roles that belong to an AWS service: made once, their policies are AWS's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin.program.handlers.spec import Call, Plain, Setting, Spec


def _description(call: Call, identity: str) -> None:
    name = identity.rsplit("/", 1)[-1]
    call.client("iam").update_role_description(
        RoleName=name, Description=call.inputs.get("description") or ""
    )


@dataclass(frozen=True, kw_only=True)
class ServiceLinkedRole(Spec):
    """The role of one service; its ARN is its id."""

    def settle(self, call: Call, identity: str) -> None:
        """CreateServiceLinkedRole takes the description, and no tags."""
        if call.tags:
            self.retag(call, identity)

    def create_params(self, client: Any, call: Call) -> Plain:
        """Tags have an operation of their own."""
        parameters = super().create_params(client, call)
        if call.inputs.get("description"):
            parameters["Description"] = call.inputs["description"]
        parameters.pop(self.tags_as, None)
        return parameters

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """GetRole takes the name."""
        client = call.client("iam")
        try:
            found = dict(client.get_role(RoleName=identity.rsplit("/", 1)[-1])["Role"])
        except client.exceptions.NoSuchEntityException:
            return None
        return found

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        client, name = call.client("iam"), identity.rsplit("/", 1)[-1]
        found = client.list_role_tags(RoleName=name)["Tags"]
        stale = [tag["Key"] for tag in found if tag["Key"] not in call.tags]
        if stale:
            client.untag_role(RoleName=name, TagKeys=stale)
        client.tag_role(RoleName=name, Tags=[{"Key": k, "Value": v} for k, v in sorted(call.tags.items())])

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """DeleteServiceLinkedRole."""
        client = call.client("iam")
        try:
            client.delete_service_linked_role(RoleName=identity.rsplit("/", 1)[-1])
        except client.exceptions.NoSuchEntityException:
            return


def _facts(_call: Call, identity: str, item: Plain) -> Plain:
    service = item["Path"].strip("/").rsplit("/", 1)[-1]
    return {"arn": identity, "name": item["RoleName"], "path": item["Path"], "awsServiceName": service}


SPECS = (
    ServiceLinkedRole(
        type="aws:iam/serviceLinkedRole:ServiceLinkedRole",
        service="iam",
        create="create_service_linked_role",
        made="Role.Arn",
        rename={"awsServiceName": "AWSServiceName"},
        exclusive=True,
        tags_as="Tags",
        after=(Setting(("description",), _description),),
        more=_facts,
    ),
)
