"""What moto lacks of accounts, instances and subnets, so that what breaks there can be seen to break."""

from __future__ import annotations

from tests.unit.emulated_account import aws
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
