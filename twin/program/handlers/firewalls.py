"""Security groups and network ACLs, their rules, and the VPC's default ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from twin.program.handlers.network import the
from twin.program.handlers.spec import Call, Plain, Setting, Spec

Atom = tuple[str, str, str, str, str, str]
_DIRECTIONS = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}
_SOURCES = {
    "cidrBlocks": ("IpRanges", "CidrIp"),
    "ipv6CidrBlocks": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListIds": ("PrefixListIds", "PrefixListId"),
    "securityGroups": ("UserIdGroupPairs", "GroupId"),
}


# ---------------------------------------------------------------------- inline rules of a group
def _permission(rule: Plain, group: str) -> Plain:
    protocol = str(rule.get("protocol", "-1"))
    permission: Plain = {"IpProtocol": protocol}
    if protocol not in {"-1", "all"}:
        permission |= {"FromPort": int(rule.get("fromPort", -1)), "ToPort": int(rule.get("toPort", -1))}
    said = {"Description": rule["description"]} if rule.get("description") else {}
    for name, (member, key) in _SOURCES.items():
        values = list(rule.get(name) or [])
        if name == "securityGroups" and rule.get("self"):
            values.append(group)
        if values:
            permission[member] = [{key: value, **said} for value in values]
    return permission


def _atoms(permissions: Iterable[Plain]) -> set[Atom]:
    found: set[Atom] = set()
    for entry in permissions:
        ports = str(entry.get("FromPort", "")), str(entry.get("ToPort", ""))
        ports = ("", "") if entry["IpProtocol"] == "-1" else ports
        for member, key in _SOURCES.values():
            for source in entry.get(member) or []:
                said = source.get("Description") or ""
                found.add((entry["IpProtocol"], *ports, key, source[key], said))
    return found


def _written(entry: Plain, group: str) -> Plain:
    rule: Plain = {
        "protocol": entry["IpProtocol"],
        "fromPort": entry.get("FromPort", 0),
        "toPort": entry.get("ToPort", 0),
    }
    for name, (member, key) in _SOURCES.items():
        rule[name] = [source[key] for source in entry.get(member) or []]
    rule["self"] = group in rule["securityGroups"]
    rule["securityGroups"] = [other for other in rule["securityGroups"] if other != group]
    return rule


def _set_rules(direction: str) -> Setting:
    def apply(call: Call, identity: str) -> None:
        client = call.client("ec2")
        found = client.describe_security_groups(GroupIds=[identity])["SecurityGroups"][0]
        now, wanted = found.get(_DIRECTIONS[direction]) or [], call.inputs.get(direction) or []
        if now:
            getattr(client, f"revoke_security_group_{direction}")(GroupId=identity, IpPermissions=now)
        if wanted:
            permissions = [_permission(rule, identity) for rule in wanted]
            authorize = getattr(client, f"authorize_security_group_{direction}")
            authorize(GroupId=identity, IpPermissions=permissions)

    return Setting((direction,), apply)


def _group_facts(call: Call, identity: str, item: Plain) -> Plain:
    facts: Plain = {"arn": item.get("SecurityGroupArn") or call.arn("ec2", f"security-group/{identity}")}
    for direction, member in _DIRECTIONS.items():
        found = item.get(member) or []
        wanted = call.inputs.get(direction)
        if wanted is not None and _atoms(_permission(r, identity) for r in wanted) == _atoms(found):
            facts[direction] = wanted  # AWS merges rules of one port; same set of atoms, so the same rules
        else:
            facts[direction] = [_written(entry, identity) for entry in found]
    return facts


@dataclass(frozen=True, kw_only=True)
class SecurityGroup(Spec):
    """AWS gives a new group an egress rule to everywhere; the provider takes it away."""

    def settle(self, call: Call, identity: str) -> None:
        """Strip egress, then the inline rules."""
        _set_rules("egress").apply(call, identity)
        if "ingress" in call.inputs:
            _set_rules("ingress").apply(call, identity)


@dataclass(frozen=True, kw_only=True)
class DefaultSecurityGroup(Spec):
    """Adopts the VPC's default group and strips it; deleting leaves it to the VPC."""

    def make(self, call: Call) -> str:
        """The VPC's default group."""
        groups = the(
            call,
            "describe_security_groups",
            "SecurityGroups",
            vpc_id=call.inputs["vpcId"],
            group_name="default",
        )
        return str(groups[0]["GroupId"])

    def settle(self, call: Call, identity: str) -> None:
        """Only the rules stated remain."""
        for direction in _DIRECTIONS:
            _set_rules(direction).apply(call, identity)
        self.retag(call, identity)


# ---------------------------------------------------------------------- rules with an id of their own
@dataclass(frozen=True, kw_only=True)
class GroupRule(Spec):
    """One rule of a security group."""

    direction: str

    def create_params(self, client: Any, call: Call) -> Plain:
        """One permission with one source."""
        given = call.inputs
        protocol = str(given["ipProtocol"])
        permission: Plain = {"IpProtocol": protocol}
        if protocol != "-1":
            permission |= {"FromPort": int(given["fromPort"]), "ToPort": int(given["toPort"])}
        said = {"Description": given["description"]} if given.get("description") else {}
        sources = {
            "cidrIpv4": ("IpRanges", "CidrIp"),
            "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
            "prefixListId": ("PrefixListIds", "PrefixListId"),
            "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
        }
        for name, (member, key) in sources.items():
            if given.get(name):
                permission[member] = [{key: given[name], **said}]
        parameters: Plain = {"GroupId": given["securityGroupId"], "IpPermissions": [permission]}
        if call.tags:
            tags = [{"Key": k, "Value": v} for k, v in call.tags.items()]
            parameters["TagSpecifications"] = [{"ResourceType": self.tag_kind, "Tags": tags}]
        return parameters

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Revoke by id."""
        if self.fetch(call, identity) is None:
            return
        revoke = getattr(call.client("ec2"), f"revoke_security_group_{self.direction}")
        revoke(GroupId=call.inputs["securityGroupId"], SecurityGroupRuleIds=[identity])


def _rule_facts(call: Call, identity: str, item: Plain) -> Plain:
    return {
        "arn": call.arn("ec2", f"security-group-rule/{identity}"),
        "securityGroupRuleId": identity,
        "securityGroupId": item["GroupId"],
        "referencedSecurityGroupId": (item.get("ReferencedGroupInfo") or {}).get("GroupId"),
    }


def _group_rule(name: str, direction: str) -> GroupRule:
    return GroupRule(
        type=f"aws:vpc/{name[0].lower()}{name[1:]}:{name}",
        direction=direction,
        service="ec2",
        create=f"authorize_security_group_{direction}",
        made="SecurityGroupRules[0].SecurityGroupRuleId",
        read="describe_security_group_rules",
        by="SecurityGroupRuleIds",
        item="SecurityGroupRules[0]",
        tag_kind="security-group-rule",
        more=_rule_facts,
        exclusive=True,
    )


_GROUP: Plain = {
    "service": "ec2",
    "read": "describe_security_groups",
    "by": "GroupIds",
    "item": "SecurityGroups[0]",
    "tag_kind": "security-group",
    "outputs": {"name": "GroupName"},
    "after": (_set_rules("ingress"), _set_rules("egress")),
    "more": _group_facts,
}

SPECS = (
    SecurityGroup(
        type="aws:ec2/securityGroup:SecurityGroup",
        create="create_security_group",
        made="GroupId",
        delete="delete_security_group",
        delete_by="GroupId",
        rename={"name": "GroupName"},
        name_input="name",
        defaults={"description": "Managed by Pulumi"},
        write_only=frozenset(
            {"revokeRulesOnDelete"}
        ),  # how the provider deletes, not a property of the group
        **_GROUP,
    ),
    DefaultSecurityGroup(type="aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", **_GROUP),
    _group_rule("SecurityGroupIngressRule", "ingress"),
    _group_rule("SecurityGroupEgressRule", "egress"),
)
