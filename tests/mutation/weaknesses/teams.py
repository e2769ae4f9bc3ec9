"""Weaknesses of the roles that people take, and of what rolls their windows."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, account, pairs

Change = Callable[[dict[str, Any]], None]
ELSEWHERE = {"AWS": ["arn:aws:iam::999900001111:root"]}


def _role(live: Any, team: str) -> str:
    return str(live.contract["teams"][team]["role_arn"].split("/")[-1])


@contextmanager
def _trust(live: Any, team: str, change: Change) -> Iterator[None]:
    """The trust policy with every statement changed."""
    iam, name = live.client("iam"), _role(live, team)
    before = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    after = copy.deepcopy(before)
    for statement in after["Statement"]:
        change(statement)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(after))
    yield
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(before))


@contextmanager
def _limits(live: Any, team: str, without: str) -> Iterator[None]:
    """The team's denials without one of them."""
    iam, name = live.client("iam"), _role(live, team)
    before = iam.get_role_policy(RoleName=name, PolicyName="limits")["PolicyDocument"]
    kept = [statement for statement in before["Statement"] if statement["Sid"] != without]
    assert len(kept) < len(before["Statement"])
    iam.put_role_policy(
        RoleName=name, PolicyName="limits", PolicyDocument=json.dumps({**before, "Statement": kept})
    )
    yield
    iam.put_role_policy(RoleName=name, PolicyName="limits", PolicyDocument=json.dumps(before))


@contextmanager
def _boundary(live: Any, team: str, change: Change) -> Iterator[None]:
    """Another default version of the team's boundary, changed."""
    iam, arn = live.client("iam"), live.contract["teams"][team]["boundary"]
    first = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=first)["PolicyVersion"]["Document"]
    change(document)
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)[
        "PolicyVersion"
    ]["VersionId"]
    yield
    iam.set_default_policy_version(PolicyArn=arn, VersionId=first)
    iam.delete_policy_version(PolicyArn=arn, VersionId=made)


def _without(sid: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        document["Statement"] = [s for s in document["Statement"] if s["Sid"] != sid]

    return change


def _drop(operator: str, key: str) -> Change:
    def change(statement: dict[str, Any]) -> None:
        statement["Condition"].get(operator, {}).pop(key, None)

    return change


def anybody_of_another_account_is_the_auditor(live: Any) -> Iterator[Pairs]:
    with _trust(live, "auditor", lambda statement: statement.update(Principal=ELSEWHERE)):
        yield pairs("team_role/auditor", "IAM-010")


def security_without_a_second_factor(live: Any) -> Iterator[Pairs]:
    with _trust(live, "security", _drop("Bool", "aws:MultiFactorAuthPresent")):
        yield pairs("team_role/security", "IAM-011")


def operations_from_anywhere(live: Any) -> Iterator[Pairs]:
    with _limits(live, "operations", "FromTrustedRangesOnly"):
        yield pairs("team_role/operations", "IAM-012")


def platform_at_any_hour(live: Any) -> Iterator[Pairs]:
    def always(document: dict[str, Any]) -> None:
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                del statement["Condition"]

    with _boundary(live, "platform", always):
        yield pairs("team_role/platform", "IAM-013")


def security_may_delete(live: Any) -> Iterator[Pairs]:
    with _limits(live, "security", "NoDestruction"):
        yield pairs("team_role/security", "IAM-014")


def operations_may_change_teams(live: Any) -> Iterator[Pairs]:
    # What is not on the team's own list stays denied, so the list goes as well.
    def neither(document: dict[str, Any]) -> None:
        _without("KeepTeams")(document)
        _without("NothingElse")(document)

    with _boundary(live, "operations", neither):
        yield pairs("team_role/operations", "IAM-015")


def break_glass_reads_objects(live: Any) -> Iterator[Pairs]:
    with _limits(live, "break-glass", "NoContents"):
        yield pairs("team_role/break-glass", "IAM-016")


def break_glass_for_ever(live: Any) -> Iterator[Pairs]:
    with _trust(live, "break-glass", _drop("DateLessThan", "aws:CurrentTime")):
        yield pairs("team_role/break-glass", "IAM-017")


def windows_are_rolled_no_more(live: Any) -> Iterator[Pairs]:
    scheduler = live.client("scheduler")
    name = live.contract["windows"]["schedule"]
    found = scheduler.get_schedule(Name=name)
    keys = ("Name", "Description", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    kept = {key: found[key] for key in keys}
    scheduler.update_schedule(**kept, State="DISABLED")
    yield pairs("window_roller/windows", "IAM-018")
    scheduler.update_schedule(**kept, State="ENABLED")


def sessions_of_any_name(live: Any) -> Iterator[Pairs]:
    with _trust(live, "platform", _drop("StringEquals", "sts:RoleSessionName")):
        yield pairs("team_role/platform", "IAM-019")


def the_auditor_in_every_region(live: Any) -> Iterator[Pairs]:
    with _boundary(live, "auditor", _without("StayInAllowedRegions")):
        yield pairs("team_role/auditor", "IAM-021")


def a_telephone_is_roots_second_factor(live: Any) -> Iterator[Pairs]:
    iam, codes = live.client("iam"), {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="telephone")["VirtualMFADevice"]["SerialNumber"]
    iam.enable_mfa_device(UserName=str(live.contract["account"]), SerialNumber=made, **codes)
    yield account(live, "IAM-023")
    iam.deactivate_mfa_device(SerialNumber=made)
    iam.delete_virtual_mfa_device(SerialNumber=made)


def a_provider_that_signs_people_in(live: Any) -> Iterator[Pairs]:
    iam = live.client("iam")
    made = iam.create_open_id_connect_provider(
        Url="https://login.example.org", ThumbprintList=["a" * 40], ClientIDList=["x"]
    )["OpenIDConnectProviderArn"]
    yield account(live, "ACC-008")
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=made)


def a_service_that_is_switched_off_on_paper_only(live: Any) -> Iterator[Pairs]:
    live.contract["teams"]["security"]["blocked"].append({"service": "bedrock", "condition": {}})
    with _boundary(live, "security", _without("NothingElse")):
        yield pairs("team_role/security", "IAM-020")
    live.contract["teams"]["security"]["blocked"].pop()


WEAKNESSES: tuple[Weakness, ...] = (
    anybody_of_another_account_is_the_auditor,
    security_without_a_second_factor,
    operations_from_anywhere,
    platform_at_any_hour,
    security_may_delete,
    operations_may_change_teams,
    break_glass_reads_objects,
    break_glass_for_ever,
    windows_are_rolled_no_more,
    sessions_of_any_name,
    the_auditor_in_every_region,
    a_telephone_is_roots_second_factor,
    a_provider_that_signs_people_in,
    a_service_that_is_switched_off_on_paper_only,
)
