"""Settings that hold for a whole region or account, each one resource: what is there is switched, never
created."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twin.program.handlers.spec import Call, Plain, Spec, to_aws


@dataclass(frozen=True, kw_only=True)
class Switch(Spec):
    """A setting: `put` writes the inputs, `get` reads them, `undo` puts AWS's default back."""

    put: Callable[[Call], None]
    get: Callable[[Call], Plain | None]
    undo: Callable[[Call], None]
    identity: str = ""  # fixed id; the region when empty

    def make(self, call: Call) -> str:
        """Write the setting."""
        self.put(call)
        return self.identity or call.region

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Read the setting."""
        return self.get(call)

    def is_dead(self, item: Plain) -> bool:
        """Settings have no state of their own; `State` here is the setting's value."""
        return False

    def can_change(self, changed: set[str]) -> bool:
        """Always in place, inside one region."""
        return "region" not in changed

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Write again."""
        self.put(call)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Back to AWS's default."""
        self.undo(call)


class Named(Spec):
    """A setting that has a name: what creates it writes it again."""

    def can_change(self, changed: set[str]) -> bool:
        """Its value changes in place, its name does not."""
        return changed == {"settingValue"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Write again."""
        self.make(call)


def _put_encryption(call: Call) -> None:
    client, on = call.client("ec2"), call.inputs.get("enabled", True)
    (client.enable_ebs_encryption_by_default if on else client.disable_ebs_encryption_by_default)()


def _get_encryption(call: Call) -> Plain:
    return {"Enabled": call.client("ec2").get_ebs_encryption_by_default()["EbsEncryptionByDefault"]}


def _put_metadata(call: Call) -> None:
    client = call.client("ec2")
    given = {k: v for k, v in call.inputs.items() if k not in Spec.known_inputs}
    client.modify_instance_metadata_defaults(**to_aws(client, "modify_instance_metadata_defaults", given, {}))


def _undo_metadata(call: Call) -> None:
    none = "no-preference"
    call.client("ec2").modify_instance_metadata_defaults(
        HttpTokens=none, HttpEndpoint=none, InstanceMetadataTags=none, HttpPutResponseHopLimit=-1
    )


def _put_images(call: Call) -> None:
    client, state = call.client("ec2"), call.inputs["state"]
    if state == "unblocked":
        client.disable_image_block_public_access()
    else:
        client.enable_image_block_public_access(ImageBlockPublicAccessState=state)


def _put_snapshots(call: Call) -> None:
    client, state = call.client("ec2"), call.inputs["state"]
    if state == "unblocked":
        client.disable_snapshot_block_public_access()
    else:
        client.enable_snapshot_block_public_access(State=state)


def _account_block(call: Call) -> Plain:
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    return {name[:1].upper() + name[1:]: bool(call.inputs.get(name, False)) for name in names}


def _get_account_block(call: Call) -> Plain | None:
    client = call.client("s3control")
    try:
        found = client.get_public_access_block(AccountId=call.aws.account)
    except client.exceptions.NoSuchPublicAccessBlockConfiguration:
        return None
    return dict(found["PublicAccessBlockConfiguration"])


def _put_passwords(call: Call) -> None:
    client = call.client("iam")
    given = {k: v for k, v in call.inputs.items() if k not in Spec.known_inputs}
    client.update_account_password_policy(**to_aws(client, "update_account_password_policy", given, {}))


def _get_passwords(call: Call) -> Plain | None:
    client = call.client("iam")
    try:
        return dict(client.get_account_password_policy()["PasswordPolicy"])
    except client.exceptions.NoSuchEntityException:
        return None


def _put_serial_console(call: Call) -> None:
    client, on = call.client("ec2"), call.inputs.get("enabled", True)
    (client.enable_serial_console_access if on else client.disable_serial_console_access)()


def _ec2(operation: str) -> Callable[[Call], Any]:
    return lambda call: getattr(call.client("ec2"), operation)()


SPECS = (
    Switch(
        type="aws:ebs/encryptionByDefault:EncryptionByDefault",
        service="ec2",
        defaults={"enabled": True},
        put=_put_encryption,
        get=_get_encryption,
        undo=_ec2("disable_ebs_encryption_by_default"),
    ),
    Switch(
        type="aws:ebs/defaultKmsKey:DefaultKmsKey",
        service="ec2",
        put=lambda call: call.client("ec2").modify_ebs_default_kms_key_id(KmsKeyId=call.inputs["keyArn"]),
        get=lambda call: {"KeyArn": call.client("ec2").get_ebs_default_kms_key_id()["KmsKeyId"]},
        undo=_ec2("reset_ebs_default_kms_key_id"),
    ),
    Switch(
        type="aws:ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess",
        service="ec2",
        put=_put_snapshots,
        get=lambda call: {"State": call.client("ec2").get_snapshot_block_public_access_state()["State"]},
        undo=_ec2("disable_snapshot_block_public_access"),
    ),
    Switch(
        type="aws:ec2/imageBlockPublicAccess:ImageBlockPublicAccess",
        service="ec2",
        put=_put_images,
        get=lambda call: {
            "State": call.client("ec2").get_image_block_public_access_state()["ImageBlockPublicAccessState"]
        },
        undo=_ec2("disable_image_block_public_access"),
    ),
    Switch(
        type="aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults",
        service="ec2",
        put=_put_metadata,
        get=lambda call: dict(call.client("ec2").get_instance_metadata_defaults()["AccountLevel"]),
        undo=_undo_metadata,
    ),
    Switch(
        type="aws:ec2/serialConsoleAccess:SerialConsoleAccess",
        service="ec2",
        defaults={"enabled": True},
        put=_put_serial_console,
        get=lambda call: {
            "Enabled": call.client("ec2").get_serial_console_access_status()["SerialConsoleAccessEnabled"]
        },
        undo=_ec2("disable_serial_console_access"),
    ),
    Named(
        type="aws:ssm/serviceSetting:ServiceSetting",
        service="ssm",
        create="update_service_setting",
        made="=settingId",
        read="get_service_setting",
        by="SettingId",
        item="ServiceSetting",
        outputs={"arn": "ARN", "status": "Status"},
        delete="reset_service_setting",
        delete_by="SettingId",
    ),
    Switch(
        type="aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock",
        service="s3control",
        write_only=frozenset({"accountId"}),  # whose setting it is; the call itself names the account
        put=lambda call: call.client("s3control").put_public_access_block(
            AccountId=call.aws.account, PublicAccessBlockConfiguration=_account_block(call)
        ),
        get=_get_account_block,
        undo=lambda call: call.client("s3control").delete_public_access_block(AccountId=call.aws.account),
    ),
    Switch(
        type="aws:iam/accountPasswordPolicy:AccountPasswordPolicy",
        service="iam",
        identity="iam-account-password-policy",
        put=_put_passwords,
        get=_get_passwords,
        undo=lambda call: call.client("iam").delete_account_password_policy(),
    ),
)
