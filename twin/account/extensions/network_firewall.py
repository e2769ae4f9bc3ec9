"""AWS Network Firewall: rule groups and policies, which moto 5.2.5 lacks, and firewalls with endpoints.

AWS Network Firewall API reference: CreateRuleGroup, CreateFirewallPolicy, CreateFirewall and their Describe,
Update and Delete forms; FirewallStatus.SyncStates; UpdateLoggingConfiguration ("one change at a time").
A firewall's endpoints are endpoints of the VPC (type GatewayLoadBalancer), so routes can lead to them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.networkfirewall import responses
from moto.networkfirewall.models import NetworkFirewallBackend
from moto.networkfirewall.responses import NetworkFirewallResponse

from twin.account.extensions.placing import place

Item = dict[str, Any]
_RULES, _POLICIES = "RuleGroup", "FirewallPolicy"
_PROTECTIONS = {
    "delete_protection": ("update_firewall_delete_protection", "DeleteProtection"),
    "subnet_change_protection": ("update_subnet_change_protection", "SubnetChangeProtection"),
    "firewall_policy_change_protection": (
        "update_firewall_policy_change_protection",
        "FirewallPolicyChangeProtection",
    ),
}


class Refused(JsonRESTError):
    """A request that AWS refuses."""

    code = 400


def install() -> None:
    """Add what is missing and give firewalls their endpoints."""
    for kind in (_RULES, _POLICIES):
        place(NetworkFirewallResponse, **_crud(kind))
    place(NetworkFirewallResponse, **{name: _protect(a, m) for a, (name, m) in _PROTECTIONS.items()})
    place(
        NetworkFirewallResponse,
        list_tags_for_resource=_list_tags,
        tag_resource=_tag,
        untag_resource=_untag,
        delete_firewall=_delete_firewall,
        update_logging_configuration=_one_change_at_a_time(),
        describe_logging_configuration=_describe_logging,
    )
    _endpoints()


def _given(self: Any) -> Item:
    found: Item = json.loads(self.body or "{}")
    return found


def _store(backend: Any, kind: str) -> dict[str, Item]:
    found: dict[str, Item] = backend.__dict__.setdefault(f"stockade_{kind}", {})
    return found


def _find(backend: Any, kind: str, given: Item) -> Item:
    known = _store(backend, kind)
    for item in known.values():
        if given.get(f"{kind}Arn") == item["arn"] or given.get(f"{kind}Name") == item["name"]:
            return item
    raise Refused("ResourceNotFoundException", f"No {kind} {given} was found.")


# ---------------------------------------------------------------------- rule groups and policies
def _crud(kind: str) -> dict[str, Callable[[Any], ActionResult]]:
    word = "rule_group" if kind == _RULES else "firewall_policy"

    def answer(backend: Any, item: Item, status: str = "ACTIVE") -> Item:
        body = {
            f"{kind}Name": item["name"],
            f"{kind}Arn": item["arn"],
            f"{kind}Id": item["id"],
            f"{kind}Status": status,
            "Tags": backend.tagger.list_tags_for_resource(item["arn"])["Tags"],
            "NumberOfAssociations": _uses(backend, kind, item["arn"]),
            **{name: item[name] for name in ("Description", "Type", "Capacity") if item.get(name)},
            "EncryptionConfiguration": item.get("EncryptionConfiguration") or {"Type": "AWS_OWNED_KMS_KEY"},
        }
        return {"UpdateToken": item["token"], f"{kind}Response": body}

    def create(self: Any) -> ActionResult:
        backend, given = self.networkfirewall_backend, _given(self)
        name, folder = given[f"{kind}Name"], "stateful-rulegroup" if kind == _RULES else "firewall-policy"
        arn = f"arn:aws:network-firewall:{self.region}:{self.current_account}:{folder}/{name}"
        if arn in _store(backend, kind):
            raise Refused("InvalidRequestException", f"A {kind} {name} exists.")
        for used in _references(given) if kind == _POLICIES else []:
            _find(backend, _RULES, {"RuleGroupArn": used})
        item = given | {"name": name, "arn": arn, "id": str(uuid.uuid4()), "token": str(uuid.uuid4())}
        _store(backend, kind)[arn] = item
        backend.tagger.tag_resource(arn, given.get("Tags") or [])
        return ActionResult(answer(backend, item))

    def describe(self: Any) -> ActionResult:
        backend = self.networkfirewall_backend
        item = _find(backend, kind, _given(self))
        return ActionResult({**answer(backend, item), kind: item[kind]})

    def update(self: Any) -> ActionResult:
        backend, given = self.networkfirewall_backend, _given(self)
        item = _find(backend, kind, given)
        if given["UpdateToken"] != item["token"]:
            raise Refused("InvalidTokenException", "Update token mismatch.")
        item |= {name: given[name] for name in (kind, "Description") if name in given}
        item["token"] = str(uuid.uuid4())
        return ActionResult(answer(backend, item))

    def delete(self: Any) -> ActionResult:
        backend = self.networkfirewall_backend
        item = _find(backend, kind, _given(self))
        if _uses(backend, kind, item["arn"]):
            raise Refused("InvalidOperationException", f"Unable to delete {item['arn']}: it is in use.")
        del _store(backend, kind)[item["arn"]]
        return ActionResult(answer(backend, item, "DELETING"))

    return {
        f"{verb}_{word}": call for verb, call in zip(_VERBS, (create, describe, update, delete), strict=True)
    }


_VERBS = ("create", "describe", "update", "delete")


def _references(policy: Item) -> list[str]:
    return [r["ResourceArn"] for r in policy[_POLICIES].get("StatefulRuleGroupReferences") or []]


def _uses(backend: Any, kind: str, arn: str) -> int:
    if kind == _RULES:
        return sum(arn in _references(policy) for policy in _store(backend, _POLICIES).values())
    return sum(firewall.firewall_policy_arn == arn for firewall in backend.firewalls.values())


# ---------------------------------------------------------------------- firewalls
def _endpoints() -> None:
    create, described = NetworkFirewallBackend.create_firewall, responses._firewall

    def create_firewall(self: Any, **given: Any) -> Any:
        _find(self, _POLICIES, {"FirewallPolicyArn": given["firewall_policy_arn"]})
        firewall: Any = create(self, **given)
        ec2 = ec2_backends[self.account_id][self.region_name]
        service = f"com.amazonaws.vpce.{self.region_name}.vpce-svc-{uuid.uuid4().hex[:17]}"
        states: dict[str, Item] = {}
        for mapping in firewall.subnet_mappings:
            subnet = ec2.get_subnet(mapping["SubnetId"])
            made = ec2.create_vpc_endpoint(
                vpc_id=firewall.vpc_id,
                service_name=service,
                endpoint_type="GatewayLoadBalancer",
                policy_document=None,
                route_table_ids=[],
                subnet_ids=[subnet.id],
            )
            attachment = {"SubnetId": subnet.id, "EndpointId": made.id, "Status": "READY"}
            states[subnet.availability_zone] = {"Attachment": attachment}
        firewall.firewall_status = {**firewall.firewall_status, "SyncStates": states}
        firewall.firewall_id = str(uuid.uuid4())
        return firewall

    def _firewall(firewall: Any) -> Item:
        answer: Item = described(firewall)
        # Only what the caller gave has a value; AWS leaves the rest out.
        answer["FirewallId"] = getattr(firewall, "firewall_id", "")
        return {name: value for name, value in answer.items() if value is not None}

    place(NetworkFirewallBackend, create_firewall=create_firewall)
    place(responses, _firewall=_firewall)


def _protect(attribute: str, member: str) -> Callable[[Any], ActionResult]:
    def update(self: Any) -> ActionResult:
        given = _given(self)
        backend = self.networkfirewall_backend
        firewall = backend._get_firewall(given.get("FirewallArn"), given.get("FirewallName"))
        setattr(firewall, attribute, bool(given[member]))
        body = {"FirewallArn": firewall.arn, "FirewallName": firewall.firewall_name}
        return ActionResult({**body, member: bool(given[member]), "UpdateToken": firewall.update_token})

    return update


def _delete_firewall(self: Any) -> ActionResult:
    backend, given = self.networkfirewall_backend, _given(self)
    firewall = backend._get_firewall(given.get("FirewallArn"), given.get("FirewallName"))
    if firewall.delete_protection:
        raise Refused("InvalidOperationException", "Unable to delete: delete protection is enabled.")
    if firewall.logging_configs.get("LogDestinationConfigs"):
        raise Refused("InvalidOperationException", "Unable to delete: it has a logging configuration.")
    ec2 = ec2_backends[self.current_account][self.region]
    states = firewall.firewall_status["SyncStates"].values()
    ec2.delete_vpc_endpoints([state["Attachment"]["EndpointId"] for state in states])
    del backend.firewalls[firewall.arn]
    status = {**firewall.firewall_status, "Status": "DELETING"}
    return ActionResult({"Firewall": responses._firewall(firewall), "FirewallStatus": status})


def _one_change_at_a_time() -> Callable[[Any], ActionResult]:
    update = NetworkFirewallResponse.update_logging_configuration

    def update_logging_configuration(self: Any) -> ActionResult:
        given = _given(self)
        backend = self.networkfirewall_backend
        firewall = backend._get_firewall(given.get("FirewallArn"), given.get("FirewallName"))
        before = {_log(c) for c in firewall.logging_configs.get("LogDestinationConfigs") or []}
        wanted = (given.get("LoggingConfiguration") or {}).get("LogDestinationConfigs") or []
        after = {_log(c) for c in wanted}
        if max(len(before - after), len(after - before)) > 1:
            raise Refused(
                "InvalidRequestException", "Only one LogDestinationConfig can be changed at a time."
            )
        update(self)
        firewall.logging_configs = {"LogDestinationConfigs": wanted}
        return _describe_logging(self)

    return update_logging_configuration


def _log(config: Item) -> str:
    return json.dumps(config, sort_keys=True)


def _describe_logging(self: Any) -> ActionResult:
    given, backend = _given(self), self.networkfirewall_backend
    firewall = backend._get_firewall(given.get("FirewallArn"), given.get("FirewallName"))
    body: Item = {"FirewallArn": firewall.arn}
    if firewall.logging_configs.get("LogDestinationConfigs"):
        body["LoggingConfiguration"] = firewall.logging_configs
    return ActionResult(body)


# ---------------------------------------------------------------------- tags
def _list_tags(self: Any) -> ActionResult:
    arn = _given(self)["ResourceArn"]
    return ActionResult({"Tags": self.networkfirewall_backend.tagger.list_tags_for_resource(arn)["Tags"]})


def _tag(self: Any) -> ActionResult:
    given = _given(self)
    self.networkfirewall_backend.tagger.tag_resource(given["ResourceArn"], given["Tags"])
    return ActionResult({})


def _untag(self: Any) -> ActionResult:
    given = _given(self)
    self.networkfirewall_backend.tagger.untag_resource_using_names(given["ResourceArn"], given["TagKeys"])
    return ActionResult({})
