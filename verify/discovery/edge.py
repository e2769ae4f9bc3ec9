"""Load balancers and web ACLs of the region."""

from __future__ import annotations

from verify.account import Account
from verify.discovery.joining import Contract, Finder, Found, join


def _balancers(account: Account, contract: Contract) -> Found:
    promised = {made["arn"]: (name, made) for name, made in contract.get("load_balancers", {}).items()}
    seen = {
        found["LoadBalancerArn"]: {**found, "Name": found["LoadBalancerName"]}
        for found in account.need("elbv2", "describe_load_balancers")["LoadBalancers"]
    }
    return join("load_balancer", promised, seen, "elbv2.describe_load_balancers")


def _web_acls(account: Account, contract: Contract) -> Found:
    promised = {
        made["web_acl"]["arn"]: (name, made) for name, made in contract.get("load_balancers", {}).items()
    }
    seen = {}
    # A region has room for 100 (AWS WAF quotas), which is one page.
    for listed in account.need("wafv2", "list_web_acls", Scope="REGIONAL", Limit=100)["WebACLs"]:
        found = account.need("wafv2", "get_web_acl", Name=listed["Name"], Id=listed["Id"], Scope="REGIONAL")
        seen[listed["ARN"]] = found["WebACL"]
    return join("web_acl", promised, seen, "wafv2.get_web_acl")


KINDS: dict[str, Finder] = {"load_balancer": _balancers, "web_acl": _web_acls}
