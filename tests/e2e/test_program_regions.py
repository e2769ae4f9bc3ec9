"""The real program, every stack, against the emulation: up, up again, everything readable, down.

And no pre-shared key leaves Secrets Manager: the keys are read from the account afterwards and looked for in
all that was written; for one stack also in what a verification and its report write, and in what processes
are called with. The same look has to find a planted key.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import settings
from tests.e2e import told_keys
from tests.infra.aws_calls import Call, recording
from tests.infra.platform_rights import Judge, reserved
from twin import account, program
from twin.program import wire
from twin.program.aws import Clients

ROOT = Path(__file__).resolve().parents[2]
STACKS = sorted(path.name[7:-5] for path in ROOT.glob("Pulumi.*.yaml"))
LOOKED_AT = "eu-frankfurt"  # the stack whose processes are looked at
in_one_region = pytest.mark.parametrize("region", [LOOKED_AT], indirect=True)


@dataclass
class Region:
    """One stack that is up, and what making it looked like."""

    stack: str
    build: Path
    account: account.Account
    before: dict[str, Any]
    previewed: program.Run
    first: program.Run
    calls: list[Call]
    arguments: told_keys.Arguments

    def run(self, mode: program.Mode = "up") -> program.Run:
        return program.run(self.stack, self.account, mode, root=ROOT, build=self.build)

    def client(self, service: str) -> Any:
        return clients(self.account).client(service)

    def keys(self) -> list[str]:
        """The pre-shared keys that its account keeps."""
        vault = self.client("secretsmanager")
        names = [s["ARN"] for s in vault.list_secrets()["SecretList"] if s["Name"].startswith("s2svpn!")]
        texts = [vault.get_secret_value(SecretId=name)["SecretString"] for name in names]
        return [key for text in texts for key in json.loads(text).values()]


def clients(emulated: account.Account) -> Clients:
    return Clients(emulated.endpoint, emulated.id, emulated.region, ("a", "b"))


def contents(emulated: account.Account) -> dict[str, Any]:
    """What is in an account, as far as it can be counted; keys waiting for deletion are gone for us."""
    aws = clients(emulated)
    ec2, kms = aws.client("ec2"), aws.client("kms")
    found: dict[str, Any] = {}
    for operation, member, identity in (
        ("describe_vpcs", "Vpcs", "VpcId"),
        ("describe_subnets", "Subnets", "SubnetId"),
        ("describe_route_tables", "RouteTables", "RouteTableId"),
        ("describe_security_groups", "SecurityGroups", "GroupId"),
        ("describe_network_acls", "NetworkAcls", "NetworkAclId"),
        ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        ("describe_addresses", "Addresses", "AllocationId"),
        ("describe_volumes", "Volumes", "VolumeId"),
        ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        ("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
        ("describe_flow_logs", "FlowLogs", "FlowLogId"),
    ):
        found[member] = sorted(item[identity] for item in getattr(ec2, operation)()[member])
    reservations = ec2.describe_instances()["Reservations"]
    found["instances"] = [
        instance["InstanceId"]
        for reservation in reservations
        for instance in reservation["Instances"]
        if instance["State"]["Name"] != "terminated"
    ]
    for operation, member in (
        ("describe_vpn_connections", "VpnConnections"),
        ("describe_vpn_gateways", "VpnGateways"),
        ("describe_customer_gateways", "CustomerGateways"),
        ("describe_nat_gateways", "NatGateways"),
        ("describe_vpc_endpoints", "VpcEndpoints"),
    ):
        found[member] = [item for item in getattr(ec2, operation)()[member] if item["State"] != "deleted"]
    found["buckets"] = aws.client("s3").list_buckets()["Buckets"]
    found["roles"] = aws.client("iam").list_roles()["Roles"]
    found["policies"] = aws.client("iam").list_policies(Scope="Local")["Policies"]
    found["profiles"] = aws.client("iam").list_instance_profiles()["InstanceProfiles"]
    found["logs"] = aws.client("logs").describe_log_groups()["logGroups"]
    found["secrets"] = aws.client("secretsmanager").list_secrets()["SecretList"]
    aliases = kms.list_aliases()["Aliases"]
    found["aliases"] = [alias["AliasName"] for alias in aliases if "/aws/" not in alias["AliasName"]]
    found["encryption"] = ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    return found


@pytest.fixture(scope="module", params=STACKS)
def region(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    build = tmp_path_factory.mktemp("region")
    wanted = settings.load(request.param, ROOT)
    emulated = account.start(request.param, wanted.account, str(wanted.region), build)
    try:
        before = contents(emulated)
        previewed = program.run(request.param, emulated, "preview", root=ROOT, build=build)
        assert contents(emulated) == before
        calls: list[Call] = []
        arguments = told_keys.Arguments()
        with recording(calls), arguments if request.param == LOOKED_AT else nullcontext():
            first = program.run(request.param, emulated, "up", root=ROOT, build=build)
        yield Region(request.param, build, emulated, before, previewed, first, calls, arguments)
    finally:
        account.stop(build)


def _settled(value: Any) -> Any:
    """Without IPv6 networks, whose blocks Amazon chooses at creation."""
    if isinstance(value, dict):
        return {key: _settled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_settled(item) for item in value if item != wire.COMPUTED and not _is_block6(item)]
    return value


def _is_block6(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("2001:2:") and "/" in value


def test_who_provisions_may_make_every_call_but_those_of_the_administration_role(region: Region) -> None:
    """Each call of the first `up`, under the policies of team, boundary, organisation, keys and buckets."""
    judge = Judge(region.stack)
    asked = judge.asked(region.calls)
    ours, theirs = [a for a in asked if not reserved(a)], [a for a in asked if reserved(a)]
    assert len(ours) > 300 and len(theirs) > 20
    assert judge.refused(ours) == []
    assert [str(one) for one in theirs if judge.allows(one)] == []


def test_a_preview_foretells_exactly_what_up_makes(region: Region) -> None:
    assert region.previewed.counts() == region.first.counts()
    assert {step.urn for step in region.previewed.steps} == {step.urn for step in region.first.steps}
    foretold = region.previewed.outputs["region"]
    assert {vpc["id"] for vpc in foretold["vpcs"].values()} == {wire.COMPUTED}
    assert _settled(foretold["intent"]) == _settled(region.first.outputs["region"]["intent"])
    assert len(region.first.steps) > 200


def test_the_contract_names_things_that_exist(region: Region) -> None:
    contract, ec2 = region.first.outputs["region"], region.client("ec2")
    assert contract["schema"] == "stockade/region/1"
    assert (contract["account"], contract["region"]) == (region.account.id, region.account.region)
    assert wire.COMPUTED not in json.dumps(contract)
    nodes = {node["instance_id"]: node for node in contract["nodes"]}
    found = ec2.describe_instances(InstanceIds=list(nodes))["Reservations"]
    instances = [instance for reservation in found for instance in reservation["Instances"]]
    assert len(instances) == len(nodes) >= 5
    for instance in instances:
        node = nodes[instance["InstanceId"]]
        assert instance["PrivateIpAddress"] == node["address"]
        assert instance.get("PublicIpAddress") == node["public_address"]
        assert instance["MetadataOptions"]["HttpTokens"] == "required"
        volumes = [mapping["Ebs"]["VolumeId"] for mapping in instance["BlockDeviceMappings"]]
        assert all(volume["Encrypted"] for volume in ec2.describe_volumes(VolumeIds=volumes)["Volumes"])
    connection = next(iter(contract["vpn"].values()))["connection"]
    tunnels = ec2.describe_vpn_connections(VpnConnectionIds=[connection])["VpnConnections"][0]["Options"]
    assert [tunnel["IkeVersions"] for tunnel in tunnels["TunnelOptions"]] == [[{"Value": "ikev2"}]] * 2


def test_everything_names_its_provider_and_stays_in_the_region(region: Region) -> None:
    made = [item for item in region.first.planned if not item["type"].startswith("pulumi:")]
    providers = {item["provider"] for item in made}
    assert len(providers) == 1
    assert {item["inputs"]["region"] for item in made} == {region.account.region}


def test_no_pre_shared_key_in_anything_the_twin_writes(region: Region) -> None:
    keys = region.keys()
    assert len(keys) >= 4
    written = [path for path in region.build.rglob("*") if path.is_file()]
    assert {"state.json", "program.log", "account.log"} <= {path.name for path in written}
    for path in written:
        text = path.read_text(errors="replace")
        assert not [path for key in keys if key in text], path


@pytest.fixture(scope="module")
def written(region: Region) -> told_keys.Written:
    """What is left when the region is up and was previewed again, verified and reported."""
    with told_keys.Arguments() as looking:
        told_keys.use(region.build, region.account, region.first, region.run("preview"))
    looking.seen |= region.arguments.seen
    looking.looks = min(looking.looks, region.arguments.looks)
    return told_keys.Written(region.build, region.keys(), looking)


@in_one_region
def test_there_is_something_to_look_for_and_somewhere_to_look(written: told_keys.Written) -> None:
    sites = settings.load(LOOKED_AT, ROOT).sites
    assert len(set(written.keys)) == 2 * sum(len(site.vpcs) for site in sites.values())
    names = {path.name for path in written.home.rglob("*") if path.is_file()}
    assert {"state.json", "region.json", "preview.txt", "results.json", "index.html", "pytest.log"} <= names
    assert written.arguments.looks > 10, "while the region came up, and while it was verified"
    assert any(b"pytest" in text and b"tests/cloud" in text for text in written.arguments.seen)


@in_one_region
def test_no_key_is_in_state_preview_log_or_report_and_a_planted_one_is_found(
    written: told_keys.Written,
) -> None:
    assert written.telling() == []
    state = f"region/{LOOKED_AT}/state.json"
    for place in (state, "preview.txt", "pytest.log", "report/results.json"):
        path = written.home / place
        before = path.read_bytes()
        try:
            path.write_bytes(before + f'{{"key": "{written.keys[-1]}"}}'.encode())
            assert written.telling() == [place]
        finally:
            path.write_bytes(before)


@in_one_region
def test_no_process_was_called_with_a_key_and_a_planted_one_is_found(written: told_keys.Written) -> None:
    assert written.arguments.telling(written.keys) == []
    with told_keys.Arguments() as looking:
        planted = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", written.keys[0]])
        before, deadline = looking.looks, time.monotonic() + 300
        while looking.looks < before + 2 and time.monotonic() < deadline:
            time.sleep(0.05)  # until one whole look has begun after it
        planted.kill()
        planted.wait()
    assert len(looking.telling(written.keys)) == 1


def test_a_second_up_changes_nothing(region: Region) -> None:
    second = region.run()
    assert second.changes == 0
    assert second.outputs == region.first.outputs


def test_a_hole_opened_by_hand_is_closed_by_the_next_up(region: Region) -> None:
    contract, ec2 = region.first.outputs["region"], region.client("ec2")
    vpc = next(iter(contract["vpcs"].values()))
    open_door = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=vpc["default_security_group"], IpPermissions=[open_door])
    bucket = contract["buckets"]["evidence"]["name"]
    region.client("s3").delete_public_access_block(Bucket=bucket)
    run = region.run()
    assert run.counts()["update"] == 1
    assert run.counts()["create"] == 1
    group = ec2.describe_security_groups(GroupIds=[vpc["default_security_group"]])["SecurityGroups"][0]
    assert group["IpPermissions"] == []
    block = region.client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values())


def test_down_leaves_the_account_as_it_was(region: Region) -> None:
    region.run("down")
    assert contents(region.account) == region.before
