"""KMS keys and aliases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin.program.handlers.spec import Call, Plain, Setting, Spec, tags_of


def _rotation(call: Call, identity: str) -> None:
    client = call.client("kms")
    if not call.inputs.get("enableKeyRotation"):
        client.disable_key_rotation(KeyId=identity)
        return
    days = call.inputs.get("rotationPeriodInDays")
    client.enable_key_rotation(KeyId=identity, **({"RotationPeriodInDays": int(days)} if days else {}))


def _enabled(call: Call, identity: str) -> None:
    client = call.client("kms")
    (client.enable_key if call.inputs.get("isEnabled", True) else client.disable_key)(KeyId=identity)


def _policy(call: Call, identity: str) -> None:
    client = call.client("kms")
    client.put_key_policy(KeyId=identity, PolicyName="default", Policy=call.inputs["policy"])


def _description(call: Call, identity: str) -> None:
    client = call.client("kms")
    client.update_key_description(KeyId=identity, Description=call.inputs.get("description") or "")


def _key_facts(call: Call, identity: str, item: Plain) -> Plain:
    client = call.client("kms")
    rotation = client.get_key_rotation_status(KeyId=identity)
    return {
        "keyId": item["KeyId"],
        "customerMasterKeySpec": item.get("KeySpec"),
        "policy": client.get_key_policy(KeyId=identity, PolicyName="default")["Policy"],
        "enableKeyRotation": rotation["KeyRotationEnabled"],
        "rotationPeriodInDays": rotation.get("RotationPeriodInDays"),
        "isEnabled": item["Enabled"],
        "tagsAll": tags_of(client.list_resource_tags(KeyId=identity)),
    }


@dataclass(frozen=True, kw_only=True)
class Key(Spec):
    """A key; deleting schedules it, as AWS never deletes at once."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """KMS spells tags in its own way, and takes policy and description at creation."""
        parameters = super().create_params(client, call)
        if call.inputs.get("policy"):
            parameters["Policy"] = call.inputs["policy"]
        if call.inputs.get("description"):
            parameters["Description"] = call.inputs["description"]
        if call.tags:
            parameters["Tags"] = [{"TagKey": k, "TagValue": v} for k, v in sorted(call.tags.items())]
        return parameters

    def settle(self, call: Call, identity: str) -> None:
        """Only what CreateKey does not take."""
        if {"enableKeyRotation", "rotationPeriodInDays"} & set(call.inputs):
            _rotation(call, identity)
        if call.inputs.get("isEnabled") is False:
            _enabled(call, identity)

    def can_change(self, changed: set[str]) -> bool:
        """The window only matters when the key goes."""
        return super().can_change(changed - {"deletionWindowInDays"})

    def is_dead(self, item: Plain) -> bool:
        """Scheduled for deletion is gone for us."""
        return str(item.get("KeyState")).startswith("PendingDeletion")

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        client = call.client("kms")
        stale = set(tags_of(client.list_resource_tags(KeyId=identity))) - set(call.tags)
        if stale:
            client.untag_resource(KeyId=identity, TagKeys=sorted(stale))
        if call.tags:
            tags = [{"TagKey": k, "TagValue": v} for k, v in sorted(call.tags.items())]
            client.tag_resource(KeyId=identity, Tags=tags)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """ScheduleKeyDeletion with the window of the program."""
        item = self.fetch(call, identity)
        if item is not None and not self.is_dead(item):
            days = int(call.inputs.get("deletionWindowInDays") or 30)
            call.client("kms").schedule_key_deletion(KeyId=identity, PendingWindowInDays=days)


@dataclass(frozen=True, kw_only=True)
class Alias(Spec):
    """A name for a key; the name is the id."""

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The alias in the region's list."""
        pages = call.client("kms").get_paginator("list_aliases").paginate()
        found = [alias for page in pages for alias in page["Aliases"] if alias["AliasName"] == identity]
        return dict(found[0]) if found else None

    def automatic_name(self, name: str) -> str:
        """Aliases carry a prefix."""
        return f"alias/{super().automatic_name(name)}"


def _alias_facts(call: Call, identity: str, item: Plain) -> Plain:
    target, wanted = item.get("TargetKeyId", ""), str(call.inputs.get("targetKeyId", ""))
    arn = item.get("AliasArn") or call.arn("kms", identity)
    return {
        "arn": arn,
        "name": identity,
        # the program may name the key by its ARN; the same key is the same target
        "targetKeyId": wanted if wanted.endswith(f"/{target}") else target,
        "targetKeyArn": call.arn("kms", f"key/{target}"),
    }


def _retarget(call: Call, identity: str) -> None:
    call.client("kms").update_alias(AliasName=identity, TargetKeyId=call.inputs["targetKeyId"])


@dataclass(frozen=True, kw_only=True)
class MovableAlias(Alias):
    """CreateAlias takes the target, UpdateAlias moves it."""

    def can_change(self, changed: set[str]) -> bool:
        """Only the target."""
        return changed <= {"targetKeyId"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """UpdateAlias."""
        _retarget(call, identity)


SPECS = (
    Key(
        type="aws:kms/key:Key",
        service="kms",
        create="create_key",
        made="KeyMetadata.KeyId",
        read="describe_key",
        by="KeyId",
        item="KeyMetadata",
        tags_as="Tags",
        rename={
            "customerMasterKeySpec": "KeySpec",
            "bypassPolicyLockoutSafetyCheck": "BypassPolicyLockoutSafetyCheck",
        },
        # parameters of a later deletion or of the creation alone, not properties of the key
        write_only=frozenset({"deletionWindowInDays", "bypassPolicyLockoutSafetyCheck"}),
        after=(
            Setting(("enableKeyRotation", "rotationPeriodInDays"), _rotation),
            Setting(("isEnabled",), _enabled),
            Setting(("policy",), _policy),
            Setting(("description",), _description),
            Setting(("deletionWindowInDays",), lambda _call, _identity: None),
        ),
        more=_key_facts,
    ),
    MovableAlias(
        type="aws:kms/alias:Alias",
        service="kms",
        create="create_alias",
        made="=name",
        delete="delete_alias",
        delete_by="AliasName",
        rename={"name": "AliasName"},
        name_input="name",
        exclusive=True,
        more=_alias_facts,
    ),
)
