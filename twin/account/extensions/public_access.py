"""Block public access for AMIs and snapshots, readable and effective.

EC2 API reference: EnableImageBlockPublicAccess, EnableSnapshotBlockPublicAccess and their Get and Disable
forms. Sharing what is blocked is refused with OperationNotPermitted.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.responses import EC2Response

from twin.account.extensions.placing import place

_UNBLOCKED = "unblocked"
_SNAPSHOT_STATES = {"block-all-sharing", "block-new-sharing"}
_IMAGE_STATES = {"block-new-sharing"}


def install() -> None:
    """Add the six operations and the refusal."""
    place(EC2Response, enable_snapshot_block_public_access=_enable("snapshot", _SNAPSHOT_STATES, "State"))
    place(EC2Response, disable_snapshot_block_public_access=_disable("snapshot", "State"))
    place(EC2Response, get_snapshot_block_public_access_state=_get("snapshot", "State"))
    place(
        EC2Response,
        enable_image_block_public_access=_enable("image", _IMAGE_STATES, "ImageBlockPublicAccessState"),
    )
    place(EC2Response, disable_image_block_public_access=_disable("image", "ImageBlockPublicAccessState"))
    place(EC2Response, get_image_block_public_access_state=_get("image", "ImageBlockPublicAccessState"))
    _refuse_sharing()


def _states(backend: Any) -> dict[str, str]:
    found: dict[str, str] = backend.__dict__.setdefault("public_access_states", {})
    return found


def _enable(what: str, allowed: set[str], member: str) -> Any:
    parameter = "State" if what == "snapshot" else "ImageBlockPublicAccessState"

    def enable(self: Any) -> ActionResult:
        wanted = self._get_param(parameter)
        if wanted not in allowed:
            raise EC2ClientError(
                "InvalidParameterValue", f"Value ({wanted}) for parameter {parameter} is invalid."
            )
        _states(self.ec2_backend)[what] = wanted
        return ActionResult({member: wanted})

    return enable


def _disable(what: str, member: str) -> Any:
    def disable(self: Any) -> ActionResult:
        _states(self.ec2_backend).pop(what, None)
        return ActionResult({member: _UNBLOCKED})

    return disable


def _get(what: str, member: str) -> Any:
    def get(self: Any) -> ActionResult:
        state = _states(self.ec2_backend).get(what, _UNBLOCKED)
        return ActionResult({member: state, "ManagedBy": "account"})

    return get


def _refuse_sharing() -> None:
    share, launch = EBSBackend.add_create_volume_permission, EC2Response.modify_image_attribute

    def add_create_volume_permission(self: Any, snapshot_id: str, **kwargs: Any) -> None:
        if "all" in (kwargs.get("groups") or []) and "snapshot" in _states(self):
            raise EC2ClientError(
                "OperationNotPermitted", "Public sharing of snapshots is blocked in this Region."
            )
        share(self, snapshot_id, **kwargs)

    def modify_image_attribute(self: Any) -> Any:
        added = (self._get_param("LaunchPermission", {}) or {}).get("Add") or []
        groups = [item.get("Group") for item in added]
        groups += self._get_param("UserGroups", []) if self._get_param("OperationType") == "add" else []
        if "all" in groups and "image" in _states(self.ec2_backend):
            raise EC2ClientError("OperationNotPermitted", "Public sharing of AMIs is blocked in this Region.")
        return launch(self)

    place(EBSBackend, add_create_volume_permission=add_create_volume_permission)
    place(EC2Response, modify_image_attribute=modify_image_attribute)
