"""Network ACLs: their entries, the subnets they stand before, and the VPC's default one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.network import the
from twin.program.handlers.spec import Call, Plain, Setting, Spec

# Assigned Internet Protocol Numbers (IANA); EC2 takes and gives numbers.
_NUMBERS = {"all": "-1", "icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58", "esp": "50"}
_LAST = 32767  # the entry that denies the rest; it cannot be removed


def number(protocol: Any) -> str:
    """A protocol's number as text."""
    return _NUMBERS.get(str(protocol).lower(), str(protocol))


def _entry(rule: Plain, egress: bool) -> Plain:
    protocol = number(rule["protocol"])
    entry: Plain = {"Protocol": protocol, "Egress": egress}
    entry["RuleNumber"] = int(rule.get("ruleNumber") or rule.get("ruleNo") or 0)
    entry["RuleAction"] = rule.get("ruleAction", rule.get("action"))
    for name, key in (("cidrBlock", "CidrBlock"), ("ipv6CidrBlock", "Ipv6CidrBlock")):
        if rule.get(name):
            entry[key] = rule[name]
    if protocol in {"6", "17"}:
        entry["PortRange"] = {"From": int(rule.get("fromPort", 0)), "To": int(rule.get("toPort", 0))}
    if protocol in {"1", "58"}:
        entry["IcmpTypeCode"] = {"Type": int(rule.get("icmpType", -1)), "Code": int(rule.get("icmpCode", -1))}
    return entry


def _acl(call: Call, identity: str) -> Plain | None:
    try:
        return dict(call.client("ec2").describe_network_acls(NetworkAclIds=[identity])["NetworkAcls"][0])
    except ClientError as error:
        if error.response["Error"]["Code"].endswith(".NotFound"):
            return None
        raise


def _set_entries(call: Call, identity: str) -> None:
    client = call.client("ec2")
    found = client.describe_network_acls(NetworkAclIds=[identity])["NetworkAcls"][0]
    for entry in found["Entries"]:
        if entry["RuleNumber"] < _LAST:
            client.delete_network_acl_entry(
                NetworkAclId=identity, RuleNumber=entry["RuleNumber"], Egress=entry["Egress"]
            )
    for direction, egress in (("ingress", False), ("egress", True)):
        for rule in call.inputs.get(direction) or []:
            client.create_network_acl_entry(NetworkAclId=identity, **_entry(rule, egress))


def _inline(entry: Plain) -> Plain:
    return {
        "protocol": str(entry["Protocol"]),
        "ruleNo": entry["RuleNumber"],
        "action": entry["RuleAction"],
        "cidrBlock": entry.get("CidrBlock", ""),
        "ipv6CidrBlock": entry.get("Ipv6CidrBlock", ""),
        "fromPort": entry.get("PortRange", {}).get("From", 0),
        "toPort": entry.get("PortRange", {}).get("To", 0),
        "icmpType": entry.get("IcmpTypeCode", {}).get("Type", 0),
        "icmpCode": entry.get("IcmpTypeCode", {}).get("Code", 0),
    }


def _acl_facts(call: Call, identity: str, item: Plain) -> Plain:
    facts: Plain = {"arn": call.arn("ec2", f"network-acl/{identity}"), "defaultNetworkAclId": identity}
    facts["subnetIds"] = [association["SubnetId"] for association in item["Associations"]]
    for direction, egress in (("ingress", False), ("egress", True)):
        entries = [e for e in item["Entries"] if e["Egress"] is egress and e["RuleNumber"] < _LAST]
        found = [_inline(entry) for entry in entries]
        wanted = call.inputs.get(direction)
        facts[direction] = _as_written(wanted, found) if wanted else found
    return facts


def _as_written(wanted: list[Plain], found: list[Plain]) -> list[Plain]:
    # the program may say "tcp" where EC2 says "6"; same numbers, same rule
    words = {(rule.get("ruleNo"), number(rule["protocol"])): rule["protocol"] for rule in wanted}
    return [
        {**rule, "protocol": words.get((rule["ruleNo"], rule["protocol"]), rule["protocol"])}
        for rule in found
    ]


def stand_before(call: Call, subnet: str, acl: str) -> str:
    """Put an ACL before a subnet; returns the association's id."""
    found = the(call, "describe_network_acls", "NetworkAcls", **{"association.subnet_id": subnet})
    now = next(a for item in found for a in item["Associations"] if a["SubnetId"] == subnet)
    if now["NetworkAclId"] == acl:
        return str(now["NetworkAclAssociationId"])
    replace = call.client("ec2").replace_network_acl_association
    return str(replace(AssociationId=now["NetworkAclAssociationId"], NetworkAclId=acl)["NewAssociationId"])


def _default_of(call: Call, vpc: str) -> str:
    found = the(call, "describe_network_acls", "NetworkAcls", vpc_id=vpc)
    return str(next(acl["NetworkAclId"] for acl in found if acl["IsDefault"]))


def _set_subnets(call: Call, identity: str) -> None:
    found = call.client("ec2").describe_network_acls(NetworkAclIds=[identity])["NetworkAcls"][0]
    wanted = set(call.inputs.get("subnetIds") or [])
    for association in found["Associations"]:
        if association["SubnetId"] not in wanted and not found["IsDefault"]:
            stand_before(call, association["SubnetId"], _default_of(call, found["VpcId"]))
    for subnet in sorted(wanted):
        stand_before(call, subnet, identity)


def _release(call: Call, identity: str, _outputs: Plain) -> None:
    acl = _acl(call, identity)
    for association in acl["Associations"] if acl else []:
        stand_before(call, association["SubnetId"], _default_of(call, acl["VpcId"] if acl else ""))


@dataclass(frozen=True, kw_only=True)
class DefaultAcl(Spec):
    """Adopts the VPC's default ACL and strips it; deleting leaves it to the VPC."""

    def make(self, call: Call) -> str:
        """The ACL named by the input."""
        return str(call.inputs["defaultNetworkAclId"])

    def settle(self, call: Call, identity: str) -> None:
        """Only the entries stated remain."""
        _set_entries(call, identity)
        if call.inputs.get("subnetIds"):
            _set_subnets(call, identity)
        self.retag(call, identity)


@dataclass(frozen=True, kw_only=True)
class AclRule(Spec):
    """One entry; the ACL, its number and direction are its identity."""

    def make(self, call: Call) -> str:
        """Create the entry."""
        given = call.inputs
        egress = bool(given.get("egress"))
        with call.aws.once(call.token):
            call.client("ec2").create_network_acl_entry(
                NetworkAclId=given["networkAclId"], **_entry(given, egress)
            )
        key = f"{given['networkAclId']}-{given['ruleNumber']}-{egress}-{number(given['protocol'])}-"
        return f"nacl-{int(hashlib.sha256(key.encode()).hexdigest()[:8], 16)}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The entry by number and direction."""
        given = call.inputs
        found = _acl(call, given["networkAclId"])
        for entry in found["Entries"] if found else []:
            if entry["RuleNumber"] == int(given["ruleNumber"]) and entry["Egress"] == bool(
                given.get("egress")
            ):
                return dict(entry)
        return None

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete by number and direction."""
        if self.fetch(call, identity) is None:
            return
        given = call.inputs
        call.client("ec2").delete_network_acl_entry(
            NetworkAclId=given["networkAclId"],
            RuleNumber=int(given["ruleNumber"]),
            Egress=bool(given.get("egress")),
        )


def _rule_facts(call: Call, _identity: str, item: Plain) -> Plain:
    inline = _inline(item)
    said = call.inputs["protocol"]
    same = number(said) == inline["protocol"]
    return {
        **inline,
        "networkAclId": call.inputs["networkAclId"],
        "protocol": said if same else inline["protocol"],
        "ruleNumber": inline["ruleNo"],
        "ruleAction": inline["action"],
    }


@dataclass(frozen=True, kw_only=True)
class AclAssociation(Spec):
    """Which ACL stands before a subnet."""

    def make(self, call: Call) -> str:
        """Replace the subnet's association."""
        return stand_before(call, call.inputs["subnetId"], call.inputs["networkAclId"])

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The association by id."""
        found = the(call, "describe_network_acls", "NetworkAcls", **{"association.association_id": identity})
        for acl in found:
            for association in acl["Associations"]:
                if association["NetworkAclAssociationId"] == identity:
                    return dict(association)
        return None

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """A subnet always has an ACL: the VPC's default one takes over."""
        if self.fetch(call, identity) is None:
            return
        acl = _acl(call, call.inputs["networkAclId"])
        if acl is not None:
            stand_before(call, call.inputs["subnetId"], _default_of(call, acl["VpcId"]))


_ACL: Plain = {
    "service": "ec2",
    "read": "describe_network_acls",
    "by": "NetworkAclIds",
    "item": "NetworkAcls[0]",
    "tag_kind": "network-acl",
    "more": _acl_facts,
    "after": (Setting(("ingress", "egress"), _set_entries), Setting(("subnetIds",), _set_subnets)),
}

SPECS = (
    Spec(
        type="aws:ec2/networkAcl:NetworkAcl",
        create="create_network_acl",
        made="NetworkAcl.NetworkAclId",
        delete="delete_network_acl",
        delete_by="NetworkAclId",
        before_delete=_release,
        **_ACL,
    ),
    DefaultAcl(type="aws:ec2/defaultNetworkAcl:DefaultNetworkAcl", **_ACL),
    AclRule(
        type="aws:ec2/networkAclRule:NetworkAclRule",
        service="ec2",
        exclusive=True,
        more=_rule_facts,
    ),
    AclAssociation(
        type="aws:ec2/networkAclAssociation:NetworkAclAssociation",
        service="ec2",
        exclusive=True,
    ),
)
