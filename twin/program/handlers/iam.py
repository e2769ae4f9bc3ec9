"""Roles, policies, instance profiles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Setting, Spec, tag_list, tags_of

_VERSIONS_KEPT = 5  # IAM quotas: a managed policy has at most five versions


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


@dataclass(frozen=True, kw_only=True)
class Tagged(Spec):
    """IAM has tag operations for each kind: `tag_role(RoleName=…)`."""

    word: str  # role, policy, instance_profile
    by_name: str  # RoleName, PolicyArn, InstanceProfileName

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        client, me = call.client("iam"), {self.by_name: identity}
        found = getattr(client, f"list_{self.word}_tags")(**me)
        stale = set(tags_of(found)) - set(call.tags)
        if stale:
            getattr(client, f"untag_{self.word}")(**me, TagKeys=sorted(stale))
        if call.tags:
            getattr(client, f"tag_{self.word}")(**me, Tags=tag_list(call.tags))


# ---------------------------------------------------------------------- roles
def _trust(call: Call, identity: str) -> None:
    document = _text(call.inputs["assumeRolePolicy"])
    call.client("iam").update_assume_role_policy(RoleName=identity, PolicyDocument=document)


def _duration(call: Call, identity: str) -> None:
    seconds = int(call.inputs.get("maxSessionDuration") or 3600)
    description = str(call.inputs.get("description") or "")
    call.client("iam").update_role(RoleName=identity, MaxSessionDuration=seconds, Description=description)


def _boundary(call: Call, identity: str) -> None:
    client, wanted = call.client("iam"), call.inputs.get("permissionsBoundary")
    if wanted:
        client.put_role_permissions_boundary(RoleName=identity, PermissionsBoundary=wanted)
    else:
        client.delete_role_permissions_boundary(RoleName=identity)


@dataclass(frozen=True, kw_only=True)
class Role(Tagged):
    """A role; CreateRole takes everything at once."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """The changeable inputs too, at birth."""
        parameters = super().create_params(client, call)
        given = call.inputs
        parameters["AssumeRolePolicyDocument"] = _text(given["assumeRolePolicy"])
        if given.get("description"):
            parameters["Description"] = given["description"]
        if given.get("maxSessionDuration"):
            parameters["MaxSessionDuration"] = int(given["maxSessionDuration"])
        if given.get("permissionsBoundary"):
            parameters["PermissionsBoundary"] = given["permissionsBoundary"]
        return parameters

    def settle(self, call: Call, identity: str) -> None:
        """Nothing left to do."""


def _role_facts(_call: Call, _identity: str, item: Plain) -> Plain:
    return {
        "assumeRolePolicy": _text(item["AssumeRolePolicyDocument"]),
        "permissionsBoundary": (item.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn"),
        "name": item["RoleName"],
        "uniqueId": item["RoleId"],
    }


@dataclass(frozen=True, kw_only=True)
class RolePolicy(Spec):
    """An inline policy of a role."""

    def make(self, call: Call) -> str:
        """Write it."""
        given = call.inputs
        call.client("iam").put_role_policy(
            RoleName=given["role"], PolicyName=given["name"], PolicyDocument=_text(given["policy"])
        )
        return f"{given['role']}:{given['name']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Read it."""
        role, name = identity.split(":", 1)
        try:
            found = call.client("iam").get_role_policy(RoleName=role, PolicyName=name)
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return {"Role": role, "Name": name, "Policy": _text(found["PolicyDocument"])}

    def can_change(self, changed: set[str]) -> bool:
        """The document."""
        return changed <= {"policy"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Write again."""
        self.make(call)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Remove it."""
        if self.fetch(call, identity) is not None:
            role, name = identity.split(":", 1)
            call.client("iam").delete_role_policy(RoleName=role, PolicyName=name)


# ---------------------------------------------------------------------- managed policies
def _new_version(call: Call, identity: str) -> None:
    client = call.client("iam")
    versions = client.list_policy_versions(PolicyArn=identity)["Versions"]
    if len(versions) >= _VERSIONS_KEPT:
        spare = [version for version in versions if not version["IsDefaultVersion"]]
        oldest = min(spare, key=lambda version: int(version["VersionId"][1:]))
        client.delete_policy_version(PolicyArn=identity, VersionId=oldest["VersionId"])
    document = _text(call.inputs["policy"])
    client.create_policy_version(PolicyArn=identity, PolicyDocument=document, SetAsDefault=True)


@dataclass(frozen=True, kw_only=True)
class Policy(Tagged):
    """A managed policy; its ARN is its id."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """The first version."""
        return super().create_params(client, call) | {"PolicyDocument": _text(call.inputs["policy"])}

    def settle(self, call: Call, identity: str) -> None:
        """Nothing left to do."""

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Spare versions first, then the policy."""
        client = call.client("iam")
        try:
            for version in client.list_policy_versions(PolicyArn=identity)["Versions"]:
                if not version["IsDefaultVersion"]:
                    client.delete_policy_version(PolicyArn=identity, VersionId=version["VersionId"])
            client.delete_policy(PolicyArn=identity)
        except ClientError as error:
            if not self.means_gone(error):
                raise


def _policy_facts(call: Call, identity: str, item: Plain) -> Plain:
    version = call.client("iam").get_policy_version(PolicyArn=identity, VersionId=item["DefaultVersionId"])
    return {
        "policy": _text(version["PolicyVersion"]["Document"]),
        "name": item["PolicyName"],
        "policyId": item["PolicyId"],
    }


@dataclass(frozen=True, kw_only=True)
class RoleAttachment(Spec):
    """A managed policy on a role."""

    def make(self, call: Call) -> str:
        """Attach."""
        given = call.inputs
        call.client("iam").attach_role_policy(RoleName=given["role"], PolicyArn=given["policyArn"])
        return f"{given['role']}/{given['policyArn']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """In the role's list."""
        role, arn = identity.split("/", 1)
        try:
            found = call.client("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        held = any(policy["PolicyArn"] == arn for policy in found)
        return {"Role": role, "PolicyArn": arn} if held else None

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Detach."""
        if self.fetch(call, identity) is not None:
            role, arn = identity.split("/", 1)
            call.client("iam").detach_role_policy(RoleName=role, PolicyArn=arn)


# ---------------------------------------------------------------------- instance profiles
def _put_role(call: Call, identity: str) -> None:
    client = call.client("iam")
    found = client.get_instance_profile(InstanceProfileName=identity)["InstanceProfile"]["Roles"]
    now, wanted = [role["RoleName"] for role in found], call.inputs.get("role")
    for role in now:
        if role != wanted:
            client.remove_role_from_instance_profile(InstanceProfileName=identity, RoleName=role)
    if wanted and wanted not in now:
        client.add_role_to_instance_profile(InstanceProfileName=identity, RoleName=wanted)


def _empty_profile(call: Call, identity: str, _outputs: Plain) -> None:
    client = call.client("iam")
    for role in client.get_instance_profile(InstanceProfileName=identity)["InstanceProfile"]["Roles"]:
        client.remove_role_from_instance_profile(InstanceProfileName=identity, RoleName=role["RoleName"])


def _profile_facts(_call: Call, _identity: str, item: Plain) -> Plain:
    roles = item.get("Roles") or []
    return {
        "name": item["InstanceProfileName"],
        "role": roles[0]["RoleName"] if roles else None,
        "uniqueId": item["InstanceProfileId"],
    }


SPECS = (
    Role(
        type="aws:iam/role:Role",
        service="iam",
        word="role",
        by_name="RoleName",
        create="create_role",
        made="Role.RoleName",
        read="get_role",
        by="RoleName",
        item="Role",
        delete="delete_role",
        delete_by="RoleName",
        rename={"name": "RoleName"},
        name_input="name",
        exclusive=True,
        tags_as="Tags",
        write_only=frozenset({"forceDetachPolicies"}),  # how it is deleted
        after=(
            Setting(("assumeRolePolicy",), _trust),
            Setting(("maxSessionDuration", "description"), _duration),
            Setting(("permissionsBoundary",), _boundary),
        ),
        more=_role_facts,
    ),
    RolePolicy(type="aws:iam/rolePolicy:RolePolicy", service="iam", name_input="name", exclusive=True),
    Policy(
        type="aws:iam/policy:Policy",
        service="iam",
        word="policy",
        by_name="PolicyArn",
        create="create_policy",
        made="Policy.Arn",
        read="get_policy",
        by="PolicyArn",
        item="Policy",
        rename={"name": "PolicyName"},
        name_input="name",
        max_name=128,
        exclusive=True,
        tags_as="Tags",
        after=(Setting(("policy",), _new_version),),
        more=_policy_facts,
    ),
    RoleAttachment(type="aws:iam/rolePolicyAttachment:RolePolicyAttachment", service="iam"),
    Tagged(
        type="aws:iam/instanceProfile:InstanceProfile",
        service="iam",
        word="instance_profile",
        by_name="InstanceProfileName",
        create="create_instance_profile",
        made="InstanceProfile.InstanceProfileName",
        read="get_instance_profile",
        by="InstanceProfileName",
        item="InstanceProfile",
        delete="delete_instance_profile",
        delete_by="InstanceProfileName",
        rename={"name": "InstanceProfileName"},
        name_input="name",
        max_name=128,
        exclusive=True,
        tags_as="Tags",
        after=(Setting(("role",), _put_role),),
        before_delete=_empty_profile,
        more=_profile_facts,
    ),
)
