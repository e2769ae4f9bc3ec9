"""Who may act in the account, from where, when, and what is switched off."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from settings.types import Account, Clock, Day, Model, Name, Network, Reason, ZoneName

Weekday = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
TeamName = Literal["platform", "operations", "security", "auditor", "break-glass"]


class Hours(Model):
    """A daily window on some days of the week, in one time zone; it ends on the day it begins."""

    days: tuple[Weekday, ...] = Field(min_length=1, description="days on which the window opens")
    from_: Clock = Field(alias="from", description='when it opens, "08:00"')
    to: Clock = Field(description='when it closes, later on the same day; "24:00" is midnight')
    timezone: ZoneName = Field(description="IANA time zone of both times")


class Team(Model):
    """When a team may act, and until which day its role exists."""

    hours: Literal["always"] | Hours = Field(description="always, or a daily window")
    until: Day | None = Field(default=None, description="last day of the role; break-glass must have one")


class Switch(Model):
    """One AWS service blocked or enabled for a user, a team or the whole organisation."""

    service: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$", description="IAM's prefix of it, e.g. bedrock")
    effect: Literal["block", "enable"] = Field(description="block, or enable for somebody inside a block")
    for_: Annotated[str, Field(pattern=r"^(organisation|team/[a-z-]+|user/[A-Za-z0-9+=,.@_-]{2,64})$")] = (
        Field(alias="for", description="organisation, team/<team> or user/<session name>")
    )
    why: Reason = Field(description="the reason, in words")
    until: Day | None = Field(default=None, description="last day of the switch")


class Access(Model):
    """People reach this account only by roles, from the identity account, with a second factor."""

    organisation: str = Field(pattern=r"^o-[a-z0-9]{10,32}$", description="id of the AWS organisation")
    identity_account: Account = Field(
        description="account in which people sign in; its principals assume our roles"
    )
    trusted_ranges: dict[Name, tuple[Network, ...]] = Field(
        min_length=1, description="public address ranges from which people may call AWS, by name of the place"
    )
    teams: dict[TeamName, Team] = Field(min_length=1, description="the teams that get a role")
    switches: tuple[Switch, ...] = Field(default=(), description="services switched off or on")


def ended(until: date | None, today: date) -> bool:
    """Whether something that lasts until a day is over on `today` (the day itself still counts)."""
    return until is not None and today > until
