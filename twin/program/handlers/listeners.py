"""Listeners of application load balancers and their rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twin.program.handlers.balancing import ELB, Balancing, attribute_pairs, attributes_of
from twin.program.handlers.spec import Call, Plain, Setting, Unsupported, tag_list, to_pulumi

_RESPONSE = "routing.http.response"
_HSTS = "routingHttpResponseStrictTransportSecurityHeaderValue"
_OF_LISTENER = {
    "routingHttpResponseServerEnabled": f"{_RESPONSE}.server.enabled",
    _HSTS: f"{_RESPONSE}.strict_transport_security.header_value",
    "routingHttpResponseXContentTypeOptionsHeaderValue": f"{_RESPONSE}.x_content_type_options.header_value",
    "routingHttpResponseXFrameOptionsHeaderValue": f"{_RESPONSE}.x_frame_options.header_value",
}
_ACTIONS = {"fixedResponse": "FixedResponseConfig", "redirect": "RedirectConfig"}
_CONDITIONS = {
    "hostHeader": ("host-header", "HostHeaderConfig"),
    "pathPattern": ("path-pattern", "PathPatternConfig"),
}


def _upper(values: Mapping[str, Any]) -> Plain:
    return {key[:1].upper() + key[1:]: value for key, value in values.items()}


def actions(wanted: list[Plain]) -> list[Plain]:
    """The provider's actions as the API's. Raises `Unsupported` for kinds that nothing here makes."""
    made = []
    for action in wanted:
        found: Plain = {"Type": action["type"]}
        for name, value in action.items():
            if name in ("type", "order"):
                continue
            if name == "targetGroupArn":
                found["TargetGroupArn"] = value
            elif name in _ACTIONS:
                found[_ACTIONS[name]] = _upper({k: str(v) for k, v in value.items()})
            else:
                raise Unsupported(f"action {name}")
        made.append(found)
    return made


def _actions_back(found: list[Plain]) -> list[Plain]:
    names = {config: name for name, config in _ACTIONS.items()} | {"TargetGroupArn": "targetGroupArn"}
    return [
        {"type": action["Type"]}
        | {name: to_pulumi(action[member]) for member, name in names.items() if member in action}
        for action in found
    ]


@dataclass(frozen=True, kw_only=True)
class Listener(Balancing):
    """CreateListener; the certificate is a list there."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """The inputs the operation takes."""
        known = {"loadBalancerArn", *_LISTENER_INPUTS, *_OF_LISTENER}
        for name in set(call.inputs) - known - self.known_inputs:
            raise Unsupported(name)
        return {
            "LoadBalancerArn": call.inputs["loadBalancerArn"],
            **_listener(call.inputs),
            "Tags": tag_list(call.tags),
        }

    def settle(self, call: Call, identity: str) -> None:
        """The attributes."""
        _listener_attributes(call, identity)


_LISTENER_INPUTS = ("port", "protocol", "sslPolicy", "certificateArn", "defaultActions")


def _listener(inputs: Plain) -> Plain:
    params: Plain = {
        "Port": int(inputs["port"]),
        "Protocol": inputs["protocol"],
        "DefaultActions": actions(inputs["defaultActions"]),
    }
    if "sslPolicy" in inputs:
        params["SslPolicy"] = inputs["sslPolicy"]
    if "certificateArn" in inputs:
        params["Certificates"] = [{"CertificateArn": inputs["certificateArn"]}]
    return params


def _change_listener(call: Call, identity: str) -> None:
    call.client(ELB).modify_listener(ListenerArn=identity, **_listener(call.inputs))


def _listener_attributes(call: Call, identity: str) -> None:
    pairs = attribute_pairs(call.inputs, _OF_LISTENER)
    if pairs:
        call.client(ELB).modify_listener_attributes(ListenerArn=identity, Attributes=pairs)


def _listener_facts(call: Call, identity: str, item: Plain) -> Plain:
    answer = call.client(ELB).describe_listener_attributes(ListenerArn=identity)["Attributes"]
    found = {pair["Key"]: pair["Value"] for pair in answer}
    certificates = item.get("Certificates") or [{}]
    return {
        "arn": identity,
        "certificateArn": certificates[0].get("CertificateArn"),
        "alpnPolicy": None,  # a list here, a text in the SDK; only network load balancers have one
        "defaultActions": _actions_back(item["DefaultActions"]),
        **attributes_of(call.inputs, _OF_LISTENER, found),
    }


# ---------------------------------------------------------------------- rules
def _conditions(wanted: list[Plain]) -> list[Plain]:
    made = []
    for condition in wanted:
        for name, value in condition.items():
            if name not in _CONDITIONS:
                raise Unsupported(f"condition {name}")
            field, config = _CONDITIONS[name]
            made.append({"Field": field, config: {"Values": list(value["values"])}})
    return made


def _conditions_back(found: list[Plain]) -> list[Plain]:
    names = {field: (name, config) for name, (field, config) in _CONDITIONS.items()}
    return [
        {names[c["Field"]][0]: {"values": c[names[c["Field"]][1]]["Values"]}}
        for c in found
        if c["Field"] in names
    ]


@dataclass(frozen=True, kw_only=True)
class Rule(Balancing):
    """CreateRule."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """Conditions and actions in the API's shape."""
        for name in (
            set(call.inputs) - {"listenerArn", "priority", "conditions", "actions"} - self.known_inputs
        ):
            raise Unsupported(name)
        return {
            "ListenerArn": call.inputs["listenerArn"],
            "Priority": int(call.inputs["priority"]),
            "Conditions": _conditions(call.inputs["conditions"]),
            "Actions": actions(call.inputs["actions"]),
            "Tags": tag_list(call.tags),
        }

    def settle(self, call: Call, identity: str) -> None:
        """Complete since its creation."""


def _change_rule(call: Call, identity: str) -> None:
    call.client(ELB).modify_rule(
        RuleArn=identity,
        Conditions=_conditions(call.inputs["conditions"]),
        Actions=actions(call.inputs["actions"]),
    )


def _reorder(call: Call, identity: str) -> None:
    wanted = {"RuleArn": identity, "Priority": int(call.inputs["priority"])}
    call.client(ELB).set_rule_priorities(RulePriorities=[wanted])


def _rule_facts(_call: Call, identity: str, item: Plain) -> Plain:
    return {
        "arn": identity,
        "listenerArn": identity.replace(":listener-rule/", ":listener/").rpartition("/")[0],
        "priority": int(item["Priority"]),
        "conditions": _conditions_back(item["Conditions"]),
        "actions": _actions_back(item["Actions"]),
    }


SPECS = (
    Listener(
        type="aws:lb/listener:Listener",
        service=ELB,
        create="create_listener",
        made="Listeners[0].ListenerArn",
        read="describe_listeners",
        by="ListenerArns",
        item="Listeners",
        delete="delete_listener",
        delete_by="ListenerArn",
        tags_as="Tags",
        after=(
            Setting(_LISTENER_INPUTS, _change_listener),
            Setting(tuple(_OF_LISTENER), _listener_attributes),
        ),
        more=_listener_facts,
    ),
    Rule(
        type="aws:lb/listenerRule:ListenerRule",
        service=ELB,
        create="create_rule",
        made="Rules[0].RuleArn",
        read="describe_rules",
        by="RuleArns",
        item="Rules",
        delete="delete_rule",
        delete_by="RuleArn",
        tags_as="Tags",
        after=(Setting(("conditions", "actions"), _change_rule), Setting(("priority",), _reorder)),
        more=_rule_facts,
    ),
)
