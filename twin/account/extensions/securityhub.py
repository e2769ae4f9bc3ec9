"""Security Hub: standards, and the hub's own configuration.

Security Hub API reference: EnableSecurityHub, DescribeHub, UpdateSecurityHubConfiguration,
BatchEnableStandards, GetEnabledStandards, BatchDisableStandards. A standard is READY only while Config
records: otherwise it is INCOMPLETE with NO_AVAILABLE_CONFIGURATION_RECORDER.
"""

from __future__ import annotations

from typing import Any

from moto.config.models import config_backends
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.securityhub import urls
from moto.securityhub.models import SecurityHubBackend
from moto.securityhub.responses import SecurityHubResponse

from twin.account.extensions.placing import place
from twin.account.extensions.rest import asked, route

# Security Hub User Guide, "Standards reference": the part of the ARN behind standards/ or ruleset/.
STANDARDS = (
    "standards/aws-foundational-security-best-practices/v/1.0.0",
    "standards/aws-resource-tagging-standard/v/1.0.0",
    "ruleset/cis-aws-foundations-benchmark/v/1.2.0",
    "standards/cis-aws-foundations-benchmark/v/1.4.0",
    "standards/cis-aws-foundations-benchmark/v/3.0.0",
    "standards/cis-aws-foundations-benchmark/v/5.0.0",
    "standards/nist-800-53/v/5.0.0",
    "standards/nist-800-171/v/2.0.0",
    "standards/pci-dss/v/3.2.1",
    "standards/pci-dss/v/4.0.1",
)
# EnableSecurityHub, EnableDefaultStandards: these two, unless told otherwise.
DEFAULT = (STANDARDS[0], STANDARDS[2])


class InvalidInput(ServiceException):
    """A standard that there is not."""

    code = "InvalidInputException"


class NotSubscribed(ServiceException):
    """The hub is off."""

    code = "InvalidAccessException"
    message = "Account is not subscribed to AWS Security Hub"


class AlreadySubscribed(ServiceException):
    """The hub is on already."""

    code = "ResourceConflictException"
    message = "Account is already subscribed to Security Hub"


def install() -> None:
    """Add the operations of standards, keep what the hub is told."""
    off = SecurityHubBackend.disable_security_hub

    def disable_security_hub(self: Any) -> Any:
        self.__dict__.pop("standards", None)
        return off(self)

    place(SecurityHubBackend, disable_security_hub=disable_security_hub)
    place(
        SecurityHubResponse,
        enable_security_hub=enable_security_hub,
        describe_hub=describe_hub,
        update_security_hub_configuration=update_security_hub_configuration,
        batch_enable_standards=batch_enable_standards,
        get_enabled_standards=get_enabled_standards,
        batch_disable_standards=batch_disable_standards,
    )
    route(urls, SecurityHubResponse, "/standards/register$", "/standards/get$", "/standards/deregister$")


def enable_security_hub(self: Any) -> EmptyResult:
    """EnableSecurityHub."""
    hub, given = self.securityhub_backend, asked(self)
    if hub.enabled:
        raise AlreadySubscribed()
    defaults = given.get("EnableDefaultStandards", True)
    hub.enable_security_hub(enable_default_standards=False, tags=given.get("Tags"))
    hub.configuration = {
        "AutoEnableControls": True,
        "ControlFindingGenerator": given.get("ControlFindingGenerator", "SECURITY_CONTROL"),
    }
    hub.standards = {}
    for name in DEFAULT if defaults else ():
        _subscribe(
            hub, f"arn:aws:securityhub:{'' if name.startswith('ruleset') else hub.region_name}::{name}"
        )
    return EmptyResult()


def describe_hub(self: Any) -> ActionResult:
    """DescribeHub: what was told, not what is usual."""
    hub = _hub(self)
    answer = hub.describe_hub(asked(self).get("HubArn"))
    return ActionResult({**{k: answer[k] for k in ("HubArn", "SubscribedAt")}, **hub.configuration})


def update_security_hub_configuration(self: Any) -> EmptyResult:
    """UpdateSecurityHubConfiguration: what is named changes."""
    _hub(self).configuration.update(asked(self))
    return EmptyResult()


def _hub(response: Any) -> Any:
    hub = response.securityhub_backend
    if not hub.enabled:
        raise NotSubscribed()
    return hub


def _subscribe(hub: Any, standard: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
    name = standard.split("::", 1)[-1]
    where = "" if name.startswith("ruleset") else hub.region_name
    if name not in STANDARDS or standard != f"arn:aws:securityhub:{where}::{name}":
        raise InvalidInput(f"Invalid parameter: StandardsArn {standard} is not found.")
    path = name.split("/", 1)[1]
    arn = f"arn:aws:securityhub:{hub.region_name}:{hub.account_id}:subscription/{path}"
    hub.standards.setdefault(
        arn, {"StandardsSubscriptionArn": arn, "StandardsArn": standard, "StandardsInput": given or {}}
    )
    found: dict[str, Any] = hub.standards[arn]
    return found


def _status(hub: Any) -> dict[str, Any]:
    recorders = config_backends[hub.account_id][hub.region_name].recorders.values()
    if any(recorder.status.recording for recorder in recorders):
        return {"StandardsStatus": "READY", "StandardsControlsUpdatable": "READY_FOR_UPDATES"}
    reason = {"StatusReasonCode": "NO_AVAILABLE_CONFIGURATION_RECORDER"}
    return {"StandardsStatus": "INCOMPLETE", "StandardsStatusReason": reason}


def batch_enable_standards(self: Any) -> ActionResult:
    """BatchEnableStandards; enabling again changes nothing."""
    hub = _hub(self)
    made = [
        _subscribe(hub, request["StandardsArn"], request.get("StandardsInput"))
        for request in asked(self)["StandardsSubscriptionRequests"]
    ]
    return ActionResult({"StandardsSubscriptions": [{**one, **_status(hub)} for one in made]})


def get_enabled_standards(self: Any) -> ActionResult:
    """GetEnabledStandards."""
    hub, wanted = _hub(self), asked(self).get("StandardsSubscriptionArns")
    found = [one for arn, one in sorted(hub.standards.items()) if not wanted or arn in wanted]
    return ActionResult({"StandardsSubscriptions": [{**one, **_status(hub)} for one in found]})


def batch_disable_standards(self: Any) -> ActionResult:
    """BatchDisableStandards."""
    hub, gone = _hub(self), []
    for arn in asked(self)["StandardsSubscriptionArns"]:
        if arn not in hub.standards:
            raise InvalidInput(f"Invalid parameter: StandardsSubscriptionArn {arn} is not enabled.")
        gone.append({**hub.standards.pop(arn), "StandardsStatus": "DELETING"})
    return ActionResult({"StandardsSubscriptions": gone})
