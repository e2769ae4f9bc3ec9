"""What serves the whole network: exclusions from the block of internet gateways, transit gateways,
network firewalls."""

from __future__ import annotations

from verify.account import Account
from verify.discovery.joining import Contract, Finder, Found, join


def _exclusions(account: Account, contract: Contract) -> Found:
    promised = {
        item["id"]: (name, item)
        for name, item in contract.get("public_access", {}).get("exclusions", {}).items()
    }
    operation, member = "describe_vpc_block_public_access_exclusions", "VpcBlockPublicAccessExclusions"
    seen = {
        item["ExclusionId"]: item
        for item in account.need("ec2", operation)[member]
        if not item["State"].startswith(("delete", "disable"))
    }
    yield from join("gateway_exclusion", promised, seen, f"ec2.{operation}")


def _gateways(account: Account, contract: Contract) -> Found:
    transit = contract.get("transit") or {}
    promised = {transit["gateway"]: ("transit", transit)} if transit else {}
    seen = {
        gateway["TransitGatewayId"]: gateway
        for gateway in account.need("ec2", "describe_transit_gateways")["TransitGateways"]
        if gateway["State"] not in ("deleted", "deleting")
    }
    yield from join("transit_gateway", promised, seen, "ec2.describe_transit_gateways")


def _firewalls(account: Account, contract: Contract) -> Found:
    promised = {
        part["firewall"]: (vpc, {**part, "vpc": vpc}) for vpc, part in contract.get("inspection", {}).items()
    }
    seen = {}
    for listed in account.need("network-firewall", "list_firewalls")["Firewalls"]:
        arn = listed["FirewallArn"]
        seen[arn] = account.need("network-firewall", "describe_firewall", FirewallArn=arn)
    yield from join("firewall", promised, seen, "network-firewall.describe_firewall")


KINDS: dict[str, Finder] = {
    "gateway_exclusion": _exclusions,
    "transit_gateway": _gateways,
    "firewall": _firewalls,
}
