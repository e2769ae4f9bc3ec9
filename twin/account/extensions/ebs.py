"""EBS: encryption by default takes effect on new volumes; the default key can be read and reset.

Amazon EBS User Guide, "Encryption by default": with it on, every new volume is encrypted, with the default
key of the region unless a key is named; the default key is the AWS managed `aws/ebs` until another is set.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.models.instances import Instance
from moto.ec2.responses import EC2Response

from twin.account.extensions.placing import place


def install() -> None:
    """Make the region's settings effective, and add the operations that moto lacks."""
    create = EBSBackend.create_volume

    def create_volume(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.ebs_encryption_by_default and not kwargs.get("encrypted"):
            kwargs["encrypted"] = True
        if kwargs.get("kms_key_id"):
            kwargs["encrypted"] = kwargs.get("encrypted") or True
        return create(self, *args, **kwargs)

    place(EBSBackend, create_volume=create_volume)
    place(EC2Response, get_ebs_default_kms_key_id=get_ebs_default_kms_key_id)
    place(EC2Response, reset_ebs_default_kms_key_id=reset_ebs_default_kms_key_id)
    place(Instance, setup_defaults=setup_defaults)


def get_ebs_default_kms_key_id(self: Any) -> ActionResult:
    """GetEbsDefaultKmsKeyId."""
    return ActionResult({"KmsKeyId": _default_key(self.ec2_backend)})


def reset_ebs_default_kms_key_id(self: Any) -> ActionResult:
    """ResetEbsDefaultKmsKeyId: back to the AWS managed key."""
    self.ec2_backend.default_kms_key_id = ""
    return ActionResult({"KmsKeyId": _default_key(self.ec2_backend)})


def _default_key(backend: Any) -> str:
    if not backend.default_kms_key_id:
        backend._create_default_encryption_key()
    return str(backend.default_kms_key_id)


def setup_defaults(self: Any) -> None:
    """An instance without a stated root volume gets one at its image's root device."""
    volume = self.ec2_backend.create_volume(size=8, zone_name=self._placement.zone, volume_type="gp3")
    self.ec2_backend.attach_volume(volume.id, self.id, self.root_device_name or "/dev/xvda", True)
