"""Roles and users: least privilege that no attached policy can undo. Rows M4, M2, M14."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from verify import identity
from verify.account import Account
from verify.policies import conditions, opens_every_key, principals, unlimited
from verify.subjects import Resource

Region = dict[str, Any]
Find = Callable[[str], list[Resource]]


DESTRUCTION = ("s3:DeleteObjectVersion", "s3:DeleteBucket", "kms:ScheduleKeyDeletion", "logs:DeleteLogGroup")
# What lets a role become another one, or leave the organisation's guard rails.
ESCALATION = ("iam:PassRole", "iam:PutRolePolicy", "iam:CreateAccessKey", "organizations:LeaveOrganization")


@pytest.mark.control("STK-IAM-001")
def test_every_role_has_a_boundary(role: Resource, aws: Account) -> None:
    boundary = identity.boundary_of(aws, role.data)
    assert boundary is not None, "no permission boundary: whatever is attached to the role takes effect"
    if role.expected is not None:
        found = role["PermissionsBoundary"]["PermissionsBoundaryArn"]
        assert found == role.expected["boundary"], f"its boundary is {found}"
    assert not any("*" in unlimited(statement) for statement in boundary), "its boundary bounds nothing"


@pytest.mark.control("STK-IAM-002")
def test_no_role_may_do_everything_of_a_service_everywhere(role: Resource, aws: Account) -> None:
    for name, policy in identity.policies_of(aws, role["RoleName"]).items():
        for statement in policy:
            assert not unlimited(statement), (
                f"policy {name} allows {', '.join(unlimited(statement))} on everything"
            )


@pytest.mark.control("STK-IAM-024")
def test_no_role_decrypts_with_every_key(role: Resource, aws: Account) -> None:
    policies = identity.policies_of(aws, role["RoleName"])
    wide = sorted(name for name, policy in policies.items() if any(map(opens_every_key, policy)))
    assert not wide, f"policy {', '.join(wide)} decrypts with every key of the account"


@pytest.mark.control("STK-IAM-003")
def test_a_role_trusts_one_aws_service_or_our_own_account_only(
    role: Resource, region: Region, aws: Account, resources: Find
) -> None:
    found = identity.trusted(role.data)
    assert found, "nobody may assume it: it serves nothing"
    who = {name for statement in found for name in principals(statement)}
    services = {name for name in who if name.endswith(".amazonaws.com")}
    foreign = {name for name in who - services if f":{region['account']}:" not in name}
    assert not foreign, f"it trusts {', '.join(sorted(foreign))}"
    assert len(services) <= 1, f"it trusts {len(services)} services: {', '.join(sorted(services))}"
    for statement in found:
        # Services act for whoever asks them, so they are bound to our account (IAM User Guide, "The
        # confused deputy problem"). Two name no source in the request: EC2, for the instance that carries
        # the role, and S3, for the bucket whose replication names it ("Setting up permissions for live
        # replication"). Both take it only from whoever may pass it, and a role is passed inside its account
        # only; so it has to be carried or named indeed.
        if principals(statement) <= {"ec2.amazonaws.com"}:
            carried = aws.need("iam", "list_instance_profiles_for_role", RoleName=role["RoleName"])
            assert carried["InstanceProfiles"], "no instance profile carries it: EC2 takes it for nothing"
            continue
        if principals(statement) <= {"s3.amazonaws.com"}:
            assert role["Arn"] in _copiers(aws, resources), "no bucket of ours is copied under it"
            continue
        own = {str(region["account"])}
        bound = [set(conditions(statement).get(f"stringequals aws:{key}", [])) for key in _SOURCES]
        assert own in bound or not services, f"{', '.join(services)} may use it for another account"


_SOURCES = ("sourceaccount", "principalaccount")


def _copiers(aws: Account, resources: Find) -> set[str]:
    """Roles under which S3 copies objects of this account's buckets."""
    absent = ("ReplicationConfigurationNotFoundError",)
    buckets = [bucket["Name"] for bucket in resources("bucket") if bucket.data]
    found = [aws.read("s3", "get_bucket_replication", absent=absent, Bucket=name) for name in buckets]
    return {answer["ReplicationConfiguration"]["Role"] for answer in found if answer}


@pytest.mark.control("STK-IAM-004")
def test_there_are_no_users_with_their_own_keys(aws: Account) -> None:
    users = aws.need("iam", "list_users")["Users"]
    assert not users, f"IAM users: {', '.join(user['UserName'] for user in users)}; people come by federation"


@pytest.mark.control("STK-IAM-005")
def test_the_root_user_has_no_access_key(aws: Account) -> None:
    summary = aws.need("iam", "get_account_summary")["SummaryMap"]
    assert summary.get("AccountAccessKeysPresent", 0) == 0, "the root user has an access key"


def _nobody_signs_in_as_root(summary: Region) -> bool:
    """Root's credentials were taken away by the organisation (IAM User Guide, "Centrally manage root access
    for member accounts"): no password, no key, no certificate. A count that is missing proves nothing.
    """
    names = ("AccountPasswordPresent", "AccountAccessKeysPresent", "AccountSigningCertificatesPresent")
    return all(summary.get(name) == 0 for name in names)


@pytest.mark.control("STK-IAM-022")
def test_the_root_user_gives_a_second_factor(aws: Account) -> None:
    summary = aws.need("iam", "get_account_summary")["SummaryMap"]
    assert summary.get("AccountMFAEnabled") == 1 or _nobody_signs_in_as_root(summary), (
        "its password alone opens the whole account"
    )


@pytest.mark.control("STK-IAM-023")
def test_the_root_users_second_factor_is_hardware(aws: Account, region: Region) -> None:
    summary = aws.need("iam", "get_account_summary")["SummaryMap"]
    if summary.get("AccountMFAEnabled") != 1 and _nobody_signs_in_as_root(summary):
        return
    assert summary.get("AccountMFAEnabled") == 1, "it has no second factor at all"
    root = f"arn:aws:iam::{region['account']}:root"
    listed = aws.need("iam", "list_virtual_mfa_devices", AssignmentStatus="Assigned")["VirtualMFADevices"]
    apps = [device["SerialNumber"] for device in listed if device.get("User", {}).get("Arn") == root]
    assert not apps, f"{', '.join(apps)} is an app: a telephone's backup holds its seed"


@pytest.mark.control("STK-ACC-008")
def test_no_identity_provider_is_trusted_beside_the_identity_account(aws: Account) -> None:
    saml = aws.need("iam", "list_saml_providers")["SAMLProviderList"]
    oidc = aws.need("iam", "list_open_id_connect_providers")["OpenIDConnectProviderList"]
    found = [provider["Arn"] for provider in (*saml, *oidc)]
    assert not found, f"it trusts {', '.join(found)}"


@pytest.mark.control("STK-IAM-006")
def test_every_node_carries_the_role_of_its_server_role_only(
    instance: Resource, aws: Account, region: Region
) -> None:
    assert instance.expected is not None, f"{instance['InstanceId']} is in no plan"
    profile = instance.get("IamInstanceProfile", {}).get("Arn", "")
    assert profile, "it has no instance profile: it cannot be managed without stored keys"
    name = profile.split("/")[-1]
    roles = aws.need("iam", "get_instance_profile", InstanceProfileName=name)["InstanceProfile"]["Roles"]
    assert len(roles) == 1, f"profile {name} holds {len(roles)} roles"
    wanted = region["roles"][instance.expected["role"]]["role_arn"]
    assert roles[0]["Arn"] == wanted, f"it acts as {roles[0]['Arn']}, not as {wanted}"


@pytest.mark.control("STK-IAM-007")
def test_no_role_of_a_node_can_leave_the_allowed_regions(
    role: Resource, aws: Account, region: Region
) -> None:
    if role.expected is None:
        pytest.skip(
            "not applicable: no node acts under it; its service works in the region of what it serves"
        )
    left = identity.regions_left_open(identity.boundary_of(aws, role.data) or [])
    assert left is not None, "no boundary denies it any region"
    assert left <= set(region["allowed_regions"]), (
        f"it may act in {sorted(left - set(region['allowed_regions']))}"
    )


@pytest.mark.control("STK-IAM-008")
def test_no_role_can_give_itself_more_rights(role: Resource, aws: Account) -> None:
    possible = [action for action in ESCALATION if identity.may(aws, role.data, action)]
    assert not possible, f"it may {', '.join(possible)}"


@pytest.mark.control("STK-IAM-009")
def test_no_role_can_destroy_data_keys_or_logs(role: Resource, aws: Account) -> None:
    possible = [action for action in DESTRUCTION if identity.may(aws, role.data, action)]
    assert not possible, f"it may {', '.join(possible)}"
