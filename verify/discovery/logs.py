"""Log groups."""

from __future__ import annotations

from verify.account import Account
from verify.discovery.joining import Contract, Finder, Found
from verify.subjects import Resource


def _log_groups(account: Account, _: Contract) -> Found:
    for group in account.need("logs", "describe_log_groups")["logGroups"]:
        name = group["logGroupName"]
        yield Resource(
            f"log_group/{name.lstrip('/')}", "log_group", group, "logs.describe_log_groups", {"id": name}
        )


KINDS: dict[str, Finder] = {
    "log_group": _log_groups,
}
