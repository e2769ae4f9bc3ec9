"""Who becomes a team: people of the identity account, in our organisation, known by two factors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from ipaddress import IPv4Network, IPv6Network
from zoneinfo import ZoneInfo

from iam.documents import (
    Condition,
    Document,
    Statement,
    before,
    document,
    from_networks,
    from_organisation,
    merge,
    over_any_tls,
    with_mfa,
    with_principal_tag,
)
from settings.access import Access, Team

# The second factor is as old as a working morning at most; break-glass asks for it just now.
MFA_SECONDS, BREAK_GLASS_MFA_SECONDS = 4 * 3600, 900
# STS: a session that another role's session starts lasts one hour at most; nobody's lasts longer here.
SESSION_SECONDS = 3600
TEAM_TAG, USER_TAG = "stockade:team", "stockade:user"


def trust_of_team(
    team: str,
    identity_account: str,
    organisation: str,
    trusted: Sequence[IPv4Network | IPv6Network],
    until: datetime | None,
) -> Document:
    """A team's trust policy.

    The session and its source identity bear the name that the identity account put on the person, as the
    principal tag `stockade:user`: nobody can choose another name, to slip out of the trail or past a switch.
    Without the tag the variable has no value and nothing matches.
    """
    seconds = BREAK_GLASS_MFA_SECONDS if team == "break-glass" else MFA_SECONDS
    principals = {"AWS": [f"arn:aws:iam::{identity_account}:root"]}
    name = "${aws:PrincipalTag/" + USER_TAG + "}"
    known = merge(
        from_organisation(organisation),
        with_principal_tag(TEAM_TAG, team),
        {"StringEquals": {"sts:SourceIdentity": name}},
        from_networks(trusted),
        over_any_tls(),
        with_mfa(seconds),
        before(until) if until else {},
    )
    named: Condition = {"StringEquals": {"sts:RoleSessionName": name}}
    return document(
        [
            Statement("Assume", "Allow", ["sts:AssumeRole"], (), principals, merge(known, named)),
            Statement("KeepIdentity", "Allow", ["sts:SetSourceIdentity"], (), principals, known),
        ]
    )


def networks_of(access: Access) -> list[IPv4Network | IPv6Network]:
    """Every trusted range, whichever place it belongs to."""
    return [network for ranges in access.trusted_ranges.values() for network in ranges]


def end_of(team: Team) -> datetime | None:
    """The moment a team's role ends: when its last day is over, where its hours are, else in UTC."""
    if team.until is None:
        return None
    zone = UTC if team.hours == "always" else ZoneInfo(team.hours.timezone)
    return datetime.combine(team.until + timedelta(days=1), time(0), zone).astimezone(UTC)
