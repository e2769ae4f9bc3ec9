"""What moto lacks of accounts, instances and subnets, so that what breaks there can be seen to break."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.unit.emulated_account import ACCOUNT, aws
from twin.account.extensions.root_user import HARDWARE
from twin.program.aws import Clients

__all__ = ["aws"]


def test_a_key_without_a_users_name_is_the_root_users(aws: Clients) -> None:
    iam = aws.client("iam")
    assert iam.get_account_summary()["SummaryMap"]["AccountAccessKeysPresent"] == 0
    made = iam.create_access_key()["AccessKey"]["AccessKeyId"]
    assert iam.get_account_summary()["SummaryMap"]["AccountAccessKeysPresent"] == 1
    iam.delete_access_key(AccessKeyId=made)
    assert iam.get_account_summary()["SummaryMap"]["AccountAccessKeysPresent"] == 0


def test_a_users_key_is_not_the_root_users(aws: Clients) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="deploy")
    key = iam.create_access_key(UserName="deploy")["AccessKey"]["AccessKeyId"]
    assert iam.get_account_summary()["SummaryMap"]["AccountAccessKeysPresent"] == 0
    iam.delete_access_key(UserName="deploy", AccessKeyId=key)
    iam.delete_user(UserName="deploy")


def test_root_comes_with_a_password_and_a_device_and_loses_them_by_api(aws: Clients) -> None:
    iam = aws.client("iam")

    def counts() -> tuple[int, int]:
        summary = iam.get_account_summary()["SummaryMap"]
        return summary["AccountMFAEnabled"], summary["AccountPasswordPresent"]

    assert counts() == (1, 1)
    iam.deactivate_mfa_device(SerialNumber=HARDWARE)
    iam.delete_login_profile()
    assert counts() == (0, 0)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.deactivate_mfa_device(SerialNumber=HARDWARE)


def test_an_app_of_root_is_listed_as_such(aws: Clients) -> None:
    iam = aws.client("iam")
    app = iam.create_virtual_mfa_device(VirtualMFADeviceName="app")["VirtualMFADevice"]["SerialNumber"]
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"] == []
    iam.enable_mfa_device(
        UserName=ACCOUNT, SerialNumber=app, AuthenticationCode1="123456", AuthenticationCode2="654321"
    )
    (listed,) = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert listed["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    iam.deactivate_mfa_device(SerialNumber=app)
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"] == []


def test_a_service_setting_has_a_default_until_somebody_changes_it(aws: Clients) -> None:
    ssm, setting = aws.client("ssm"), "/ssm/documents/console/public-sharing-permission"

    def told() -> tuple[str, str]:
        found = ssm.get_service_setting(SettingId=setting)["ServiceSetting"]
        return found["SettingValue"], found["Status"]

    assert told() == ("Enable", "Default")
    arn = ssm.get_service_setting(SettingId=setting)["ServiceSetting"]["ARN"]
    ssm.update_service_setting(SettingId=arn, SettingValue="Disable")
    assert told() == ("Disable", "Customized")
    with pytest.raises(ClientError, match="is none of Enable, Disable"):
        ssm.update_service_setting(SettingId=setting, SettingValue="maybe")
    assert ssm.reset_service_setting(SettingId=setting)["ServiceSetting"]["SettingValue"] == "Enable"
    with pytest.raises(ClientError, match="ServiceSettingNotFound"):
        ssm.get_service_setting(SettingId="/ssm/something/else")


def test_the_serial_console_is_off_until_somebody_switches_it_on(aws: Clients) -> None:
    ec2 = aws.client("ec2")
    assert ec2.get_serial_console_access_status()["SerialConsoleAccessEnabled"] is False
    ec2.enable_serial_console_access()
    assert ec2.get_serial_console_access_status()["SerialConsoleAccessEnabled"] is True
    ec2.disable_serial_console_access()
    assert ec2.get_serial_console_access_status()["SerialConsoleAccessEnabled"] is False


def test_a_subnet_takes_its_acl_association_with_it(aws: Clients) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    ec2.delete_subnet(SubnetId=subnet)
    acls = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
    assert [acl["Associations"] for acl in acls] == [[]]


def test_monitoring_is_switched_off_and_on_again(aws: Clients) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.1.0/24")["Subnet"]["SubnetId"]
    asked = {"ImageId": "ami-0f00000000000000b", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet}
    made = ec2.run_instances(**asked, Monitoring={"Enabled": True})["Instances"][0]["InstanceId"]

    def state() -> str:
        found = ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"][0]
        return str(found["Monitoring"]["State"])

    ec2.unmonitor_instances(InstanceIds=[made])
    assert state() == "disabled"
    ec2.monitor_instances(InstanceIds=[made])
    assert state() == "enabled"
