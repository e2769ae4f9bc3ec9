"""Credentials of the root user: moto knows those of users only, so an account could not be seen to have any.

IAM API reference, CreateAccessKey, DeactivateMFADevice, DeleteLoginProfile: without a user's name they
are about whoever signs, and so about the root user. The emulated account's own credentials are the
root user's. What no API does, a root user's device registered in the console, is EnableMFADevice with the
account's id as the user's name here. An account comes with a password and a hardware device (`offer`), as
whoever opens one for an organisation hands it over; like the certificate of a load balancer, no program makes
them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import AccessKey, AccountSummary, iam_backends
from moto.iam.responses import IamResponse

from twin.account.extensions.placing import place

_MAKE: Any = AccessKey
HARDWARE = "GAHT00000001"  # a hardware token's serial number, which is no ARN


def offer(account: str) -> None:
    """The root user's password and device, as the account was handed over."""
    root = _root(iam_backends[account]["aws"])
    root["password"], root["devices"] = True, {HARDWARE}


def install() -> None:
    """Wrap the operations of keys, devices and passwords, and the account's summary."""
    _keep_keys()
    _keep_devices()
    _keep_password()
    counted = AccountSummary.summary_map.fget  # type: ignore[attr-defined]

    def summary_map(self: Any) -> dict[str, Any]:
        root = _root(self._iam_backend)
        found: dict[str, Any] = {
            **counted(self),
            "AccountAccessKeysPresent": int(bool(root["keys"])),
            "AccountMFAEnabled": int(bool(root["devices"])),
            "AccountPasswordPresent": int(root["password"]),
        }
        return found

    place(AccountSummary, summary_map=property(summary_map))


def _keep_keys() -> None:
    create, delete = IamResponse.create_access_key, IamResponse.delete_access_key

    def create_access_key(self: Any) -> Any:
        if self._get_param("UserName"):
            return create(self)
        made = _MAKE(None, prefix="AKIA", account_id=self.backend.account_id)
        _root(self.backend)["keys"][made.access_key_id] = made
        return ActionResult({"AccessKey": made})

    def delete_access_key(self: Any) -> Any:
        if self._get_param("UserName"):
            return delete(self)
        gone = _root(self.backend)["keys"].pop(self._get_param("AccessKeyId"), None)
        return EmptyResult() if gone else delete(self)

    place(IamResponse, create_access_key=create_access_key, delete_access_key=delete_access_key)


def _keep_devices() -> None:
    enable, deactivate = IamResponse.enable_mfa_device, IamResponse.deactivate_mfa_device

    def enable_mfa_device(self: Any) -> Any:
        if self._get_param("UserName") != self.backend.account_id:
            return enable(self)
        serial = self._get_param("SerialNumber")
        _root(self.backend)["devices"].add(serial)
        if app := self.backend.virtual_mfa_devices.get(serial):
            app.enable_date = datetime.now(UTC)
            app.user = _told(self.backend.account_id)
        return EmptyResult()

    def deactivate_mfa_device(self: Any) -> Any:
        if self._get_param("UserName"):
            return deactivate(self)
        serial = self._get_param("SerialNumber")
        if serial not in _root(self.backend)["devices"]:
            raise NotFoundException(f"Device {serial} not found")
        _root(self.backend)["devices"].discard(serial)
        if app := self.backend.virtual_mfa_devices.get(serial):
            app.enable_date = app.user = None
        return EmptyResult()

    place(IamResponse, enable_mfa_device=enable_mfa_device, deactivate_mfa_device=deactivate_mfa_device)


def _told(account: str) -> dict[str, Any]:
    """The root user as ListVirtualMFADevices tells it: without a name and a path."""
    return {"Arn": f"arn:aws:iam::{account}:root", "UserId": account, "CreateDate": datetime.now(UTC)}


def _keep_password() -> None:
    delete = IamResponse.delete_login_profile

    def delete_login_profile(self: Any) -> Any:
        if self._get_param("UserName"):
            return delete(self)
        _root(self.backend)["password"] = False
        return EmptyResult()

    place(IamResponse, delete_login_profile=delete_login_profile)


def _root(backend: Any) -> dict[str, Any]:
    found: dict[str, Any] = backend.__dict__.setdefault(
        "root_user", {"keys": {}, "devices": set(), "password": False}
    )
    return found
