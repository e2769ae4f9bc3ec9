"""Roles: those of machines and services, those that people take, and what rolls their windows."""

from __future__ import annotations

from typing import Any

from verify.account import Account
from verify.discovery.joining import Contract, Finder, Found, join, tag


def _seen(account: Account) -> dict[str, Any]:
    """Every role of the account that is not AWS's own: nobody can change the policies of those."""
    found = {}
    for entry in account.need("iam", "list_roles")["Roles"]:
        if not entry["Path"].startswith(("/aws-service-role/", "/aws-reserved/")):
            role = account.need("iam", "get_role", RoleName=entry["RoleName"])["Role"]
            found[role["Arn"]] = {**role, "Name": tag(role) or role["RoleName"]}
    return found


def _teams(contract: Contract) -> dict[str, tuple[str, dict[str, Any]]]:
    return {team["role_arn"]: (name, team) for name, team in contract.get("teams", {}).items()}


def _roles(account: Account, contract: Contract) -> Found:
    promised = {role["role_arn"]: (name, role) for name, role in contract["roles"].items()}
    # Only what the contract names is a team: a role made by hand is judged by the stricter rules of machines.
    seen = {arn: role for arn, role in _seen(account).items() if arn not in _teams(contract)}
    return join("role", promised, seen, "iam.get_role")


def _team_roles(account: Account, contract: Contract) -> Found:
    promised = _teams(contract)
    seen = {arn: role for arn, role in _seen(account).items() if arn in promised}
    return join("team_role", promised, seen, "iam.get_role")


def _rollers(account: Account, contract: Contract) -> Found:
    windows = contract.get("windows")
    promised = {windows["schedule"]: ("windows", windows)} if windows else {}
    seen = {}
    for name in promised:
        absent = ("ResourceNotFoundException",)
        schedule = account.read("scheduler", "get_schedule", Name=name, absent=absent)
        if schedule is not None:
            seen[name] = schedule
    return join("window_roller", promised, seen, "scheduler.get_schedule")


KINDS: dict[str, Finder] = {
    "role": _roles,
    "team_role": _team_roles,
    "window_roller": _rollers,
}
