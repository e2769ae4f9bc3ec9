"""The emulated account: its process, its port, its environment, and each extension against AWS's documented
answer."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError

from fault import WRONG_USE, Fault
from twin import account
from twin.account.extensions.vpn import pre_shared_key
from twin.ledger import Ledger, begun
from twin.program.aws import Clients

ACCOUNT, REGION = "444455556666", "ap-south-1"
IMAGE = account.Image("ami-0f00000000000000b", "136693071363")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("build")
    account.start("unit", ACCOUNT, REGION, folder, image=IMAGE)
    yield folder
    account.stop(folder)


@pytest.fixture(scope="module")
def aws(build: Path) -> Clients:
    found = account.find(build)
    assert found is not None
    return Clients(found.endpoint, found.id, found.region, ("a", "b"))


@pytest.fixture(scope="module")
def ec2(aws: Clients) -> Any:
    return aws.client("ec2")


@pytest.fixture
def vpc(ec2: Any) -> str:
    return str(ec2.create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"])


# ---------------------------------------------------------------------- the process
def test_starting_again_finds_the_running_account(build: Path) -> None:
    first = account.find(build)
    assert first is not None
    assert account.start("unit", ACCOUNT, REGION, build, image=IMAGE) == first
    assert psutil.Process(first.pid).ppid() != os.getpid() or psutil.Process(first.pid).terminal() is None


def test_the_process_is_in_the_ledger_with_its_start_time(build: Path) -> None:
    found = account.find(build)
    assert found is not None
    facts = [entry.facts for entry in Ledger(build / "twin").entries() if entry.kind == "process"]
    assert facts[-1]["pid"] == found.pid
    assert facts[-1]["start_time"] == begun(found.pid)
    assert os.getsid(found.pid) == found.pid  # a session of its own: no terminal takes it down


def test_it_listens_on_loopback_only(build: Path) -> None:
    found = account.find(build)
    assert found is not None
    listening = [c for c in psutil.Process(found.pid).net_connections("inet") if c.status == "LISTEN"]
    assert [connection.laddr.ip for connection in listening] == ["127.0.0.1"]


def test_another_stack_s_account_is_refused_while_one_runs(build: Path) -> None:
    with pytest.raises(Fault, match="stack unit is running") as caught:
        account.start("other", ACCOUNT, REGION, build, image=IMAGE)
    assert caught.value.code == WRONG_USE


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Fault, match=f"port {port}: Address already in use") as caught:
            account.start("unit", ACCOUNT, REGION, tmp_path, port=port, image=IMAGE)
    assert caught.value.code == WRONG_USE
    assert account.find(tmp_path) is None


def test_a_chosen_port_is_used_and_a_killed_account_counts_as_none(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = account.start("unit", ACCOUNT, REGION, tmp_path, port=port, image=IMAGE)
    try:
        assert started.endpoint == f"http://localhost:{port}"
        os.kill(started.pid, signal.SIGKILL)
        psutil.Process(started.pid).wait(60)
        assert account.find(tmp_path) is None
    finally:
        account.stop(tmp_path)
    assert not (tmp_path / "twin" / "aws.env").exists()


def test_the_environment_file_points_any_client_at_the_account(build: Path) -> None:
    script = (
        "import boto3; print(boto3.client('sts').get_caller_identity()['Account']);"
        "c = boto3.client('s3control'); a = dict(AccountId='444455556666');"
        "c.put_public_access_block(PublicAccessBlockConfiguration={'BlockPublicAcls': True}, **a);"
        "print(c.get_public_access_block(**a)['PublicAccessBlockConfiguration']['BlockPublicAcls'])"
    )
    python = os.sys.executable  # type: ignore[attr-defined]
    shell = f'. "{build}/twin/aws.env" && exec "{python}" -c "{script}"'
    clean = {"PATH": os.environ["PATH"]}
    out = subprocess.run(["sh", "-c", shell], env=clean, capture_output=True, text=True, check=True).stdout
    assert out.split() == [ACCOUNT, "True"]


def test_the_account_is_the_stack_s_and_offers_only_its_image(aws: Clients) -> None:
    assert aws.client("sts").get_caller_identity()["Account"] == ACCOUNT
    images = aws.client("ec2").describe_images()["Images"]
    assert [(image["ImageId"], image["OwnerId"]) for image in images] == [(IMAGE.id, IMAGE.owner)]
    policies = aws.client("iam").list_policies(Scope="AWS", MaxItems=5)["Policies"]
    assert len(policies) == 5


@pytest.mark.parametrize("region", [REGION, "eu-central-1"])
def test_no_region_has_a_default_vpc(aws: Clients, region: str) -> None:
    ec2 = boto3.client(
        "ec2", region, endpoint_url=aws.endpoint, aws_access_key_id="a", aws_secret_access_key="b"
    )
    assert not [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if vpc["IsDefault"]]
    assert not [subnet for subnet in ec2.describe_subnets()["Subnets"] if subnet["DefaultForAz"]]
    for vpc in ec2.describe_vpcs()["Vpcs"]:
        assert vpc["CidrBlock"] != "172.31.0.0/16"


def test_a_repeated_creation_gives_the_first_answer(aws: Clients, ec2: Any) -> None:
    def make(token: str) -> str:
        with aws.once(token):
            return str(ec2.create_vpc(CidrBlock="10.51.0.0/16")["Vpc"]["VpcId"])

    assert make("one") == make("one")
    assert make("one") != make("two")
    assert make("") != make("")


# ---------------------------------------------------------------------- site-to-site VPN
OPTIONS: dict[str, Any] = {
    "PreSharedKey": "abcdefgh12345678",
    "IKEVersions": [{"Value": "ikev2"}],
    "Phase1EncryptionAlgorithms": [{"Value": "AES256-GCM-16"}],
    "Phase1IntegrityAlgorithms": [{"Value": "SHA2-384"}],
    "Phase1DHGroupNumbers": [{"Value": 20}],
    "Phase1LifetimeSeconds": 28800,
    "Phase2DHGroupNumbers": [{"Value": 20}],
    "DPDTimeoutAction": "restart",
    "DPDTimeoutSeconds": 30,
    "StartupAction": "start",
    "EnableTunnelLifecycleControl": True,
    "LogOptions": {"CloudWatchLogOptions": {"LogEnabled": True, "LogOutputFormat": "json"}},
}


@pytest.fixture
def connect(ec2: Any) -> Any:
    def make(**more: Any) -> dict[str, Any]:
        customer = ec2.create_customer_gateway(Type="ipsec.1", PublicIp="203.0.113.9", BgpAsn=65010)
        gateway = ec2.create_vpn_gateway(Type="ipsec.1", AmazonSideAsn=64512)["VpnGateway"]["VpnGatewayId"]
        made = ec2.create_vpn_connection(
            Type="ipsec.1",
            CustomerGatewayId=customer["CustomerGateway"]["CustomerGatewayId"],
            VpnGatewayId=gateway,
            Options={"StaticRoutesOnly": True, "TunnelOptions": [OPTIONS, {}]},
            **more,
        )["VpnConnection"]["VpnConnectionId"]
        return dict(ec2.describe_vpn_connections(VpnConnectionIds=[made])["VpnConnections"][0])

    return make


def test_a_made_key_never_starts_with_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """User guide of Site-to-Site VPN; a key that did was refused by the role, once in some thirty runs."""
    monkeypatch.setattr(secrets, "choice", min)
    assert re.fullmatch("[A-Za-z1-9][A-Za-z0-9]{31}", pre_shared_key())


def test_every_option_of_a_tunnel_is_given_back(connect: Any) -> None:
    connection = connect()
    tunnel, other = connection["Options"]["TunnelOptions"]
    spelled = {"IKEVersions": "IkeVersions", "DPDTimeoutAction": "DpdTimeoutAction"}
    spelled["DPDTimeoutSeconds"] = "DpdTimeoutSeconds"
    assert {name: tunnel[spelled.get(name, name)] for name in OPTIONS} == OPTIONS
    assert connection["Options"]["StaticRoutesOnly"] is True
    assert tunnel["OutsideIpAddress"] != other["OutsideIpAddress"]
    assert tunnel["TunnelInsideCidr"] != other["TunnelInsideCidr"]
    assert len(other["PreSharedKey"]) == 32
    document = connection["CustomerGatewayConfiguration"]
    assert "<encryption_protocol>aes-256-gcm-16</encryption_protocol>" in document
    assert "<ip_address>203.0.113.9</ip_address>" in document


def test_nothing_has_dialled_so_both_tunnels_are_down(connect: Any) -> None:
    connection = connect()
    assert [item["Status"] for item in connection["VgwTelemetry"]] == ["DOWN", "DOWN"]


def test_keys_in_secrets_manager_are_nowhere_else(aws: Clients, ec2: Any, connect: Any) -> None:
    connection = connect(PreSharedKeyStorage="SecretsManager")
    assert OPTIONS["PreSharedKey"] not in json.dumps(connection, default=str)
    assert all("PreSharedKey" not in tunnel for tunnel in connection["Options"]["TunnelOptions"])
    vault = aws.client("secretsmanager")
    kept = json.loads(vault.get_secret_value(SecretId=connection["PreSharedKeyArn"])["SecretString"])
    first = connection["Options"]["TunnelOptions"][0]["OutsideIpAddress"]
    assert kept[first] == OPTIONS["PreSharedKey"]
    identity = connection["VpnConnectionId"]
    change = {"PreSharedKey": "another_key_1234"}
    ec2.modify_vpn_tunnel_options(
        VpnConnectionId=identity, VpnTunnelOutsideIpAddress=first, TunnelOptions=change
    )
    kept = json.loads(vault.get_secret_value(SecretId=connection["PreSharedKeyArn"])["SecretString"])
    assert kept[first] == "another_key_1234"
    now = ec2.describe_vpn_connections(VpnConnectionIds=[identity])
    assert "another_key_1234" not in json.dumps(now, default=str)
    ec2.delete_vpn_connection(VpnConnectionId=identity)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        vault.get_secret_value(SecretId=connection["PreSharedKeyArn"])


def test_one_tunnel_s_options_can_be_modified(ec2: Any, connect: Any) -> None:
    connection = connect()
    first, second = connection["Options"]["TunnelOptions"]
    ec2.modify_vpn_tunnel_options(
        VpnConnectionId=connection["VpnConnectionId"],
        VpnTunnelOutsideIpAddress=second["OutsideIpAddress"],
        TunnelOptions={"DPDTimeoutAction": "clear", "Phase1LifetimeSeconds": 900},
    )
    found = ec2.describe_vpn_connections(VpnConnectionIds=[connection["VpnConnectionId"]])
    now = found["VpnConnections"][0]["Options"]["TunnelOptions"]
    assert now[0] == first
    assert (now[1]["DpdTimeoutAction"], now[1]["Phase1LifetimeSeconds"]) == ("clear", 900)


def test_static_routes_of_a_connection(ec2: Any, connect: Any) -> None:
    route = {"VpnConnectionId": connect()["VpnConnectionId"], "DestinationCidrBlock": "172.30.0.0/24"}
    ec2.create_vpn_connection_route(**route)

    def routes() -> list[str]:
        found = ec2.describe_vpn_connections(VpnConnectionIds=[route["VpnConnectionId"]])["VpnConnections"][0]
        return [item["DestinationCidrBlock"] for item in found.get("Routes", [])]

    assert routes() == ["172.30.0.0/24"]
    ec2.delete_vpn_connection_route(**route)
    assert routes() == []
    with pytest.raises(ClientError, match=r"InvalidRoute\.NotFound"):
        ec2.delete_vpn_connection_route(**route)


def test_a_table_learns_only_from_a_gateway_of_its_vpc(ec2: Any, vpc: str) -> None:
    gateway = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    with pytest.raises(ClientError, match=r"Gateway\.NotAttached"):
        ec2.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
    ec2.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    found = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
    assert found["PropagatingVgws"] == [{"GatewayId": gateway}]
    ec2.disable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    assert ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["PropagatingVgws"] == []


# ---------------------------------------------------------------------- volumes, metadata, sharing
@pytest.fixture
def subnet(ec2: Any, vpc: str) -> str:
    return str(ec2.create_subnet(VpcId=vpc, CidrBlock="10.50.1.0/24")["Subnet"]["SubnetId"])


def launch(ec2: Any, subnet: str, **more: Any) -> dict[str, Any]:
    wanted = {"ImageId": IMAGE.id, "InstanceType": "m7i.large"} | more
    made = ec2.run_instances(MinCount=1, MaxCount=1, SubnetId=subnet, **wanted)["Instances"][0]["InstanceId"]
    return dict(ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"][0])


def volumes(ec2: Any, instance: dict[str, Any]) -> list[dict[str, Any]]:
    names = [mapping["Ebs"]["VolumeId"] for mapping in instance["BlockDeviceMappings"]]
    return list(ec2.describe_volumes(VolumeIds=names)["Volumes"])


def test_encryption_by_default_takes_effect_with_the_default_key(aws: Clients, ec2: Any, subnet: str) -> None:
    zone = f"{REGION}a"
    assert ec2.create_volume(AvailabilityZone=zone, Size=1)["Encrypted"] is False
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    ec2.enable_ebs_encryption_by_default()
    ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)
    try:
        assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == key
        made = ec2.create_volume(AvailabilityZone=zone, Size=1)
        assert (made["Encrypted"], made["KmsKeyId"]) == (True, key)
        root = volumes(ec2, launch(ec2, subnet))
        assert [(volume["Encrypted"], volume["KmsKeyId"]) for volume in root] == [(True, key)]
        assert ec2.reset_ebs_default_kms_key_id()["KmsKeyId"] != key
    finally:
        ec2.disable_ebs_encryption_by_default()
    assert ec2.create_volume(AvailabilityZone=zone, Size=1)["Encrypted"] is False


def test_metadata_defaults_are_kept_and_applied(ec2: Any, subnet: str) -> None:
    ec2.modify_instance_metadata_defaults(HttpTokens="required", HttpPutResponseHopLimit=2)
    try:
        found = ec2.get_instance_metadata_defaults()["AccountLevel"]
        assert (found["HttpTokens"], found["HttpPutResponseHopLimit"]) == ("required", 2)
        assert "HttpEndpoint" not in found
        options = launch(ec2, subnet)["MetadataOptions"]
        assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 2)
        said = launch(ec2, subnet, MetadataOptions={"HttpTokens": "optional"})["MetadataOptions"]
        assert (said["HttpTokens"], said["HttpPutResponseHopLimit"]) == ("optional", 2)
    finally:
        ec2.modify_instance_metadata_defaults(HttpTokens="no-preference", HttpPutResponseHopLimit=-1)
    assert "HttpTokens" not in ec2.get_instance_metadata_defaults()["AccountLevel"]
    assert launch(ec2, subnet)["MetadataOptions"]["HttpTokens"] == "optional"


def test_an_instance_takes_what_its_template_says(aws: Clients, ec2: Any, vpc: str, subnet: str) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    group = ec2.create_security_group(GroupName="t", Description="t", VpcId=vpc)["GroupId"]
    data = {
        "ImageId": IMAGE.id,
        "InstanceType": "r7i.large",
        "SecurityGroupIds": [group],
        "Monitoring": {"Enabled": True},
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "UserData": "I2Nsb3VkLWNvbmZpZwo=",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "KmsKeyId": key, "VolumeSize": 40}}
        ],
        "TagSpecifications": [{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "root"}]}],
    }
    own = [{"ResourceType": "launch-template", "Tags": [{"Key": "Name", "Value": "template"}]}]
    made = ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data, TagSpecifications=own)
    template = made["LaunchTemplate"]["LaunchTemplateId"]
    described = ec2.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"][0]
    assert described["LaunchTemplateData"]["TagSpecifications"] == data["TagSpecifications"]
    run = ec2.run_instances(
        MinCount=1, MaxCount=1, SubnetId=subnet, LaunchTemplate={"LaunchTemplateId": template}
    )
    identity = run["Instances"][0]["InstanceId"]
    instance = ec2.describe_instances(InstanceIds=[identity])["Reservations"][0]["Instances"][0]
    assert instance["InstanceType"] == "r7i.large"
    assert [item["GroupId"] for item in instance["SecurityGroups"]] == [group]
    assert instance["Monitoring"]["State"] == "enabled"
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    root = volumes(ec2, instance)
    assert [(v["Encrypted"], v["KmsKeyId"], v["Size"]) for v in root] == [(True, key, 40)]
    assert {"Key": "Name", "Value": "root"} in root[0]["Tags"]


def test_public_sharing_is_refused_while_blocked(ec2: Any) -> None:
    volume = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    share = {"Attribute": "createVolumePermission", "OperationType": "add", "GroupNames": ["all"]}
    assert ec2.get_snapshot_block_public_access_state()["State"] == "unblocked"
    ec2.enable_snapshot_block_public_access(State="block-all-sharing")
    assert ec2.get_snapshot_block_public_access_state()["State"] == "block-all-sharing"
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, **share)
    ec2.disable_snapshot_block_public_access()
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, **share)


def test_public_images_are_refused_while_blocked(ec2: Any, subnet: str) -> None:
    image = ec2.create_image(InstanceId=launch(ec2, subnet)["InstanceId"], Name="own")["ImageId"]
    public = {"LaunchPermission": {"Add": [{"Group": "all"}]}}
    assert ec2.get_image_block_public_access_state()["ImageBlockPublicAccessState"] == "unblocked"
    ec2.enable_image_block_public_access(ImageBlockPublicAccessState="block-new-sharing")
    assert ec2.get_image_block_public_access_state()["ImageBlockPublicAccessState"] == "block-new-sharing"
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        ec2.modify_image_attribute(ImageId=image, **public)
    ec2.disable_image_block_public_access()
    ec2.modify_image_attribute(ImageId=image, **public)
    ec2.deregister_image(ImageId=image)


# ---------------------------------------------------------------------- network
def test_a_default_security_group_admits_its_own_members(ec2: Any, vpc: str) -> None:
    wanted = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    group = ec2.describe_security_groups(Filters=wanted)["SecurityGroups"][0]
    assert [rule["IpProtocol"] for rule in group["IpPermissions"]] == ["-1"]
    assert [pair["GroupId"] for pair in group["IpPermissions"][0]["UserIdGroupPairs"]] == [group["GroupId"]]
    assert group["IpPermissionsEgress"][0]["IpRanges"][0]["CidrIp"] == "0.0.0.0/0"


def test_rules_keep_their_description_whatever_the_source(ec2: Any, vpc: str) -> None:
    group = ec2.create_security_group(GroupName="d", Description="d", VpcId=vpc)["GroupId"]
    said = {"Description": "why"}
    sources = [
        {"IpRanges": [{"CidrIp": "10.0.0.0/8", **said}]},
        {"UserIdGroupPairs": [{"GroupId": group, **said}]},
    ]
    for port, source in enumerate(sources, start=8000):
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    found = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    rules = [rule for rule in found["SecurityGroupRules"] if not rule["IsEgress"]]
    assert [rule["Description"] for rule in rules] == ["why", "why"]


def test_an_endpoint_keeps_its_dns_options(ec2: Any, vpc: str, subnet: str) -> None:
    options = {"DnsRecordIpType": "ipv4", "PrivateDnsOnlyForInboundResolverEndpoint": False}
    made = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.s3",
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
        DnsOptions=options,
        PrivateDnsEnabled=True,
    )["VpcEndpoint"]["VpcEndpointId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=made, PrivateDnsEnabled=False)
    found = ec2.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"][0]
    assert found["DnsOptions"] == options
    assert found["PrivateDnsEnabled"] is False


def test_what_belongs_to_a_resource_goes_with_it(ec2: Any, vpc: str, subnet: str) -> None:
    instance = launch(ec2, subnet)["InstanceId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    assert len(ec2.describe_network_interfaces(Filters=inside)["NetworkInterfaces"]) == 2
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.delete_nat_gateway(NatGatewayId=nat)
    assert ec2.describe_network_interfaces(Filters=inside)["NetworkInterfaces"] == []
    ec2.release_address(AllocationId=address)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_network_acls(Filters=inside)["NetworkAcls"] == []


# ---------------------------------------------------------------------- keys and buckets
def test_the_rotation_period_of_a_key_is_given_back(aws: Clients) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert "RotationPeriodInDays" not in kms.get_key_rotation_status(KeyId=key)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 180)
    with pytest.raises(ClientError, match="between 90 and 2560"):
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=2561)


def test_a_key_has_a_private_half_where_aws_gives_it_one(aws: Clients) -> None:
    kms = aws.client("kms")
    pair = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    how = {"KeyId": pair, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    signature = kms.sign(Message=b"said", **how)["Signature"]
    assert kms.verify(Message=b"said", Signature=signature, **how)["SignatureValid"]
    alone = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=alone, Plaintext=b"said")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"said"
    with pytest.raises(ClientError):
        kms.get_public_key(KeyId=alone)


def test_logging_needs_a_policy_that_lets_the_service_write(aws: Clients) -> None:
    s3, here = aws.client("s3"), {"LocationConstraint": REGION}
    for name in ("stk-unit-data", "stk-unit-logs"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=here)
    wanted = {"LoggingEnabled": {"TargetBucket": "stk-unit-logs", "TargetPrefix": "access/"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["*"]}
    write = {
        "Effect": "Allow",
        "Principal": {"Service": ["logging.s3.amazonaws.com"]},
        "Action": ["s3:PutObject"],
    }
    policy: dict[str, Any] = {"Version": "2012-10-17", "Statement": [deny]}
    s3.put_bucket_policy(Bucket="stk-unit-logs", Policy=json.dumps(policy))
    with pytest.raises(ClientError, match="InvalidTargetBucketForLogging"):
        s3.put_bucket_logging(Bucket="stk-unit-data", BucketLoggingStatus=wanted)
    policy["Statement"].append({**write, "Resource": ["arn:aws:s3:::stk-unit-logs/*"]})
    s3.put_bucket_policy(Bucket="stk-unit-logs", Policy=json.dumps(policy))
    s3.put_bucket_logging(Bucket="stk-unit-data", BucketLoggingStatus=wanted)
    assert s3.get_bucket_logging(Bucket="stk-unit-data")["LoggingEnabled"] == wanted["LoggingEnabled"]
