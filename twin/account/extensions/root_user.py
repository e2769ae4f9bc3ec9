"""Access keys of the root user: moto knows keys of users only, so an account could not be seen to have one.

IAM API reference, CreateAccessKey: without a user's name the key belongs to whoever signs, and so it makes
and removes keys of the root user. The emulated account's own credentials are the root user's.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam.models import AccessKey
from moto.iam.responses import IamResponse

from twin.account.extensions.placing import place

_MAKE: Any = AccessKey


def install() -> None:
    """Wrap the operations of access keys and the account's summary."""
    create, delete = IamResponse.create_access_key, IamResponse.delete_access_key
    summary = IamResponse.get_account_summary

    def create_access_key(self: Any) -> Any:
        if self._get_param("UserName"):
            return create(self)
        made = _MAKE(None, prefix="AKIA", account_id=self.backend.account_id)
        _keys(self.backend)[made.access_key_id] = made
        return ActionResult({"AccessKey": made})

    def delete_access_key(self: Any) -> Any:
        if self._get_param("UserName"):
            return delete(self)
        gone = _keys(self.backend).pop(self._get_param("AccessKeyId"), None)
        return EmptyResult() if gone else delete(self)

    def get_account_summary(self: Any) -> Any:
        self.backend.get_account_summary()._account_access_keys_present = int(bool(_keys(self.backend)))
        return summary(self)

    place(IamResponse, create_access_key=create_access_key)
    place(IamResponse, delete_access_key=delete_access_key)
    place(IamResponse, get_account_summary=get_account_summary)


def _keys(backend: Any) -> dict[str, Any]:
    if not hasattr(backend, "root_keys"):
        backend.root_keys = {}
    found: dict[str, Any] = backend.root_keys
    return found
