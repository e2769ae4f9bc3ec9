"""Weaknesses of the compute."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, account, node_of, pairs


def new_volumes_in_clear(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    ec2.disable_ebs_encryption_by_default()
    zone = node_of(live, "edge")["zone"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=1, Encrypted=False)["VolumeId"]
    yield account(live, "ACC-003") | pairs(f"volume/{volume}", "CMP-002", "BAK-005")
    ec2.delete_volume(VolumeId=volume)
    ec2.enable_ebs_encryption_by_default()


def old_metadata_by_default(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    ec2.modify_instance_metadata_defaults(HttpTokens="optional")
    yield account(live, "ACC-004")
    ec2.modify_instance_metadata_defaults(HttpTokens="required")


def snapshots_may_be_shared(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    ec2.disable_snapshot_block_public_access()
    yield account(live, "ACC-005")
    ec2.enable_snapshot_block_public_access(State="block-all-sharing")


def old_metadata_on_a_node(live: Any) -> Iterator[Pairs]:
    ec2, node = live.client("ec2"), node_of(live, "archive")
    ec2.modify_instance_metadata_options(InstanceId=node["instance_id"], HttpTokens="optional")
    yield pairs(f"instance/{node['name']}", "CMP-001")
    ec2.modify_instance_metadata_options(InstanceId=node["instance_id"], HttpTokens="required")


def internal_node_with_a_public_address(live: Any) -> Iterator[Pairs]:
    ec2, node = live.client("ec2"), node_of(live, "app")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    held = ec2.associate_address(AllocationId=address, InstanceId=node["instance_id"])["AssociationId"]
    yield pairs(f"instance/{node['name']}", "CMP-003") | account(live, "NET-015")
    ec2.disassociate_address(AssociationId=held)
    ec2.release_address(AllocationId=address)


def images_may_be_shared(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    ec2.disable_image_block_public_access()
    yield account(live, "ACC-006")
    ec2.enable_image_block_public_access(ImageBlockPublicAccessState="block-new-sharing")


def a_node_is_stopped(live: Any) -> Iterator[Pairs]:
    ec2, node = live.client("ec2"), node_of(live, "archive")
    ec2.stop_instances(InstanceIds=[node["instance_id"]])
    yield pairs(f"instance/{node['name']}", "CMP-004")
    ec2.start_instances(InstanceIds=[node["instance_id"]])


def a_node_watched_every_five_minutes(live: Any) -> Iterator[Pairs]:
    ec2, node = live.client("ec2"), node_of(live, "edge")
    ec2.unmonitor_instances(InstanceIds=[node["instance_id"]])
    yield pairs(f"instance/{node['name']}", "CMP-005")
    ec2.monitor_instances(InstanceIds=[node["instance_id"]])


def a_node_in_another_roles_group(live: Any) -> Iterator[Pairs]:
    ec2, node, other = live.client("ec2"), node_of(live, "app"), node_of(live, "edge")
    groups = [node["security_group"], other["security_group"]]
    ec2.modify_instance_attribute(InstanceId=node["instance_id"], Groups=groups)
    yield pairs(f"instance/{node['name']}", "CMP-006")
    ec2.modify_instance_attribute(InstanceId=node["instance_id"], Groups=groups[:1])


def a_node_may_route(live: Any) -> Iterator[Pairs]:
    ec2, node = live.client("ec2"), node_of(live, "app")
    ec2.modify_instance_attribute(InstanceId=node["instance_id"], SourceDestCheck={"Value": False})
    yield pairs(f"instance/{node['name']}", "CMP-011")
    ec2.modify_instance_attribute(InstanceId=node["instance_id"], SourceDestCheck={"Value": True})


def template_by_hand(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    login = base64.b64encode(b"#cloud-config\nssh_pwauth: true\n").decode()
    ec2.create_launch_template(
        LaunchTemplateName="quick", LaunchTemplateData={"InstanceType": "t3.micro", "UserData": login}
    )
    yield pairs("launch_template/quick", "CMP-007", "CMP-008")
    ec2.delete_launch_template(LaunchTemplateName="quick")


def template_for_the_internet(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    shown = [{"DeviceIndex": 0, "AssociatePublicIpAddress": True}]
    ec2.create_launch_template(LaunchTemplateName="shown", LaunchTemplateData={"NetworkInterfaces": shown})
    yield pairs("launch_template/shown", "CMP-007", "CMP-015")
    ec2.delete_launch_template(LaunchTemplateName="shown")


def nodes_under_another_roles_rights(live: Any) -> Iterator[Pairs]:
    iam, roles = live.client("iam"), live.contract["roles"]
    profile = roles["edge"]["instance_profile"]
    own, other = (roles[name]["role_arn"].split("/")[-1] for name in ("edge", "app"))

    def hold(new: str, old: str) -> None:
        iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=old)
        iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=new)

    hold(other, own)
    nodes = [node["name"] for node in live.contract["nodes"] if node["role"] == "edge"]
    # Nothing carries the role of edge any longer, so nobody has a reason to assume it.
    yield {("STK-IAM-006", f"instance/{name}") for name in nodes} | pairs("role/edge", "IAM-003")
    hold(own, other)


def instance_by_hand(live: Any) -> Iterator[Pairs]:
    """Like a planned node in all but the plan: nobody says where it stands, what it is or what it may do."""
    ec2, node = live.client("ec2"), node_of(live, "app")
    made = ec2.run_instances(
        ImageId="ami-0123456789abcdef0",
        MinCount=1,
        MaxCount=1,
        SubnetId=live.contract["vpcs"][node["vpc"]]["subnets"][node["subnet"]]["id"],
        SecurityGroupIds=[node["security_group"]],
    )["Instances"][0]["InstanceId"]
    found = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [made]}])["Volumes"]
    numbers = ("CMP-003", "CMP-004", "CMP-005", "CMP-006", "CMP-009", "IAM-006")
    # Encrypted, because new volumes are by default; but no backup knows them.
    disks = [pairs(f"volume/{volume['VolumeId']}", "BAK-005") for volume in found]
    yield pairs(f"instance/{made}", *numbers).union(*disks)
    ec2.terminate_instances(InstanceIds=[made])


def snapshot_for_another_account(live: Any) -> Iterator[Pairs]:
    ec2, node = live.client("ec2"), node_of(live, "archive")
    wanted = [{"Name": "attachment.instance-id", "Values": [node["instance_id"]]}]
    volume = ec2.describe_volumes(Filters=wanted)["Volumes"][0]["VolumeId"]
    taken = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.modify_snapshot_attribute(
        SnapshotId=taken, Attribute="createVolumePermission", OperationType="add", UserIds=["999999999999"]
    )
    yield account(live, "CMP-010")
    ec2.delete_snapshot(SnapshotId=taken)


def documents_may_be_shared(live: Any) -> Iterator[Pairs]:
    ssm, setting = live.client("ssm"), "/ssm/documents/console/public-sharing-permission"
    ssm.update_service_setting(SettingId=setting, SettingValue="Enable")
    yield account(live, "ACC-009")
    ssm.update_service_setting(SettingId=setting, SettingValue="Disable")


def a_way_in_by_the_serial_console(live: Any) -> Iterator[Pairs]:
    ec2 = live.client("ec2")
    ec2.enable_serial_console_access()
    yield account(live, "ACC-010")
    ec2.disable_serial_console_access()


def a_function_that_everybody_calls(live: Any) -> Iterator[Pairs]:
    functions, name = live.client("lambda"), live.contract["windows"]["function"]
    functions.add_permission(
        FunctionName=name, StatementId="open", Action="lambda:InvokeFunction", Principal="*"
    )
    yield pairs("function/windows", "CMP-012")
    functions.remove_permission(FunctionName=name, StatementId="open")


def a_function_on_an_old_runtime_with_a_password(live: Any) -> Iterator[Pairs]:
    functions, name = live.client("lambda"), live.contract["windows"]["function"]
    variables = {"PASSWORD": "correct-horse-battery"}  # pragma: allowlist secret
    functions.update_function_configuration(
        FunctionName=name, Runtime="python3.8", Environment={"Variables": variables}
    )
    yield pairs("function/windows", "CMP-013", "CMP-014")
    functions.update_function_configuration(
        FunctionName=name, Runtime="python3.12", Environment={"Variables": {}}
    )


WEAKNESSES: tuple[Weakness, ...] = (
    images_may_be_shared,
    a_node_is_stopped,
    a_node_watched_every_five_minutes,
    a_node_in_another_roles_group,
    a_node_may_route,
    template_by_hand,
    template_for_the_internet,
    nodes_under_another_roles_rights,
    instance_by_hand,
    snapshot_for_another_account,
    documents_may_be_shared,
    a_way_in_by_the_serial_console,
    a_function_that_everybody_calls,
    a_function_on_an_old_runtime_with_a_password,
    new_volumes_in_clear,
    old_metadata_by_default,
    snapshots_may_be_shared,
    old_metadata_on_a_node,
    internal_node_with_a_public_address,
)
