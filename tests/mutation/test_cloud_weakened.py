"""Every weakness turns exactly the controls red that speak of it, on exactly the subject it sits on.

Weaknesses that touch different pairs of control and subject are put in together, because the suite says
for each
pair what it found; their sum has to be the whole difference to a green run.
"""

from __future__ import annotations

import copy
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

Pairs = set[tuple[str, str]]
Weakness = Callable[[Any], Iterator[Pairs]]
ANYWHERE = "0.0.0.0/0"


def _pairs(subject: str, *numbers: str) -> Pairs:
    return {(f"STK-{number}", subject) for number in numbers}


def _account(live: Any, *numbers: str) -> Pairs:
    return _pairs(f"account/{live.contract['account']}", *numbers)


def _node(live: Any, role: str) -> dict[str, Any]:
    return next(node for node in live.contract["nodes"] if node["role"] == role)


def bucket_policy_removed(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["data"]["name"], live.client("s3")
    policy = s3.get_bucket_policy(Bucket=name)["Policy"]
    s3.delete_bucket_policy(Bucket=name)
    yield _pairs("bucket/data", "BKT-003", "BKT-004", "BKT-011")
    s3.put_bucket_policy(Bucket=name, Policy=policy)


def versioning_suspended(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["logs"]["name"], live.client("s3")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    yield _pairs("bucket/logs", "BKT-002")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def bucket_may_become_public(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["data"]["name"], live.client("s3")
    block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    s3.put_public_access_block(
        Bucket=name, PublicAccessBlockConfiguration={**block, "BlockPublicPolicy": False}
    )
    yield _pairs("bucket/data", "BKT-005")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)


def bucket_by_hand_in_another_region(live: Any) -> Iterator[Pairs]:
    s3 = live.client("s3", "us-west-2")
    s3.create_bucket(Bucket="somebodys-copy", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    numbers = ("001", "002", "003", "004", "005", "006", "007", "008", "011")
    yield _pairs("bucket/somebodys-copy", *(f"BKT-{n}" for n in numbers), "REG-004")
    s3.delete_bucket(Bucket="somebodys-copy")


def ssh_open_to_the_world(live: Any) -> Iterator[Pairs]:
    ec2, group = live.client("ec2"), _node(live, "app")["security_group"]
    rule = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": ANYWHERE}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    yield _pairs("security_group/app", "SGR-001", "SGR-002", "SGR-003", "SGR-006")
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)


def everything_may_leave(live: Any) -> Iterator[Pairs]:
    ec2, group = live.client("ec2"), _node(live, "edge")["security_group"]
    rule = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE, "Description": "convenience"}]}]
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=rule)
    yield _pairs("security_group/edge", "SGR-004", "SGR-005", "SGR-008")
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=rule)


def role_without_boundary_may_do_everything(live: Any) -> Iterator[Pairs]:
    iam, planned = live.client("iam"), live.contract["roles"]["app"]
    name = planned["role_arn"].split("/")[-1]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.delete_role_permissions_boundary(RoleName=name)
    iam.put_role_policy(RoleName=name, PolicyName="quick-fix", PolicyDocument=json.dumps(policy))
    yield _pairs("role/app", "IAM-001", "IAM-002", "IAM-007", "IAM-008", "IAM-009")
    iam.delete_role_policy(RoleName=name, PolicyName="quick-fix")
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=planned["boundary"])


def user_with_a_key(live: Any) -> Iterator[Pairs]:
    iam = live.client("iam")
    iam.create_user(UserName="deploy")
    yield _account(live, "IAM-004")
    iam.delete_user(UserName="deploy")


def short_passwords(live: Any) -> Iterator[Pairs]:
    iam = live.client("iam")
    before = iam.get_account_password_policy()["PasswordPolicy"]
    before.pop("ExpirePasswords", None)
    iam.update_account_password_policy(**{**before, "MinimumPasswordLength": 8})
    yield _account(live, "ACC-001")
    iam.update_account_password_policy(**before)


def new_volumes_in_clear(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    ec2.disable_ebs_encryption_by_default()
    zone = _node(live, "edge")["zone"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=1, Encrypted=False)["VolumeId"]
    yield _account(live, "ACC-003") | _pairs(f"volume/{volume}", "CMP-002")
    ec2.delete_volume(VolumeId=volume)
    ec2.enable_ebs_encryption_by_default()


def account_may_publish_buckets(live: Any) -> Iterator[Pairs]:
    control, account = live.client("s3control"), live.contract["account"]
    before = control.get_public_access_block(AccountId=account)["PublicAccessBlockConfiguration"]
    weaker = {**before, "RestrictPublicBuckets": False}
    control.put_public_access_block(AccountId=account, PublicAccessBlockConfiguration=weaker)
    yield _account(live, "ACC-007")
    control.put_public_access_block(AccountId=account, PublicAccessBlockConfiguration=before)


def old_metadata_by_default(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    ec2.modify_instance_metadata_defaults(HttpTokens="optional")
    yield _account(live, "ACC-004")
    ec2.modify_instance_metadata_defaults(HttpTokens="required")


def snapshots_may_be_shared(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    ec2.disable_snapshot_block_public_access()
    yield _account(live, "ACC-005")
    ec2.enable_snapshot_block_public_access(State="block-all-sharing")


def old_metadata_on_a_node(live: Any) -> Iterator[Pairs]:
    ec2, node = live.client("ec2"), _node(live, "archive")
    ec2.modify_instance_metadata_options(InstanceId=node["instance_id"], HttpTokens="optional")
    yield _pairs(f"instance/{node['name']}", "CMP-001")
    ec2.modify_instance_metadata_options(InstanceId=node["instance_id"], HttpTokens="required")


def internal_node_with_a_public_address(live: Any) -> Iterator[Pairs]:
    ec2, node = live.client("ec2"), _node(live, "app")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    held = ec2.associate_address(AllocationId=address, InstanceId=node["instance_id"])["AssociationId"]
    yield _pairs(f"instance/{node['name']}", "CMP-003") | _account(live, "NET-015")
    ec2.disassociate_address(AssociationId=held)
    ec2.release_address(AllocationId=address)


def flow_log_deleted(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    vpc = live.contract["vpcs"]["customer"]
    log = next(f for f in ec2.describe_flow_logs()["FlowLogs"] if f["ResourceId"] == vpc["id"])
    ec2.delete_flow_logs(FlowLogIds=[log["FlowLogId"]])
    yield _pairs("vpc/customer", "NET-010")
    ec2.create_flow_logs(
        ResourceIds=[vpc["id"]],
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="cloud-watch-logs",
        LogGroupName=log.get("LogGroupName")
        or log["LogDestination"].split(":log-group:")[-1].removesuffix(":*"),
        DeliverLogsPermissionArn=log["DeliverLogsPermissionArn"],
    )


def default_group_lets_in(live: Any) -> Iterator[Pairs]:
    ec2, group = live.client("ec2"), live.contract["vpcs"]["platform"]["default_security_group"]
    rule = [{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    yield _pairs("vpc/platform", "NET-007")
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)


def isolated_tier_reaches_the_internet(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    vpc = live.contract["vpcs"]["platform"]
    isolated = {name: s["id"] for name, s in vpc["subnets"].items() if s["tier"] == "isolated"}
    tables = ec2.describe_route_tables()["RouteTables"]
    table = next(t for t in tables if any(a.get("SubnetId") in isolated.values() for a in t["Associations"]))
    gateways = ec2.describe_internet_gateways()["InternetGateways"]
    gateway = next(g for g in gateways if any(a["VpcId"] == vpc["id"] for a in g["Attachments"]))
    where = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": ANYWHERE}
    ec2.create_route(**where, GatewayId=gateway["InternetGatewayId"])
    yield {(f"STK-{n}", f"subnet/platform/{name}") for name in isolated for n in ("NET-004", "NET-006")}
    ec2.delete_route(**where)


def private_subnet_gives_public_addresses(live: Any) -> Iterator[Pairs]:
    ec2, subnet = live.client("ec2"), live.contract["vpcs"]["customer"]["subnets"]["private-a"]["id"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    yield _pairs("subnet/customer/private-a", "NET-014")
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})


def vpc_in_another_region(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2", "us-west-2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    yield _account(live, "REG-003")
    ec2.delete_vpc(VpcId=vpc)


def key_not_rotated(live: Any) -> Iterator[Pairs]:
    kms, key = live.client("kms"), live.contract["keys"]["data"]
    kms.disable_key_rotation(KeyId=key)
    yield _pairs("key/data", "KMS-001")
    kms.enable_key_rotation(KeyId=key)


def key_for_everybody(live: Any) -> Iterator[Pairs]:
    kms, key = live.client("kms"), live.contract["keys"]["logs"]
    before = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    wide = json.loads(before)
    wide["Statement"].append(
        {"Sid": "Easy", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    )
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(wide))
    yield _pairs("key/logs", "KMS-003", "KMS-004", "KMS-005")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=before)


def tunnel_logs_kept_for_a_month(live: Any) -> Iterator[Pairs]:
    logs = live.client("logs")
    group = next(g for g in logs.describe_log_groups()["logGroups"] if g["logGroupName"].endswith("/vpn"))
    name = group["logGroupName"]
    logs.put_retention_policy(logGroupName=name, retentionInDays=30)
    yield _pairs(f"log_group/{name.lstrip('/')}", "LOG-002")
    logs.put_retention_policy(logGroupName=name, retentionInDays=group["retentionInDays"])


def tunnel_by_hand_with_what_aws_accepts(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    known = next(iter(live.contract["vpn"].values()))
    made = ec2.create_vpn_connection(
        Type="ipsec.1", CustomerGatewayId=known["customer_gateway"], VpnGatewayId=known["vpn_gateway"]
    )["VpnConnection"]["VpnConnectionId"]
    numbers = ("001", "002", "003", "004", "005", "006", "007", "008", "009")
    yield _pairs(f"vpn/{made}", *(f"VPN-{n}" for n in numbers))
    ec2.delete_vpn_connection(VpnConnectionId=made)


def endpoint_open_to_every_account(live: Any) -> Iterator[Pairs]:
    ec2, vpc = live.client("ec2"), live.contract["vpcs"]["customer"]["id"]
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    mine = next(e for e in endpoints if e["VpcId"] == vpc and e["VpcEndpointType"] == "Gateway")
    wide = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
    ec2.modify_vpc_endpoint(VpcEndpointId=mine["VpcEndpointId"], PolicyDocument=json.dumps(wide))
    yield _pairs("endpoint/customer/s3-gateway", "NET-011")
    ec2.modify_vpc_endpoint(VpcEndpointId=mine["VpcEndpointId"], PolicyDocument=mine["PolicyDocument"])


BATCHES: dict[str, list[Weakness]] = {
    "storage, identity and keys": [
        bucket_policy_removed,
        versioning_suspended,
        bucket_by_hand_in_another_region,
        role_without_boundary_may_do_everything,
        user_with_a_key,
        short_passwords,
        account_may_publish_buckets,
        key_not_rotated,
        key_for_everybody,
        tunnel_logs_kept_for_a_month,
    ],
    "network and nodes": [
        ssh_open_to_the_world,
        everything_may_leave,
        flow_log_deleted,
        default_group_lets_in,
        isolated_tier_reaches_the_internet,
        private_subnet_gives_public_addresses,
        vpc_in_another_region,
        tunnel_by_hand_with_what_aws_accepts,
        endpoint_open_to_every_account,
    ],
    "compute": [
        bucket_may_become_public,
        new_volumes_in_clear,
        old_metadata_by_default,
        snapshots_may_be_shared,
        old_metadata_on_a_node,
        internal_node_with_a_public_address,
    ],
}


def test_the_region_as_provisioned_is_green(live: Any) -> None:
    code, red = live.verify()
    assert not red, live.why(red)
    assert code == 0


@pytest.mark.parametrize("batch", BATCHES)
def test_each_weakness_turns_exactly_its_controls_red(live: Any, batch: str) -> None:
    expected: Pairs = set()
    with ExitStack() as repairs:
        for weaken in BATCHES[batch]:
            pairs = repairs.enter_context(contextmanager(weaken)(live))
            assert not pairs & expected, f"{weaken.__name__} hides behind another weakness"
            expected |= pairs
        code, red = live.verify()
    assert not red - expected, "red without a weakness:\n" + live.why(red - expected)
    assert not expected - red, f"not seen: {sorted(expected - red)}"
    assert code in (1, 3)


def test_the_repaired_region_is_green_again(live: Any) -> None:
    code, red = live.verify()
    assert not red, live.why(red)
    assert code == 0


def test_what_the_contract_promises_and_the_account_lacks_is_red(live: Any) -> None:
    contract = copy.deepcopy(live.contract)
    contract["buckets"]["archive"] = {"name": "nobody-made-this"}
    contract["nodes"].append(
        {**_node(live, "edge"), "name": "edge-z-9", "instance_id": "i-00000000000000000"}
    )
    code, red = live.verify(contract)
    assert code == 1
    assert {subject for _, subject in red} == {"bucket/archive", "instance/edge-z-9"}
    assert "nobody-made-this of the region contract is not in the account" in live.why(red)


def test_an_account_that_does_not_answer_proves_nothing(live: Any) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: nobody else takes it meanwhile
        dead = f"http://localhost:{reserved.getsockname()[1]}"
        code, red = live.verify(env={"AWS_ENDPOINT_URL": dead, "AWS_ENDPOINT_URL_S3_CONTROL": dead})
    assert code == 3
    judged = {(r.control, r.subject) for r in live.report.results}
    assert {control for control, _ in judged - red} <= {"STK-REG-002"}, "only the contract itself can be read"
    assert all("Could not connect" in r.message for r in live.report.results if (r.control, r.subject) in red)
