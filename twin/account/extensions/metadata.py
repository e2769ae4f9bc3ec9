"""Instances take what their launch template and the region's metadata defaults say.

moto keeps a template but applies only its image and tags. EC2 User Guide: parameters of the request
override those of the template ("Launch instances from a launch template"); metadata options come from the
request, else the template, else the account's defaults ("Order of precedence for instance metadata
options").
"""

from __future__ import annotations

import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response

from twin.account.extensions.placing import place

# ModifyInstanceMetadataDefaults: the value that removes a preference.
_NO_PREFERENCE = {
    "HttpTokens": "no-preference",
    "HttpEndpoint": "no-preference",
    "InstanceMetadataTags": "no-preference",
}
_NAMES = ("HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint", "InstanceMetadataTags")


def install() -> None:
    """Wrap RunInstances, add the operations of the defaults, make ModifyInstanceMetadataOptions partial."""
    run, modify = EC2Response.run_instances, EC2Response.modify_instance_metadata_options

    def run_instances(self: Any) -> Any:
        _merge_template(self)
        _merge_defaults(self)
        return run(self)

    def modify_instance_metadata_options(self: Any) -> Any:
        now = self.ec2_backend.get_instance(self._get_param("InstanceId")).metadata_options
        for name, value in _as_data(now).items():
            self.params.setdefault(name, value)
        return modify(self)

    place(EC2Response, run_instances=run_instances)
    place(EC2Response, modify_instance_metadata_options=modify_instance_metadata_options)
    place(EC2Response, modify_instance_metadata_defaults=modify_instance_metadata_defaults)
    place(EC2Response, get_instance_metadata_defaults=get_instance_metadata_defaults)


def _as_data(options: Any) -> dict[str, Any]:
    return {
        "HttpTokens": options.http_tokens,
        "HttpPutResponseHopLimit": options.http_put_response_hop_limit,
        "HttpEndpoint": options.http_endpoint,
        "HttpProtocolIpv6": options.http_protocol_ipv6,
        "InstanceMetadataTags": options.instance_metadata_tags,
    }


def _merge_template(response: Any) -> None:
    chosen = response._get_param("LaunchTemplate", {})
    if not chosen:
        return
    template = copy.deepcopy(dict(response.ec2_backend._get_template_from_args(chosen).data))
    params = response.params
    tags = {spec["ResourceType"]: spec for spec in template.pop("TagSpecifications", None) or []}
    for spec in params.get("TagSpecifications") or []:
        tags[spec["ResourceType"]] = spec
    if tags:
        params["TagSpecifications"] = list(tags.values())
    for name, value in template.items():
        if name == "MetadataOptions":
            params[name] = {**value, **(params.get(name) or {})}
        elif params.get(name) in (None, "", [], {}):
            params[name] = str(value) if name == "UserData" else value


def _merge_defaults(response: Any) -> None:
    preferred = _preferences(response.ec2_backend)
    if preferred:
        response.params["MetadataOptions"] = {**preferred, **(response.params.get("MetadataOptions") or {})}


def _preferences(backend: Any) -> dict[str, Any]:
    found: dict[str, Any] = backend.__dict__.setdefault("metadata_defaults", {})
    return found


def modify_instance_metadata_defaults(self: Any) -> ActionResult:
    """ModifyInstanceMetadataDefaults: what is named changes, `no-preference` (or -1 hops) removes."""
    preferred = _preferences(self.ec2_backend)
    for name in _NAMES:
        value = self._get_param(name)
        if value is None:
            continue
        if value == _NO_PREFERENCE.get(name) or value == -1:
            preferred.pop(name, None)
            continue
        if name == "HttpPutResponseHopLimit" and not 1 <= int(value) <= 64:
            raise EC2ClientError(
                "InvalidParameterValue", f"Value ({value}) for parameter httpPutResponseHopLimit is invalid."
            )
        preferred[name] = value
    return ActionResult({"Return": True})


def get_instance_metadata_defaults(self: Any) -> ActionResult:
    """GetInstanceMetadataDefaults: only what is set."""
    return ActionResult({"AccountLevel": {**_preferences(self.ec2_backend), "ManagedBy": "account"}})
