"""Route 53 Resolver: query logging and DNS Firewall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin.program.handlers.spec import Call, Plain, Setting, Spec, tag_list, tags_of

_SERVICE = "route53resolver"


class Tagged(Spec):
    """What Route 53 Resolver tags by ARN."""

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        client, item = call.client(_SERVICE), self.fetch(call, identity)
        arn = (item or {})["Arn"]
        stale = set(tags_of(client.list_tags_for_resource(ResourceArn=arn))) - set(call.tags)
        if stale:
            client.untag_resource(ResourceArn=arn, TagKeys=sorted(stale))
        client.tag_resource(ResourceArn=arn, Tags=tag_list(call.tags))


def _tagged_facts(call: Call, _identity: str, item: Plain) -> Plain:
    found = call.client(_SERVICE).list_tags_for_resource(ResourceArn=item["Arn"])
    return {"tagsAll": tags_of(found)}


# ---------------------------------------------------------------------- query logging
class LogAssociation(Spec):
    """A VPC whose queries are logged."""

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """By configuration and VPC; the association's own id is no parameter."""
        item = self.fetch(call, identity)
        if item is not None:
            call.client(_SERVICE).disassociate_resolver_query_log_config(
                ResolverQueryLogConfigId=item["ResolverQueryLogConfigId"], ResourceId=item["ResourceId"]
            )

    def is_dead(self, item: Plain) -> bool:
        """A failed one is there, and to be seen."""
        return bool(item["Status"] == "DELETING")


# ---------------------------------------------------------------------- DNS Firewall
def _domains(call: Call, identity: str) -> None:
    call.client(_SERVICE).update_firewall_domains(
        FirewallDomainListId=identity, Operation="REPLACE", Domains=call.inputs.get("domains") or []
    )


def _list_facts(call: Call, identity: str, item: Plain) -> Plain:
    pages = call.client(_SERVICE).get_paginator("list_firewall_domains")
    found = pages.paginate(FirewallDomainListId=identity).build_full_result()
    return _tagged_facts(call, identity, item) | {"domains": found["Domains"]}


class Rule(Spec):
    """A rule; its group and list are its identity."""

    def identify(self, call: Call, answer: Plain) -> str:
        """As the provider spells it."""
        return f"{call.inputs['firewallRuleGroupId']}:{call.inputs['firewallDomainListId']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The group's rule for this list."""
        group, _, domains = identity.partition(":")
        client = call.client(_SERVICE)
        try:
            found = client.list_firewall_rules(FirewallRuleGroupId=group)["FirewallRules"]
        except client.exceptions.ResourceNotFoundException:
            return None
        return next((dict(rule) for rule in found if rule["FirewallDomainListId"] == domains), None)

    def is_dead(self, item: Plain) -> bool:
        """A rule has no life of its own."""
        return False

    def can_change(self, changed: set[str]) -> bool:
        """Everything but what it is known by."""
        return not changed & {"firewallRuleGroupId", "firewallDomainListId", "region"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """UpdateFirewallRule takes what CreateFirewallRule takes."""
        client = call.client(_SERVICE)
        client.update_firewall_rule(**self.create_params(client, call))

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """By group and list."""
        if self.fetch(call, identity) is not None:
            group, _, domains = identity.partition(":")
            call.client(_SERVICE).delete_firewall_rule(
                FirewallRuleGroupId=group, FirewallDomainListId=domains
            )


@dataclass(frozen=True, kw_only=True)
class Association(Tagged):
    """A rule group in force for a VPC."""

    def can_change(self, changed: set[str]) -> bool:
        """What UpdateFirewallRuleGroupAssociation takes."""
        return changed <= {"mutationProtection", "priority", "name", "tags", "tagsAll"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Under mutation protection AWS takes the end of the protection only, so that comes first."""
        client, names = call.client(_SERVICE), {"priority": "Priority", "name": "Name"}
        given = {names[key]: call.inputs[key] for key in changed & set(names)}
        steps = [given] if given else []
        if "mutationProtection" in changed:
            steps.insert(0, {"MutationProtection": call.inputs["mutationProtection"]})
        for step in steps:
            client.update_firewall_rule_group_association(FirewallRuleGroupAssociationId=identity, **step)
        if changed & {"tags", "tagsAll"}:
            self.retag(call, identity)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """AWS refuses while the protection holds; only an account that ends has it lifted for it."""
        if call.ending and self.fetch(call, identity) is not None:
            call.client(_SERVICE).update_firewall_rule_group_association(
                FirewallRuleGroupAssociationId=identity, MutationProtection="DISABLED"
            )
        super().drop(call, identity, outputs)


class FailureMode(Spec):
    """What the resolver does with queries that the firewall could not judge; one per VPC."""

    def make(self, call: Call) -> str:
        """A VPC has the setting from its beginning."""
        self.change(call, call.inputs["resourceId"], set())
        return str(self.fetch(call, call.inputs["resourceId"])["Id"])  # type: ignore[index]

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The VPC's setting."""
        client = call.client(_SERVICE)
        try:
            return dict(client.get_firewall_config(ResourceId=call.inputs["resourceId"])["FirewallConfig"])
        except client.exceptions.ResourceNotFoundException:
            return None

    def can_change(self, changed: set[str]) -> bool:
        """The mode."""
        return changed <= {"firewallFailOpen"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Set it."""
        call.client(_SERVICE).update_firewall_config(
            ResourceId=call.inputs["resourceId"],
            FirewallFailOpen=call.inputs.get("firewallFailOpen", "DISABLED"),
        )

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Back to AWS's default, which is closed."""
        if self.fetch(call, identity) is not None:
            call.client(_SERVICE).update_firewall_config(
                ResourceId=call.inputs["resourceId"], FirewallFailOpen="DISABLED"
            )


def _kind(word: str, kind: str, *, made_by: str = "create") -> dict[str, Any]:
    """The regular part: operations and members are named after the kind."""
    member = "".join(part.capitalize() for part in word.split("_"))
    ends = {"create": "delete", "associate": "disassociate"}[made_by]
    noun = word.removesuffix("_association") if made_by == "associate" else word
    return {
        "type": f"aws:route53/{kind[:1].lower()}{kind[1:]}:{kind}",
        "service": _SERVICE,
        "create": f"{made_by}_{noun}",
        "made": f"{member}.Id",
        "read": f"get_{word}",
        "by": f"{member}Id",
        "item": member,
        "delete": f"{ends}_{noun}",
        "delete_by": f"{member}Id",
    }


SPECS: tuple[Spec, ...] = (
    Tagged(
        **_kind("resolver_query_log_config", "ResolverQueryLogConfig"),
        tags_as="Tags",
        name_input="name",
        more=_tagged_facts,
    ),
    LogAssociation(
        **_kind(
            "resolver_query_log_config_association",
            "ResolverQueryLogConfigAssociation",
            made_by="associate",
        ),
        exclusive=True,
    ),
    Tagged(
        **_kind("firewall_domain_list", "ResolverFirewallDomainList"),
        tags_as="Tags",
        name_input="name",
        after=(Setting(("domains",), _domains),),
        more=_list_facts,
    ),
    Tagged(
        **_kind("firewall_rule_group", "ResolverFirewallRuleGroup"),
        tags_as="Tags",
        name_input="name",
        more=_tagged_facts,
    ),
    Rule(
        type="aws:route53/resolverFirewallRule:ResolverFirewallRule",
        service=_SERVICE,
        create="create_firewall_rule",
        name_input="name",
        exclusive=True,
        rename={"qType": "Qtype"},
    ),
    Association(
        **_kind(
            "firewall_rule_group_association", "ResolverFirewallRuleGroupAssociation", made_by="associate"
        ),
        tags_as="Tags",
        name_input="name",
        exclusive=True,
        more=_tagged_facts,
    ),
    FailureMode(type="aws:route53/resolverFirewallConfig:ResolverFirewallConfig", service=_SERVICE),
)
