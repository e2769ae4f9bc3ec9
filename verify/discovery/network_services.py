"""What serves the whole network: exclusions from the block of internet gateways."""

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


KINDS: dict[str, Finder] = {
    "gateway_exclusion": _exclusions,
}
