"""One role per team, each under a boundary of its own. Who, when, what: iam/team_trust.py, window_roll.py,
team_grants.py and team_limits.py; in words docs/decisions/0005-teams.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import iam

from iam import switches
from iam.documents import Document, document, render
from iam.team_grants import GRANTS, Place, reading
from iam.team_limits import TEAMS_PATH, boundary, limits
from iam.team_services import PROVISIONING_TEAMS, lists, services
from iam.team_trust import SESSION_SECONDS, end_of, networks_of, trust_of_team
from iam.window_policy import WindowPolicy, window_policy
from iam.windows import Windows, WindowsArgs
from settings import Settings
from settings.access import Team
from tagging import tags


@dataclass(frozen=True)
class TeamsArgs:
    """`place`: the stack, account and region whose resources the teams work on. `log_prefix`: where the
    stack's log groups are, encrypted with `log_key_arn`.
    """

    settings: Settings
    place: Place
    log_key_arn: pulumi.Input[str]
    log_prefix: str


@dataclass(frozen=True)
class TeamPolicies:
    """Everything that is written about one team. `windows` only when it has hours, `services` only when it
    provisions.
    """

    trust: Document
    grants: Document
    limits: Document
    boundary: Document
    windows: WindowPolicy | None
    services: Document | None = None


def policies_of(team: str, stated: Team, settings: Settings, place: Place) -> TeamPolicies:
    """A team's documents, from the settings alone."""
    access = settings.access
    switched, until = switches.for_team(team, access.switches), end_of(stated)
    trusted = networks_of(access)
    provisions = team in PROVISIONING_TEAMS
    most = boundary(team, place, settings.residency.allowed_regions, switched, until)
    return TeamPolicies(
        trust=trust_of_team(team, access.identity_account, access.organisation, trusted, until),
        grants=document([reading(), *GRANTS[team](place)]),
        limits=document(limits(trusted, lists(place) if provisions else ())),
        boundary=most,
        windows=window_policy(team, place, stated, most),
        services=document(services(place)) if provisions else None,
    )


class Teams(pulumi.ComponentResource):
    """The roles that people take, and nothing else by which a person could act in the account."""

    roles: dict[str, iam.Role]
    boundaries: dict[str, iam.Policy]
    windows: Windows | None

    def __init__(self, name: str, args: TeamsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:iam:Teams", name, {}, opts)
        self._args, self._stack = args, args.place.stack
        self._path = f"/{TEAMS_PATH}/{self._stack}/"
        stated = args.settings.access.teams
        written = {
            str(team): policies_of(team, facts, args.settings, args.place) for team, facts in stated.items()
        }
        self.boundaries = {team: self._boundary(team, found) for team, found in written.items()}
        self._provisioning = self._services(args.place)
        self.roles = {team: self._role(team, found) for team, found in written.items()}
        self._written = written
        self.windows = self._windows()
        self.register_outputs({"roles": {team: role.arn for team, role in self.roles.items()}})

    def _boundary(self, team: str, written: TeamPolicies) -> iam.Policy:
        rolled = written.windows
        return iam.Policy(
            f"team-{team}-boundary",
            name=rolled.name if rolled else f"{self._stack}-{team}-boundary",
            path=self._path,
            description=f"The most the team {team} may ever do, whatever else is attached to its role",
            policy=render(rolled.closed if rolled else written.boundary),
            tags=tags(f"{self._stack}-{team}-boundary", team=team),
            # What is rolled forward is not what the program wrote; see iam/windows.py.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["policy"] if rolled else None),
        )

    def _role(self, team: str, written: TeamPolicies) -> iam.Role:
        child = pulumi.ResourceOptions(parent=self)
        role = iam.Role(
            f"team-{team}",
            name=f"{self._stack}-{team}",
            path=self._path,
            assume_role_policy=render(written.trust),
            permissions_boundary=self.boundaries[team].arn,
            description=f"The team {team}; see docs/decisions/0005-teams.md",
            max_session_duration=SESSION_SECONDS,
            tags=tags(f"{self._stack}-{team}", team=team),
            opts=child,
        )
        for kind, policy in (("grants", written.grants), ("limits", written.limits)):
            iam.RolePolicy(
                f"team-{team}-{kind}", name=kind, role=role.name, policy=render(policy), opts=child
            )
        if written.services is not None:
            iam.RolePolicyAttachment(
                f"team-{team}-provisioning", role=role.name, policy_arn=self._provisioning.arn, opts=child
            )
        return role

    def _services(self, place: Place) -> iam.Policy:
        return iam.Policy(
            "team-provisioning",
            name=f"{self._stack}-provisioning",
            path=self._path,
            description="What provisioning asks of services beside the resources it makes",
            policy=render(document(services(place))),
            tags=tags(f"{self._stack}-provisioning"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _windows(self) -> Windows | None:
        """What rolls the windows; nothing when every team has always."""
        args = self._args
        rolled = {team: found.windows for team, found in self._written.items() if found.windows}
        if not rolled:
            return None
        told = WindowsArgs(
            place=args.place,
            policies=list(rolled.values()),
            boundaries=[self.boundaries[team] for team in rolled],
            log_key_arn=args.log_key_arn,
            log_prefix=args.log_prefix,
            log_days=args.settings.retention.flow_logs_days,
        )
        return Windows("windows", told, pulumi.ResourceOptions(parent=self))

    def contract(self) -> dict[str, Any]:
        """The teams as the region contract has them; hours and switches as they are stated."""
        access = self._args.settings.access.model_dump(mode="json", by_alias=True)
        return {
            team: {
                "role_arn": role.arn,
                "boundary": self.boundaries[team].arn,
                "window_policy": self.boundaries[team].arn if self._written[team].windows else None,
                **access["teams"][team],
                "identity_account": access["identity_account"],
                "organisation": access["organisation"],
                "trusted_ranges": [str(network) for network in networks_of(self._args.settings.access)],
                "blocked": _blocked(self._written[team]),
            }
            for team, role in self.roles.items()
        }


def _blocked(written: TeamPolicies) -> list[Mapping[str, Any]]:
    """What switches deny the team: the service, and under which condition."""
    return [
        {"service": statement["Action"][0].partition(":")[0], "condition": statement.get("Condition", {})}
        for statement in written.boundary["Statement"]
        if statement["Sid"].startswith("Switch")
    ]
