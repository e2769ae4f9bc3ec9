"""What the roller is told about one team with hours: the policy's name, its template, the hours, the zone."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
from dataclasses import dataclass
from typing import Any

from fault import Fault
from iam import window_roll
from iam.documents import Document, render
from iam.team_grants import Place
from iam.team_limits import TEAMS_PATH
from iam.team_trust import end_of
from settings.access import Team

_DIGEST = 8


@dataclass(frozen=True)
class WindowPolicy:
    """A boundary whose windows are rolled forward.

    Its name ends in a digest of template and hours: whoever changes either gets a new policy, closed until
    the next roll, instead of one that keeps windows of yesterday's rule.
    """

    team: str
    arn: str
    name: str
    template: Document
    hours: dict[str, Any]
    until: str | None

    @property
    def closed(self) -> Document:
        """The document before the first roll."""
        return window_roll.closed(self.template)

    def order(self) -> dict[str, Any]:
        """What iam/window_roll.py takes."""
        return {"arn": self.arn, "hours": self.hours, "until": self.until, "document": self.template}


def window_policy(team: str, place: Place, stated: Team, template: Document) -> WindowPolicy | None:
    """The policy of a team with hours; None for one that has always.

    Raises Fault when its windows would not fit into a managed policy.
    """
    if stated.hours == "always":
        return None
    if not window_roll.fits(template):
        raise Fault(
            f"access.teams.{team}: the boundary with {window_roll.most_windows()} windows is longer than a "
            f"managed policy, which has {window_roll.MOST_CHARACTERS} characters",
            "every window repeats what the boundary allows",
            "end some switches of this team, or give it the hours always",
        )
    hours = stated.hours.model_dump(mode="json", by_alias=True)
    hours["tzif"] = zone_data(stated.hours.timezone)
    end = end_of(stated)
    until = end.isoformat() if end else None
    digest = hashlib.sha256(render({"hours": hours, "template": template, "until": until}).encode())
    name = f"{place.stack}-{team}-boundary-{digest.hexdigest()[:_DIGEST]}"
    arn = place.iam(f"policy/{TEAMS_PATH}/{place.stack}/{name}")
    return WindowPolicy(team, arn, name, template, hours, until)


def zone_data(name: str) -> str:
    """A time zone's rules (TZif, RFC 8536) from the locked tz database, in base64: the function that rolls
    must not depend on which zones its runtime brings.
    """
    packages = importlib.resources.files("tzdata") / "zoneinfo"
    return base64.b64encode(packages.joinpath(*name.split("/")).read_bytes()).decode()
