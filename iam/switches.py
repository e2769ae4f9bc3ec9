"""Switches: one AWS service blocked, or enabled inside a block, for a user, a team or the organisation.

Nothing overrides a denial in IAM. So an `enable` is an exception written into the denial of the wider block:
the narrowest switch that names somebody decides. What a switch enables it does not grant.
"""

from __future__ import annotations

from collections.abc import Sequence

from iam.documents import Condition, Statement
from settings.access import Switch

IDENTITY = "aws:SourceIdentity"


def blocked_services(switches: Sequence[Switch]) -> list[str]:
    """Every service that some switch blocks."""
    return sorted({switch.service for switch in switches if switch.effect == "block"})


def for_team(team: str, switches: Sequence[Switch]) -> list[Statement]:
    """The denials of one team's role."""
    return _statements(switches, f"team/{team}")


def for_machines(switches: Sequence[Switch]) -> list[Statement]:
    """The denials of roles that no person uses: those of the whole organisation."""
    return [
        Statement(f"Switch{_word(service)}", "Deny", [f"{service}:*"])
        for service in blocked_services(switches)
        if _effect(switches, service, "organisation") == "block"
    ]


def for_organisation(switches: Sequence[Switch], team_roles: dict[str, str]) -> list[Statement]:
    """The statements of the organisation's own policy; `team_roles`: team → ARN of its role.

    It blocks in every account, except where one of our teams or users has the service enabled.
    """
    made = []
    for service in blocked_services(switches):
        everybody = _effect(switches, service, "organisation") == "block"
        enabled, blocked = _users(switches, service, "enable"), _users(switches, service, "block")
        if everybody:
            teams = [team for team in team_roles if _effect(switches, service, f"team/{team}") == "enable"]
            condition = _but_for(enabled)
            if teams:
                condition["ArnNotLike"] = {"aws:PrincipalArn": sorted(team_roles[team] for team in teams)}
            made.append(Statement(f"Switch{_word(service)}", "Deny", [f"{service}:*"], condition=condition))
        if blocked:
            named: Condition = {"StringEquals": {IDENTITY: blocked}}
            sid = f"SwitchUsers{_word(service)}"
            made.append(Statement(sid, "Deny", [f"{service}:*"], condition=named))
    return made


def _statements(switches: Sequence[Switch], group: str) -> list[Statement]:
    made = []
    for service in blocked_services(switches):
        effect = _effect(switches, service, group) or _effect(switches, service, "organisation")
        enabled, blocked = _users(switches, service, "enable"), _users(switches, service, "block")
        if effect == "block":
            condition = _but_for(enabled)
        elif blocked:
            # IfExists: a session that nobody named counts as blocked.
            condition = {"StringEqualsIfExists": {IDENTITY: blocked}}
        else:
            continue
        made.append(Statement(f"Switch{_word(service)}", "Deny", [f"{service}:*"], condition=condition))
    return made


def _but_for(users: list[str]) -> Condition:
    return {"StringNotEquals": {IDENTITY: users}} if users else {}


def _effect(switches: Sequence[Switch], service: str, for_: str) -> str | None:
    return next((s.effect for s in switches if s.service == service and s.for_ == for_), None)


def _users(switches: Sequence[Switch], service: str, effect: str) -> list[str]:
    chosen = (s for s in switches if s.service == service and s.effect == effect)
    return sorted(s.for_.removeprefix("user/") for s in chosen if s.for_.startswith("user/"))


def _word(service: str) -> str:
    """A service in a statement's name, which takes letters and digits only."""
    return "".join(part.title() for part in service.split("-"))
