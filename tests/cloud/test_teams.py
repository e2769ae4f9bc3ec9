"""People act by team roles only: known by two factors, from trusted places, in their hours, and no further
than their team's work. Rows M2, M4, M14, M17 to M20.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from verify import identity, teams
from verify.account import Account
from verify.policies import opens_every_key, principals, unlimited
from verify.subjects import Resource

Region = dict[str, Any]

NAMED = "${aws:principaltag/stockade:user}"
MOST_MFA_SECONDS = 12 * 3600
# Windows are written a few days ahead; one written further would outlive a roller that stopped.
MOST_AHEAD = timedelta(days=6)
RECORDS = (
    *("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:DeleteBucket", "s3:BypassGovernanceRetention"),
    *("kms:ScheduleKeyDeletion", "logs:DeleteLogGroup", "cloudtrail:DeleteTrail", "cloudtrail:StopLogging"),
    *("backup:DeleteRecoveryPoint", "ec2:DeleteSnapshot", "guardduty:DeleteDetector"),
    *("config:DeleteConfigurationRecorder", "securityhub:DisableSecurityHub"),
)
CONTENTS = (
    *("s3:GetObject", "s3:GetObjectVersion", "secretsmanager:GetSecretValue", "ssm:GetParameter"),
    *("ssm:GetParametersByPath", "ec2:GetPasswordData", "ec2:GetConsoleOutput", "sqs:ReceiveMessage"),
)
BECOMING = (
    *("iam:CreateUser", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:CreatePolicyVersion"),
    *("iam:UpdateAssumeRolePolicy", "iam:DeleteRolePermissionsBoundary", "sts:AssumeRole"),
    "organizations:LeaveOrganization",
)


def promised(team_role: Resource) -> dict[str, Any]:
    assert team_role.expected is not None
    return team_role.expected


@pytest.mark.control("STK-IAM-001")
def test_every_team_role_has_its_boundary(team_role: Resource, aws: Account) -> None:
    found = team_role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    assert found == promised(team_role)["boundary"], f"its boundary is {found}"
    statements = teams.boundary(aws, team_role)
    assert statements and not any("*" in unlimited(s) for s in statements), "its boundary bounds nothing"


@pytest.mark.control("STK-IAM-002")
def test_no_team_may_do_everything_of_a_service_everywhere(team_role: Resource, aws: Account) -> None:
    for name, policy in identity.policies_of(aws, team_role["RoleName"]).items():
        wide = [action for statement in policy for action in unlimited(statement)]
        assert not wide, f"policy {name} allows {', '.join(wide)} on everything"


@pytest.mark.control("STK-IAM-024")
def test_no_team_decrypts_with_every_key(team_role: Resource, aws: Account) -> None:
    policies = identity.policies_of(aws, team_role["RoleName"])
    wide = sorted(name for name, policy in policies.items() if any(map(opens_every_key, policy)))
    assert not wide, f"policy {', '.join(wide)} decrypts with every key of the account"


@pytest.mark.control("STK-IAM-010")
def test_a_team_role_trusts_its_own_people_of_the_identity_account_only(team_role: Resource) -> None:
    wanted = promised(team_role)
    account, team = wanted["identity_account"], team_role.id.partition("/")[2]
    trusted = {name for s in identity.trusted(team_role.data) for name in principals(s)}
    assert trusted == {f"arn:aws:iam::{account}:root"}, f"it trusts {', '.join(sorted(trusted)) or 'nobody'}"
    for actions, found in teams.trust_conditions(team_role):
        assert found.get("stringequals aws:principalorgid") == [wanted["organisation"]], (
            f"{actions} from outside the organisation"
        )
        assert found.get("stringequals aws:principaltag/stockade:team") == [team], (
            f"{actions} without the tag of the team"
        )


@pytest.mark.control("STK-IAM-011")
def test_a_team_role_is_assumed_with_a_fresh_second_factor(team_role: Resource) -> None:
    for actions, found in teams.trust_conditions(team_role):
        assert found.get("bool aws:multifactorauthpresent") == ["true"], f"{actions} without a second factor"
        age = found.get("numericlessthan aws:multifactorauthage", ["never"])
        assert age[0].isdigit() and int(age[0]) <= MOST_MFA_SECONDS, f"a second factor of any age: {age[0]}"


@pytest.mark.control("STK-IAM-012")
def test_a_team_acts_over_tls_and_from_trusted_ranges_only(team_role: Resource, aws: Account) -> None:
    ranges = set(promised(team_role)["trusted_ranges"])
    for actions, found in teams.trust_conditions(team_role):
        assert set(found.get("ipaddress aws:sourceip", [])) == ranges, f"{actions} from anywhere"
        assert found.get("bool aws:securetransport") == ["true"], f"{actions} in clear"
    denied = teams.denials(aws, team_role)
    elsewhere = {"notipaddress aws:sourceip": ranges, "boolifexists aws:viaawsservice": {"false"}}
    assert teams.denied_when(denied, "ec2:StartInstances", elsewhere), "its sessions work from anywhere"
    clear = {"bool aws:securetransport": {"false"}}
    assert teams.denied_when(denied, "s3:ListBucket", clear), "its sessions work in clear"


@pytest.mark.control("STK-IAM-013")
def test_a_team_with_hours_acts_in_its_hours_only(team_role: Resource, aws: Account) -> None:
    hours, now = promised(team_role)["hours"], datetime.now(UTC)
    if hours == "always":
        pytest.skip("not applicable: the team has no hours")
    found = teams.windows(teams.boundary(aws, team_role))
    assert found, "no window is open or comes: the roll did not happen"
    for opens, closes in found:
        assert opens and closes, "its boundary allows without a window"
        assert opens < closes <= now + MOST_AHEAD, f"a window from {opens} to {closes}"
        assert _stated(hours, opens, closes), f"{opens} to {closes} is outside its hours"
    assert any(closes > now for _, closes in found if closes), "its last window is over: rolls are missed"


def _stated(hours: dict[str, Any], opens: datetime, closes: datetime) -> bool:
    """Whether a window lies within the hours of its day, read in their own zone."""
    zone = ZoneInfo(hours["timezone"])
    day = opens.astimezone(zone).date()
    start, end = _local(day, hours["from"], zone), _local(day, hours["to"], zone)
    return f"{day:%a}" in hours["days"] and start <= opens and closes <= end


def _local(day: date, clock: str, zone: ZoneInfo) -> datetime:
    hour, minute = (int(part) for part in clock.split(":"))
    return datetime.combine(day + timedelta(days=hour // 24), time(hour % 24, minute), zone).astimezone(UTC)


@pytest.mark.control("STK-IAM-014")
def test_no_team_can_delete_data_keys_backups_or_records(team_role: Resource, aws: Account) -> None:
    denied = teams.denials(aws, team_role)
    possible = [action for action in RECORDS if not teams.always_denied(denied, action)]
    assert not possible, f"a grant would be enough for {', '.join(possible)}"


@pytest.mark.control("STK-IAM-015")
def test_no_team_can_change_a_team_or_become_somebody_else(team_role: Resource, aws: Account) -> None:
    denied = teams.denials(aws, team_role)
    own = {
        "iam:PutRolePolicy": team_role["Arn"],
        "iam:DetachRolePolicy": team_role["Arn"],
        "iam:DeletePolicyVersion": promised(team_role)["boundary"],
    }
    changes = [action for action, arn in own.items() if not teams.always_denied(denied, action, arn)]
    assert not changes, f"nothing denies it {', '.join(changes)} on its own role and boundary"
    becomes = [action for action in BECOMING if not teams.always_denied(denied, action)]
    assert not becomes, f"a grant would be enough for {', '.join(becomes)}"


@pytest.mark.control("STK-IAM-016")
def test_no_team_reads_objects_secrets_or_messages(team_role: Resource, aws: Account, region: Region) -> None:
    denied = teams.denials(aws, team_role)
    # Who provisions reads back the lists of hostile addresses that the program wrote, and no other object.
    provisions = team_role.id.endswith(("/platform", "/break-glass"))
    lists = f"arn:aws:s3:::{region['buckets']['findings']['name']}/lists/*"
    but = (lists,) if provisions else ()
    possible = [action for action in CONTENTS if not teams.always_denied(denied, action, but=but)]
    assert not possible, f"a grant would be enough for {', '.join(possible)}"


@pytest.mark.control("STK-IAM-017")
def test_break_glass_ends(team_role: Resource, aws: Account) -> None:
    if not team_role.id.endswith("/break-glass"):
        pytest.skip("not applicable: only break-glass must end")
    latest = datetime.now(UTC) + timedelta(days=367)
    for actions, found in teams.trust_conditions(team_role):
        ends = found.get("datelessthan aws:currenttime", [""])[0].upper().replace("Z", "+00:00")
        assert ends, f"{actions} for ever"
        assert datetime.fromisoformat(ends) <= latest, f"{actions} until {ends}, more than a year from now"
    for _, closes in teams.windows(teams.boundary(aws, team_role)):
        assert closes and closes <= latest, f"its sessions hold until {closes or 'for ever'}"


@pytest.mark.control("STK-IAM-018")
def test_windows_are_rolled_by_something_that_can_do_nothing_else(
    window_roller: Resource, aws: Account
) -> None:
    assert window_roller["State"] == "ENABLED", "the schedule is off: windows run out"
    every = str(window_roller["ScheduleExpression"])
    assert every in ("rate(1 hour)", "rate(1 hours)"), f"it rolls at {every}"
    wanted = window_roller.expected or {}
    target = str(window_roller["Target"]["Arn"])
    assert target.endswith(f":function:{wanted['function']}"), f"the schedule calls {target}"
    for statement in teams.roller_policies(aws, wanted):
        actions, resources = set(statement.get("Action", [])), set(statement.get("Resource", []))
        versions = {a for a in actions if a.startswith("iam:")}
        assert versions <= {f"iam:{v}PolicyVersion{s}" for v, s in _VERSIONS}, f"it may {sorted(versions)}"
        assert not versions or resources <= set(wanted["policies"]), f"it may write {sorted(resources)}"
        others = {a for a in actions - versions if not a.startswith("logs:")}
        assert not others, f"it may {', '.join(sorted(others))}"


_VERSIONS = (("Create", ""), ("Delete", ""), ("Get", ""), ("List", "s"))


@pytest.mark.control("STK-IAM-019")
def test_a_session_is_short_and_bears_the_name_of_its_person(team_role: Resource) -> None:
    assert team_role["MaxSessionDuration"] <= 3600, f"{team_role['MaxSessionDuration']} seconds"
    for actions, found in teams.trust_conditions(team_role):
        assert found.get("stringequals sts:sourceidentity") == [NAMED], f"{actions} without a source identity"
        if "sts:AssumeRole" in actions:
            assert found.get("stringequals sts:rolesessionname") == [NAMED], "a session of any name"


@pytest.mark.control("STK-IAM-020")
def test_what_is_switched_off_is_denied_to_the_team(team_role: Resource, aws: Account) -> None:
    denied = teams.boundary(aws, team_role)
    for block in promised(team_role)["blocked"]:
        condition = {
            f"{operator} {key}".lower(): {
                str(v).lower() for v in (values if isinstance(values, list) else [values])
            }
            for operator, keys in block["condition"].items()
            for key, values in keys.items()
        }
        service = f"{block['service']}:AnyAction"
        found = (
            teams.denied_when(denied, service, condition)
            if condition
            else teams.always_denied(denied, service)
        )
        assert found, f"{block['service']} is blocked by the stack file and not by its boundary"


@pytest.mark.control("STK-IAM-021")
def test_no_team_acts_outside_the_allowed_regions(team_role: Resource, aws: Account, region: Region) -> None:
    outside = {"stringnotequals aws:requestedregion": set(region["allowed_regions"])}
    denied = teams.boundary(aws, team_role)
    free = [
        a
        for a in ("ec2:RunInstances", "s3:CreateBucket", "kms:CreateKey")
        if not teams.denied_when(denied, a, outside)
    ]
    assert not free, f"outside the allowed regions it may {', '.join(free)}"
