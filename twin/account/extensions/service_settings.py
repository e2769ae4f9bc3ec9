"""Systems Manager's settings of an account in a region: moto has none of them.

Systems Manager API reference: GetServiceSetting, UpdateServiceSetting, ResetServiceSetting. A setting has a
default until somebody changes it, which its status tells; one that does not exist is ServiceSettingNotFound.
Known here is what a stack sets; another setting is refused, so that nobody takes silence for an answer.
"""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.ssm.models import ssm_backends
from moto.ssm.responses import SimpleSystemManagerResponse

from twin.account.extensions.placing import place

# Setting → its values, the default first (Systems Manager User Guide, "Blocking public sharing").
_KNOWN = {"/ssm/documents/console/public-sharing-permission": ("Enable", "Disable")}


def install() -> None:
    """Add the three operations."""
    place(SimpleSystemManagerResponse, get_service_setting=get_service_setting)
    place(SimpleSystemManagerResponse, update_service_setting=update_service_setting)
    place(SimpleSystemManagerResponse, reset_service_setting=reset_service_setting)


def _asked(response: Any) -> tuple[dict[str, str], str]:
    """What was changed in this account and region, and the setting asked for by its path or its ARN."""
    backend = ssm_backends[response.current_account][response.region]
    changed: dict[str, str] = backend.__dict__.setdefault("service_settings", {})
    name = str(response._get_param("SettingId"))
    _, arn, path = name.partition(":servicesetting")
    name = path if arn else name
    if name not in _KNOWN:
        raise JsonRESTError("ServiceSettingNotFound", f"{name} is no service setting")
    return changed, name


def _told(response: Any, changed: dict[str, str], name: str) -> ActionResult:
    where = f"arn:aws:ssm:{response.region}:{response.current_account}:servicesetting{name}"
    setting = {
        "SettingId": name,
        "SettingValue": changed.get(name, _KNOWN[name][0]),
        "ARN": where,
        "Status": "Customized" if name in changed else "Default",
    }
    return ActionResult({"ServiceSetting": setting})


def get_service_setting(self: Any) -> ActionResult:
    """GetServiceSetting."""
    return _told(self, *_asked(self))


def update_service_setting(self: Any) -> ActionResult:
    """UpdateServiceSetting."""
    changed, name = _asked(self)
    value = str(self._get_param("SettingValue"))
    if value not in _KNOWN[name]:
        raise JsonRESTError("ValidationException", f"{value} is none of {', '.join(_KNOWN[name])}")
    changed[name] = value
    return ActionResult({})


def reset_service_setting(self: Any) -> ActionResult:
    """ResetServiceSetting: back to the default; answers the setting as it is then."""
    changed, name = _asked(self)
    changed.pop(name, None)
    return _told(self, changed, name)
