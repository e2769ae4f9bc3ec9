"""What holds for the whole account, also for what somebody starts by hand. Rows M10, M18, M21, M26."""

from __future__ import annotations

from typing import Any

import pytest

from verify.account import Account

Region = dict[str, Any]
# Systems Manager User Guide, "Blocking public sharing for documents".
DOCUMENT_SHARING = "/ssm/documents/console/public-sharing-permission"


@pytest.fixture
def passwords(aws: Account) -> Region:
    found = aws.read("iam", "get_account_password_policy", absent=("NoSuchEntity",))
    assert found, "the account has no password policy"
    return dict(found["PasswordPolicy"])


# CIS Amazon Web Services Foundations Benchmark v3.0.0, 1.8 (length) and 1.9 (reuse).
@pytest.mark.control("STK-ACC-001")
def test_passwords_are_long_and_of_every_kind(passwords: Region) -> None:
    length = passwords["MinimumPasswordLength"]
    assert length >= 14, f"{length} characters are enough"
    kinds = ("RequireSymbols", "RequireNumbers", "RequireUppercaseCharacters", "RequireLowercaseCharacters")
    missing = [kind for kind in kinds if not passwords.get(kind)]
    assert not missing, f"not required: {', '.join(missing)}"


@pytest.mark.control("STK-ACC-002")
def test_passwords_expire_and_do_not_come_back(passwords: Region) -> None:
    assert passwords.get("PasswordReusePrevention", 0) >= 24, (
        f"remembers {passwords.get('PasswordReusePrevention', 0)}"
    )
    assert 0 < passwords.get("MaxPasswordAge", 0) <= 90, (
        f"valid for {passwords.get('MaxPasswordAge', 'ever')} days"
    )
    assert passwords.get("HardExpiry") is True, "whoever has an expired password can set a new one alone"


@pytest.mark.control("STK-ACC-003")
def test_new_volumes_are_encrypted_with_our_own_key(aws: Account, region: Region) -> None:
    assert aws.need("ec2", "get_ebs_encryption_by_default")["EbsEncryptionByDefault"] is True, (
        "new volumes are clear"
    )
    key = aws.need("ec2", "get_ebs_default_kms_key_id")["KmsKeyId"]
    assert key.split("/")[-1] in {arn.split("/")[-1] for arn in region["keys"].values()}, (
        f"the default key is {key}"
    )


@pytest.mark.control("STK-ACC-004")
def test_new_instances_ask_for_a_metadata_session_token(aws: Account) -> None:
    defaults = aws.need("ec2", "get_instance_metadata_defaults").get("AccountLevel", {})
    assert defaults.get("HttpTokens") == "required", f"HttpTokens is {defaults.get('HttpTokens', 'not set')}"
    assert defaults.get("HttpPutResponseHopLimit") == 1, (
        f"hop limit {defaults.get('HttpPutResponseHopLimit')}"
    )


@pytest.mark.control("STK-ACC-005")
def test_snapshots_cannot_be_shared_with_everybody(aws: Account) -> None:
    state = aws.need("ec2", "get_snapshot_block_public_access_state")["State"]
    assert state == "block-all-sharing", f"the state is {state}"


@pytest.mark.control("STK-ACC-006")
def test_images_cannot_be_shared_with_everybody(aws: Account) -> None:
    state = aws.need("ec2", "get_image_block_public_access_state")["ImageBlockPublicAccessState"]
    assert state == "block-new-sharing", f"the state is {state}"


@pytest.mark.control("STK-ACC-007")
def test_no_bucket_of_the_account_can_become_public(aws: Account, region: Region) -> None:
    absent = ("NoSuchPublicAccessBlockConfiguration",)
    found = aws.read("s3control", "get_public_access_block", absent=absent, AccountId=str(region["account"]))
    assert found, "the account has no public access block"
    settings = found["PublicAccessBlockConfiguration"]
    off = [name for name, on in settings.items() if on is not True]
    assert len(settings) == 4 and not off, f"off: {', '.join(off)}"


@pytest.mark.control("STK-ACC-009")
def test_documents_of_systems_manager_cannot_be_shared_with_everybody(aws: Account) -> None:
    found = aws.need("ssm", "get_service_setting", SettingId=DOCUMENT_SHARING)["ServiceSetting"]
    assert found["SettingValue"] == "Disable", f"sharing with everybody is {found['SettingValue']}"


@pytest.mark.control("STK-ACC-010")
def test_the_serial_console_is_off(aws: Account) -> None:
    on = aws.need("ec2", "get_serial_console_access_status")["SerialConsoleAccessEnabled"]
    assert on is False, "a node can be entered past its firewall, its sshd and their logs"
