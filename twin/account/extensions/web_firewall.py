"""AWS WAF v2: one web ACL in front of a resource, what is in use stays, logs go where AWS lets them.

AWS WAFV2 API reference: AssociateWebACL, ListResourcesForWebACL, UpdateWebACL ("replaces the existing
rules"), DeleteIPSet and DeleteWebACL (WAFAssociatedItemException), PutLoggingConfiguration
(WAFLogDestinationPermissionIssueException); Developer Guide, "Rule statements", for capacity units.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from moto.elbv2.models import elbv2_backends
from moto.logs.models import logs_backends
from moto.wafv2.exceptions import WAFNonexistentItemException, WAFv2ClientError
from moto.wafv2.models import FakeWebACL, WAFV2Backend
from moto.wafv2.responses import WAFV2Response

from twin.account.extensions import trust
from twin.account.extensions.placing import place

_LOG_PREFIX = "aws-waf-logs-"
_DELIVERY = "delivery.logs.amazonaws.com"
_MOST_CAPACITY = 5000
_UP_TO_RULES = 7  # where the rules stand among the arguments of moto's create_web_acl
# Developer Guide, "AWS Managed Rules rule groups list", read 2026-11-22.
_GROUPS = {
    "AWSManagedRulesAmazonIpReputationList": 25,
    "AWSManagedRulesAnonymousIpList": 50,
    "AWSManagedRulesKnownBadInputsRuleSet": 200,
    "AWSManagedRulesCommonRuleSet": 700,
    "AWSManagedRulesSQLiRuleSet": 200,
    "AWSManagedRulesLinuxRuleSet": 200,
}
_BASE = {"IPSetReferenceStatement": 1, "RateBasedStatement": 2, "SizeConstraintStatement": 1}
_UNITS_OF_A_TRANSFORMATION = 10


def install() -> None:
    """Replace what moto answers more simply than AWS does."""
    _web_acls()
    _ip_sets()
    _logging()
    _associations()


def _error(name: str, message: str) -> WAFv2ClientError:
    return WAFv2ClientError(name, message)


# ---------------------------------------------------------------------- web ACLs
def _units(statement: dict[str, Any]) -> int:
    ((kind, body),) = statement.items()
    if kind in ("OrStatement", "AndStatement"):
        return sum(_units(inner) for inner in body["Statements"])
    if kind == "NotStatement":
        return _units(body["Statement"])
    if kind == "ManagedRuleGroupStatement":
        known = _GROUPS.get(body["Name"])
        if known is None:
            raise _error("WAFNonexistentItemException", f"no managed rule group {body['Name']}")
        return known + (_units(body["ScopeDownStatement"]) if "ScopeDownStatement" in body else 0)
    changes = [t for t in body.get("TextTransformations", []) if t["Type"] != "NONE"]
    # Statements of other kinds cost at least one unit; none of ours is among them.
    return _BASE.get(kind, 1) + _UNITS_OF_A_TRANSFORMATION * len(changes)


def _capacity(acl: Any) -> int:
    return sum(_units(rule.statement) for rule in acl.rules)


def _sets_in(statement: Any) -> Iterator[str]:
    if isinstance(statement, dict):
        if "IPSetReferenceStatement" in statement:
            yield statement["IPSetReferenceStatement"]["ARN"]
        for inner in statement.values():
            yield from _sets_in(inner)
    elif isinstance(statement, list):
        for inner in statement:
            yield from _sets_in(inner)


def _check_rules(backend: Any, rules: list[dict[str, Any]] | None) -> None:
    priorities = [rule["Priority"] for rule in rules or []]
    if len(set(priorities)) != len(priorities):
        raise _error("WAFInvalidParameterException", "Your rules have duplicate priorities.")
    known = backend.ip_sets
    if any(arn not in known for rule in rules or [] for arn in _sets_in(rule["Statement"])):
        raise WAFNonexistentItemException
    if sum(_units(rule["Statement"]) for rule in rules or []) > _MOST_CAPACITY:
        raise _error("WAFLimitsExceededException", "the web ACL exceeds its capacity")


def _web_acls() -> None:
    create, update = WAFV2Backend.create_web_acl, WAFV2Backend.update_web_acl
    delete, describe = WAFV2Backend.delete_web_acl, FakeWebACL.to_dict

    def create_web_acl(self: Any, *stated: Any) -> Any:
        *_, rules = stated[:_UP_TO_RULES]
        _check_rules(self, rules)
        return create(self, *stated)

    def update_web_acl(self: Any, name: str, _id: str, default_action: Any, rules: Any, *rest: Any) -> str:
        _check_rules(self, rules)
        token: str = update(self, name, _id, default_action, rules, *rest)
        if not rules:  # the list replaces the rules, also when it is empty
            self.get_web_acl(None, name, _id).rules = []
        return token

    def delete_web_acl(self: Any, name: str, scope: str, _id: str, lock_token: str) -> None:
        acl = self.get_web_acl(None, name, _id)
        if acl.associated_resources:
            raise _error("WAFAssociatedItemException", "the web ACL is associated with a resource")
        delete(self, name, scope, _id, lock_token)
        self.logging_configurations.pop(acl.arn, None)

    def to_dict(self: Any) -> dict[str, Any]:
        found: dict[str, Any] = describe(self)
        found |= {"Capacity": _capacity(self)}
        return {key: value for key, value in found.items() if value is not None and key != "LockToken"}

    place(
        WAFV2Backend,
        create_web_acl=create_web_acl,
        update_web_acl=update_web_acl,
        delete_web_acl=delete_web_acl,
    )
    place(FakeWebACL, to_dict=to_dict)


# ---------------------------------------------------------------------- IP sets
def _ip_sets() -> None:
    create, update = WAFV2Backend.create_ip_set, WAFV2Backend.update_ip_set
    delete = WAFV2Backend.delete_ip_set

    def create_ip_set(self: Any, *stated: Any) -> Any:
        name, scope, description, version, addresses, tags = stated
        if any(found.name == name and found.scope == scope for found in self.ip_sets.values()):
            raise _error("WAFDuplicateItemException", f"an IP set {name} exists")
        _check_addresses(version, addresses)
        return create(self, name, scope, description, version, addresses, tags or [])

    def update_ip_set(self: Any, *stated: Any) -> Any:
        name, scope, identity, _, addresses, _ = stated
        _check_addresses(self.get_ip_set(name, scope, identity).ip_address_version, addresses)
        return update(self, *stated)

    def delete_ip_set(self: Any, name: str, scope: str, _id: str, lock_token: str) -> None:
        arn = self.get_ip_set(name, scope, _id).arn
        if any(arn in _sets_in(rule.statement) for acl in self.wacls.values() for rule in acl.rules):
            raise _error("WAFAssociatedItemException", "the IP set is used by a rule")
        delete(self, name, scope, _id, lock_token)

    place(WAFV2Backend, create_ip_set=create_ip_set, update_ip_set=update_ip_set, delete_ip_set=delete_ip_set)


def _check_addresses(version: str, addresses: list[str]) -> None:
    for address in addresses:
        try:
            network = ip_network(address)
        except ValueError as error:
            raise _error("WAFInvalidParameterException", str(error)) from None
        if f"IPV{network.version}" != version or network.prefixlen == 0:
            raise _error("WAFInvalidParameterException", f"{address} does not fit a set of {version}")


# ---------------------------------------------------------------------- logs and associations
def _logging() -> None:
    put = WAFV2Backend.put_logging_configuration

    def put_logging_configuration(self: Any, arn: str, destinations: list[str], *rest: Any) -> Any:
        if arn not in self.wacls:
            raise WAFNonexistentItemException
        for destination in destinations:
            name = destination.split(":")[6] if ":log-group:" in destination else destination.split(":")[-1]
            if not name.rpartition("/")[2].startswith(_LOG_PREFIX):
                raise _error("WAFInvalidParameterException", f"{destination}: the name needs {_LOG_PREFIX}")
            groups = logs_backends[self.account_id][self.region_name].groups
            if ":log-group:" in destination and name not in groups:
                raise _error("WAFLogDestinationPermissionIssueException", f"no log group {name}")
            if ":s3:::" in destination and not _takes_logs(self.account_id, name):
                raise _error("WAFLogDestinationPermissionIssueException", f"{name} lets nobody deliver")
        return put(self, arn, destinations, *rest)

    place(WAFV2Backend, put_logging_configuration=put_logging_configuration)


def _takes_logs(account: str, bucket: str) -> bool:
    """Developer Guide, "Sending web ACL traffic logs to an Amazon S3 bucket": what the policy has to allow.

    AWS would write a policy where there is none, for a caller who may. Ours may not rely on that.
    """
    target = f"arn:aws:s3:::{bucket}"
    written = f"{target}/AWSLogs/{account}/WAFLogs/x"
    return trust.bucket_admits(account, bucket, _DELIVERY, "s3:PutObject", written) and trust.bucket_admits(
        account, bucket, _DELIVERY, "s3:GetBucketAcl", target
    )


def _associations() -> None:
    associate = WAFV2Backend.associate_web_acl

    def associate_web_acl(self: Any, web_acl_arn: str, resource_arn: str) -> None:
        if web_acl_arn not in self.wacls:
            raise WAFNonexistentItemException
        balancers = elbv2_backends[self.account_id][self.region_name].load_balancers
        if ":loadbalancer/" in resource_arn and resource_arn not in balancers:
            raise WAFNonexistentItemException
        self.disassociate_web_acl(resource_arn)  # a resource has one web ACL; the new one replaces it
        associate(self, web_acl_arn, resource_arn)

    def list_resources_for_web_acl(self: Any) -> Any:
        """ListResourcesForWebACL: load balancers, unless another type is asked for."""
        body = json.loads(self.body)
        acl = self.wafv2_backend.get_web_acl(body["WebACLArn"], None, None)
        kind = body.get("ResourceType", "APPLICATION_LOAD_BALANCER")
        mine = [
            a
            for a in acl.associated_resources
            if kind != "APPLICATION_LOAD_BALANCER" or ":loadbalancer/" in a
        ]
        return 200, {}, json.dumps({"ResourceArns": mine})

    place(WAFV2Backend, associate_web_acl=associate_web_acl)
    place(WAFV2Response, list_resources_for_web_acl=list_resources_for_web_acl)
