"""Route 53 Resolver DNS Firewall, which moto 5.2.5 lacks.

Route 53 Resolver API reference: FirewallDomainList, FirewallRuleGroup, FirewallRule,
FirewallRuleGroupAssociation and FirewallConfig with their errors. What is in use cannot be deleted
(ConflictException), and an association under mutation protection can only have that protection changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.route53resolver.exceptions import ResourceNotFoundException
from moto.route53resolver.models import Route53ResolverBackend
from moto.route53resolver.responses import Route53ResolverResponse

from twin.account.extensions.placing import place
from twin.account.extensions.resolver_store import (
    ASSOCIATIONS,
    GROUPS,
    LISTS,
    Conflict,
    Invalid,
    Item,
    Store,
    store,
)

_BLOCK_RESPONSES = {"NODATA", "NXDOMAIN", "OVERRIDE"}
_LIST_HIDES = {"Domains", "DomainCount", "Status", "StatusMessage", "CreationTime", "ModificationTime"}


def install() -> None:
    """Add the operations, and let tags know the new ARNs."""
    place(Route53ResolverResponse, **_domain_lists(), **_rule_groups(), **_rules(), **_associations())
    place(
        Route53ResolverResponse,
        update_firewall_config=_answer("FirewallConfig", _update_config),
        get_firewall_config=_answer("FirewallConfig", lambda s, p: s.config(p["ResourceId"])),
        list_firewall_configs=_answer("FirewallConfigs", lambda s, _: list(s.configs.values())),
    )
    known = Route53ResolverBackend._matched_arn

    def _matched_arn(self: Any, resource_arn: str) -> None:
        ours = {item["Arn"] for item in store(self).items.values() if "Arn" in item}
        ours |= {config.arn for config in self.resolver_query_log_configs.values()}
        if resource_arn not in ours:
            known(self, resource_arn)

    place(Route53ResolverBackend, _matched_arn=_matched_arn)


def _answer(member: str, act: Callable[[Store, dict[str, Any]], Any]) -> Callable[[Any], str]:
    def operation(self: Any) -> str:
        parameters = json.loads(self.body or "{}")
        return json.dumps({member: act(store(self.route53resolver_backend), parameters)})

    return operation


def _plain(act: Callable[[Store, dict[str, Any]], Any]) -> Callable[[Any], str]:
    def operation(self: Any) -> str:
        return json.dumps(act(store(self.route53resolver_backend), json.loads(self.body or "{}")))

    return operation


# ---------------------------------------------------------------------- domain lists
def _domain_lists() -> dict[str, Any]:
    def create(known: Store, given: dict[str, Any]) -> Item:
        return _public_list(known.add(LISTS, given, {"Domains": []}))

    def update(known: Store, given: dict[str, Any]) -> Item:
        item, now = known.get(LISTS, given["FirewallDomainListId"]), given["Domains"]
        # Stored as a name server spells it: the root's dot at the end.
        now = [domain if domain.endswith(".") else f"{domain}." for domain in now]
        kept = {
            "REPLACE": now,
            "ADD": [*item["Domains"], *(d for d in now if d not in item["Domains"])],
            "REMOVE": [d for d in item["Domains"] if d not in now],
        }
        item["Domains"] = kept[given["Operation"]]
        return {k: item[k] for k in ("Id", "Name", "Status", "StatusMessage")}

    def delete(known: Store, given: dict[str, Any]) -> Item:
        identity = given["FirewallDomainListId"]
        if any(rule["FirewallDomainListId"] == identity for rule in known.rules):
            raise Conflict(f"[RSLVR-02403] The domain list '{identity}' is used by a rule")
        return _public_list(known.remove(LISTS, identity))

    return {
        "create_firewall_domain_list": _answer("FirewallDomainList", create),
        "get_firewall_domain_list": _answer(
            "FirewallDomainList", lambda s, p: _public_list(s.get(LISTS, p["FirewallDomainListId"]))
        ),
        "list_firewall_domain_lists": _answer(
            "FirewallDomainLists",
            lambda s, _: [{k: v for k, v in i.items() if k not in _LIST_HIDES} for i in s.of(LISTS).values()],
        ),
        "list_firewall_domains": _answer(
            "Domains", lambda s, p: s.get(LISTS, p["FirewallDomainListId"])["Domains"]
        ),
        "update_firewall_domains": _plain(update),
        "delete_firewall_domain_list": _answer("FirewallDomainList", delete),
    }


def _public_list(item: Item) -> Item:
    return {k: v for k, v in item.items() if k != "Domains"} | {"DomainCount": len(item["Domains"])}


# ---------------------------------------------------------------------- rule groups and rules
def _rule_groups() -> dict[str, Any]:
    def described(known: Store, item: Item) -> Item:
        return {**item, "RuleCount": sum(r["FirewallRuleGroupId"] == item["Id"] for r in known.rules)}

    def create(known: Store, given: dict[str, Any]) -> Item:
        facts = {"OwnerId": known.backend.account_id, "ShareStatus": "NOT_SHARED"}
        return described(known, known.add(GROUPS, given, facts))

    def delete(known: Store, given: dict[str, Any]) -> Item:
        identity = given["FirewallRuleGroupId"]
        used = [a for a in known.of(ASSOCIATIONS).values() if a["FirewallRuleGroupId"] == identity]
        if used or any(rule["FirewallRuleGroupId"] == identity for rule in known.rules):
            raise Conflict(f"[RSLVR-02103] The rule group '{identity}' still has rules or associations")
        return described(known, known.remove(GROUPS, identity))

    return {
        "create_firewall_rule_group": _answer("FirewallRuleGroup", create),
        "get_firewall_rule_group": _answer(
            "FirewallRuleGroup", lambda s, p: described(s, s.get(GROUPS, p["FirewallRuleGroupId"]))
        ),
        "list_firewall_rule_groups": _answer("FirewallRuleGroups", lambda s, _: list(s.of(GROUPS).values())),
        "delete_firewall_rule_group": _answer("FirewallRuleGroup", delete),
    }


def _rules() -> dict[str, Any]:
    def find(known: Store, given: dict[str, Any]) -> Item:
        keys = ("FirewallRuleGroupId", "FirewallDomainListId", "Qtype")
        wanted = {k: given[k] for k in keys if given.get(k)}
        found = [rule for rule in known.rules if all(rule.get(k) == v for k, v in wanted.items())]
        if not found:
            raise ResourceNotFoundException("The firewall rule does not exist")
        return found[0]

    def checked(known: Store, rule: Item) -> Item:
        known.get(GROUPS, rule["FirewallRuleGroupId"])
        known.get(LISTS, rule["FirewallDomainListId"])
        if rule["Action"] == "BLOCK" and rule.get("BlockResponse") not in _BLOCK_RESPONSES:
            raise Invalid("BlockResponse is required when the Action is BLOCK")
        if rule["Action"] != "BLOCK" and rule.get("BlockResponse"):
            raise Invalid("BlockResponse is only allowed when the Action is BLOCK")
        for other in known.rules:
            if other is not rule and (
                other["FirewallRuleGroupId"] == rule["FirewallRuleGroupId"]
                and (
                    other["Priority"] == rule["Priority"]
                    or other["FirewallDomainListId"] == rule["FirewallDomainListId"]
                )
            ):
                raise Invalid("priority and domain list are unique within a rule group")
        return rule

    def create(known: Store, given: dict[str, Any]) -> Item:
        now = datetime.now(UTC).isoformat()
        rule = {"FirewallDomainRedirectionAction": "INSPECT_REDIRECTION_DOMAIN", "Status": "COMPLETE"}
        rule = checked(known, {**rule, **given, "CreationTime": now, "ModificationTime": now})
        known.rules.append(rule)
        return rule

    def update(known: Store, given: dict[str, Any]) -> Item:
        rule = find(known, given)
        checked(known, {**rule, **given, "Priority": given.get("Priority", -1)})
        rule.update(given)
        return rule

    def delete(known: Store, given: dict[str, Any]) -> Item:
        rule = find(known, given)
        known.rules.remove(rule)
        return rule

    return {
        "create_firewall_rule": _answer("FirewallRule", create),
        "update_firewall_rule": _answer("FirewallRule", update),
        "delete_firewall_rule": _answer("FirewallRule", delete),
        "list_firewall_rules": _answer(
            "FirewallRules",
            lambda s, p: sorted(
                (
                    r
                    for r in s.rules
                    if r["FirewallRuleGroupId"] == s.get(GROUPS, p["FirewallRuleGroupId"])["Id"]
                ),
                key=lambda rule: int(rule["Priority"]),
            ),
        ),
    }


# ---------------------------------------------------------------------- associations and the VPC's setting
def _associations() -> dict[str, Any]:
    def create(known: Store, given: dict[str, Any]) -> Item:
        known.get(GROUPS, given["FirewallRuleGroupId"])
        known.vpc(given["VpcId"])
        if not 100 < int(given["Priority"]) < 9900:
            raise Invalid("Priority must be greater than 100 and less than 9900")
        mine = [a for a in known.of(ASSOCIATIONS).values() if a["VpcId"] == given["VpcId"]]
        if any(
            a["Priority"] == given["Priority"] or a["FirewallRuleGroupId"] == given["FirewallRuleGroupId"]
            for a in mine
        ):
            raise Conflict("[RSLVR-02302] the VPC has an association with this rule group or priority")
        return known.add(ASSOCIATIONS, {"MutationProtection": "DISABLED", **given}, {})

    def update(known: Store, given: dict[str, Any]) -> Item:
        item = known.get(ASSOCIATIONS, given["FirewallRuleGroupAssociationId"])
        asked = {k: v for k, v in given.items() if k != "FirewallRuleGroupAssociationId" and item.get(k) != v}
        if item["MutationProtection"] == "ENABLED" and set(asked) - {"MutationProtection"}:
            raise Conflict("[RSLVR-02304] mutation protection is enabled for this association")
        item.update(asked)
        return item

    def delete(known: Store, given: dict[str, Any]) -> Item:
        identity = given["FirewallRuleGroupAssociationId"]
        if known.get(ASSOCIATIONS, identity)["MutationProtection"] == "ENABLED":
            raise Conflict("[RSLVR-02304] mutation protection is enabled for this association")
        return known.remove(ASSOCIATIONS, identity)

    def listed(known: Store, given: dict[str, Any]) -> list[Item]:
        keys = ("FirewallRuleGroupId", "VpcId", "Priority", "Status")
        wanted = {k: given[k] for k in keys if given.get(k)}
        found = known.of(ASSOCIATIONS).values()
        return [item for item in found if all(item.get(k) == v for k, v in wanted.items())]

    return {
        "associate_firewall_rule_group": _answer("FirewallRuleGroupAssociation", create),
        "update_firewall_rule_group_association": _answer("FirewallRuleGroupAssociation", update),
        "get_firewall_rule_group_association": _answer(
            "FirewallRuleGroupAssociation",
            lambda s, p: s.get(ASSOCIATIONS, p["FirewallRuleGroupAssociationId"]),
        ),
        "list_firewall_rule_group_associations": _answer("FirewallRuleGroupAssociations", listed),
        "disassociate_firewall_rule_group": _answer("FirewallRuleGroupAssociation", delete),
    }


def _update_config(known: Store, given: dict[str, Any]) -> Item:
    config = known.config(given["ResourceId"])
    config["FirewallFailOpen"] = given["FirewallFailOpen"]
    return config
