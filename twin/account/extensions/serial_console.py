"""The account's switch for the EC2 serial console, one per region.

EC2 API reference: EnableSerialConsoleAccess, DisableSerialConsoleAccess, GetSerialConsoleAccessStatus. EC2
User Guide, "Configure access to the EC2 serial console": an account has none until somebody switches it on.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response

from twin.account.extensions.placing import place


def install() -> None:
    """Add the three operations."""
    place(EC2Response, enable_serial_console_access=_switch(True))
    place(EC2Response, disable_serial_console_access=_switch(False))
    place(EC2Response, get_serial_console_access_status=get_serial_console_access_status)


def _switch(on: bool) -> Any:
    def switch(self: Any) -> ActionResult:
        self.ec2_backend.serial_console_access = on
        return ActionResult({"SerialConsoleAccessEnabled": on})

    return switch


def get_serial_console_access_status(self: Any) -> ActionResult:
    """GetSerialConsoleAccessStatus."""
    on = getattr(self.ec2_backend, "serial_console_access", False)
    return ActionResult({"SerialConsoleAccessEnabled": on, "ManagedBy": "account"})
