"""Roles."""

from __future__ import annotations

from verify.account import Account
from verify.discovery.joining import Contract, Finder, Found, join, tag


def _roles(account: Account, contract: Contract) -> Found:
    promised = {role["role_arn"]: (name, role) for name, role in contract["roles"].items()}
    seen = {}
    for entry in account.need("iam", "list_roles")["Roles"]:
        # Roles under these paths are AWS's own: nobody can change their policies.
        if not entry["Path"].startswith(("/aws-service-role/", "/aws-reserved/")):
            role = account.need("iam", "get_role", RoleName=entry["RoleName"])["Role"]
            seen[role["Arn"]] = {**role, "Name": tag(role) or role["RoleName"]}
    return join("role", promised, seen, "iam.get_role")


KINDS: dict[str, Finder] = {
    "role": _roles,
}
