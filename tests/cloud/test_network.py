"""VPCs, subnets and the ways packets can take: the layers M3 and M26 of the requirements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from verify import paths
from verify.account import Account
from verify.policies import conditions, principals, statements
from verify.subjects import Resource

Region = dict[str, Any]
Find = Callable[[str], list[Resource]]


_BOTH_WAYS = (("source", "target"), ("target", "source"))


def _tier(subnet: Resource) -> str | None:
    return (subnet.expected or {}).get("tier")


@pytest.mark.control("STK-NET-001")
def test_every_vpc_is_planned_and_has_its_planned_block(vpc: Resource, region: Region) -> None:
    what = f"VPC {vpc['VpcId']} {vpc['CidrBlock']}"
    assert vpc.expected is not None, (
        f"{what} is in no plan: delete it, or nobody looks after what starts in it"
    )
    blocks = {
        a["CidrBlock"] for a in vpc["CidrBlockAssociationSet"] if a["CidrBlockState"]["State"] == "associated"
    }
    assert blocks == {vpc.expected["cidr"]}, (
        f"the plan says {vpc.expected['cidr']}, the account {sorted(blocks)}"
    )


@pytest.mark.control("STK-NET-002")
def test_every_subnet_stands_where_the_plan_puts_it(subnet: Resource) -> None:
    assert subnet.expected is not None, f"subnet {subnet['SubnetId']} {subnet['CidrBlock']} is in no plan"
    found = (subnet["VpcId"], subnet["AvailabilityZone"], subnet["CidrBlock"])
    planned = tuple(subnet.expected[key] for key in ("vpc", "zone", "cidr"))
    assert found == planned, f"VPC, zone and block are {found}, planned {planned}"


@pytest.mark.control("STK-NET-003")
def test_the_main_route_table_leads_nowhere(vpc: Resource, aws: Account) -> None:
    table = paths.main_table(aws, vpc["VpcId"])
    assert not paths.beyond(table), f"a subnet that names no table would get {paths.beyond(table)}"
    assert not table.get("PropagatingVgws"), "it learns routes from a VPN gateway"
    users = [a["SubnetId"] for a in table["Associations"] if a.get("SubnetId")]
    assert not users, f"subnets use it: {', '.join(users)}"


@pytest.mark.control("STK-NET-004")
@pytest.mark.tiers("isolated")
def test_an_isolated_subnet_has_no_way_to_the_internet(subnet: Resource, aws: Account) -> None:
    ways = paths.beyond(paths.table_of(aws, subnet["SubnetId"], subnet["VpcId"]))
    assert not set(ways) & set(paths.ANYWHERE), f"it has a default route: {ways}"
    wrong = {d: t for d, t in ways.items() if t.startswith(("igw-", "nat-", "eigw-"))}
    assert not wrong, f"it reaches an internet or NAT gateway: {wrong}"


@pytest.mark.control("STK-NET-006")
def test_only_public_subnets_reach_an_internet_gateway(subnet: Resource, aws: Account) -> None:
    ways = paths.beyond(paths.table_of(aws, subnet["SubnetId"], subnet["VpcId"]))
    through = {d: t for d, t in ways.items() if t.startswith("igw-")}
    tier = _tier(subnet)
    if tier == "public" and ways.get("0.0.0.0/0", "").startswith("vpce-"):
        assert not through, f"beside its firewall it routes {through}"  # NET-037 judges the rest
    elif tier in ("public", "firewall"):
        assert set(through) <= set(paths.ANYWHERE) and "0.0.0.0/0" in through, (
            f"its internet route is {through}"
        )
    else:
        assert not through, f"a subnet of tier {tier} routes {through}"


@pytest.mark.control("STK-NET-007")
def test_the_default_security_group_allows_nothing(vpc: Resource, aws: Account) -> None:
    groups = aws.need("ec2", "describe_security_groups")["SecurityGroups"]
    default = next(g for g in groups if g["VpcId"] == vpc["VpcId"] and g["GroupName"] == "default")
    rules = [*default["IpPermissions"], *default["IpPermissionsEgress"]]
    assert not rules, f"{default['GroupId']} has {len(rules)} rule(s); whatever names no group gets them"


@pytest.mark.control("STK-NET-008")
def test_the_default_network_acl_allows_nothing_and_serves_nobody(vpc: Resource, aws: Account) -> None:
    acl = paths.default_acl(aws, vpc["VpcId"])
    open_entries = [*paths.allows(acl, egress=False), *paths.allows(acl, egress=True)]
    assert not open_entries, f"{acl['NetworkAclId']} has {len(open_entries)} allow entries"
    assert not acl["Associations"], f"subnets use it: {[a['SubnetId'] for a in acl['Associations']]}"


@pytest.mark.control("STK-NET-040")
def test_no_network_acl_lies_around_unused(vpc: Resource, aws: Account) -> None:
    acls = aws.need("ec2", "describe_network_acls")["NetworkAcls"]
    own = [acl for acl in acls if acl["VpcId"] == vpc["VpcId"] and not acl["IsDefault"]]
    idle = sorted(acl["NetworkAclId"] for acl in own if not acl["Associations"])
    assert not idle, f"{', '.join(idle)} serves no subnet: one call puts its rules in front of one"


@pytest.mark.control("STK-NET-009")
def test_the_network_acl_keeps_administration_away_from_the_internet(subnet: Resource, aws: Account) -> None:
    acl = paths.acl_of(aws, subnet["SubnetId"])
    assert not acl["IsDefault"], "the subnet uses the default network ACL"
    for entry in paths.allows(acl, egress=False):
        source = entry.get("CidrBlock") or entry.get("Ipv6CidrBlock")
        ports = entry.get("PortRange") or {"From": 0, "To": 65535}
        exposed = [port for port in (22, 3389) if ports["From"] <= port <= ports["To"]]
        tcp = entry["Protocol"] in ("-1", "6")
        assert not (source in paths.ANYWHERE and tcp and exposed), (
            f"entry {entry['RuleNumber']} lets {source} to {exposed}"
        )


@pytest.mark.control("STK-NET-010")
def test_every_packet_of_a_vpc_is_logged_and_the_log_is_kept(
    vpc: Resource, aws: Account, region: Region
) -> None:
    logs = aws.need("ec2", "describe_flow_logs")["FlowLogs"]
    good = [
        log
        for log in logs
        if log["ResourceId"] == vpc["VpcId"]
        and log["FlowLogStatus"] == "ACTIVE"
        and log["TrafficType"] == "ALL"
        and log.get("LogDestinationType", "cloud-watch-logs") == "cloud-watch-logs"  # the archive: LOG-021
    ]
    assert good, f"no active flow log of all traffic on {vpc['VpcId']}"
    groups = {g["logGroupName"]: g for g in aws.need("logs", "describe_log_groups")["logGroups"]}
    wanted = region["retention"]["flow_logs_days"]
    for log in good:
        name = log.get("LogGroupName") or log["LogDestination"].split(":log-group:")[-1].removesuffix(":*")
        kept = groups.get(name, {}).get("retentionInDays", 0)
        assert kept >= wanted, f"log group {name} keeps {kept} days, promised are {wanted}"


@pytest.mark.control("STK-NET-011")
def test_an_endpoint_policy_lets_only_our_account_through(endpoint: Resource, region: Region) -> None:
    found = statements(endpoint.get("PolicyDocument"))
    assert found, "the endpoint has no policy, so it lets everything through"
    for statement in found:
        if statement.get("Effect") == "Allow" and "*" in principals(statement):
            key = "stringequals aws:principalaccount"
            assert conditions(statement).get(key) == [str(region["account"])], (
                f"open to every account: {statement}"
            )


@pytest.mark.control("STK-NET-012")
def test_nodes_reach_aws_without_the_internet(vpc: Resource, resources: Find, region: Region) -> None:
    name = next((n for n, planned in region["vpcs"].items() if planned["id"] == vpc["VpcId"]), None)
    flows = region["intent"]["flows"]
    if not any(f["target"]["kind"] == "aws_endpoints" and f["target"]["name"] == name for f in flows):
        pytest.skip("not applicable: no flow of the intent goes from this VPC to AWS endpoints")
    mine = [e for e in resources("endpoint") if e["VpcId"] == vpc["VpcId"]]
    interfaces = {e["ServiceName"].rsplit(".", 1)[-1]: e for e in mine if e["VpcEndpointType"] == "Interface"}
    missing = {"ec2messages", "kms", "logs", "ssm", "ssmmessages"} - set(interfaces)
    assert not missing, f"no interface endpoint for {', '.join(sorted(missing))}"
    for service, found in interfaces.items():
        assert found.get("PrivateDnsEnabled"), f"{service}: its name still resolves to the internet address"
        zones = {s["AvailabilityZone"] for s in resources("subnet") if s["SubnetId"] in found["SubnetIds"]}
        planned = {s["zone"] for s in region["vpcs"][name]["subnets"].values()}
        assert zones == planned, f"{service}: stands in {sorted(zones)} of {sorted(planned)}"
    assert any(e["VpcEndpointType"] == "Gateway" and e["ServiceName"].endswith(".s3") for e in mine), (
        "no S3 gateway"
    )


@pytest.mark.control("STK-NET-013")
def test_a_peering_carries_only_what_the_intent_crosses(
    peering: Resource, aws: Account, resources: Find, region: Region
) -> None:
    names = {planned["id"]: name for name, planned in region["vpcs"].items()}
    ends = {peering[side]["VpcId"] for side in ("RequesterVpcInfo", "AccepterVpcInfo")}
    flows = [f for f in region["intent"]["flows"] if f["source"]["kind"] == f["target"]["kind"] == "role"]
    needed = [{f["source"]["vpc"], f["target"]["vpc"]} for f in flows]
    assert {names.get(end) for end in ends} in needed, "no flow of the intent crosses between these VPCs"
    crossing = [f for f in flows if f["source"]["vpc"] != f["target"]["vpc"]]
    joined = {
        ((f[a]["vpc"], f[a]["tier"]), (f[b]["vpc"], f[b]["tier"])) for f in crossing for a, b in _BOTH_WAYS
    }
    blocks = {s["CidrBlock"]: s.expected for s in resources("subnet") if s.expected}
    for subnet in (s for s in resources("subnet") if s["VpcId"] in ends and s.expected):
        ways = paths.beyond(paths.table_of(aws, subnet["SubnetId"], subnet["VpcId"]))
        for destination in (d for d, t in ways.items() if t == peering["VpcPeeringConnectionId"]):
            other = blocks.get(destination)
            assert other is not None, (
                f"{subnet.id} routes {destination} over the peering, wider than one subnet"
            )
            here, there = ((names[s["vpc"]], s["tier"]) for s in (subnet.expected or {}, other))
            assert (here, there) in joined, f"{subnet.id} routes {destination}: no flow joins these tiers"


@pytest.mark.control("STK-NET-014")
def test_no_subnet_hands_out_public_addresses(subnet: Resource) -> None:
    assert subnet["MapPublicIpOnLaunch"] is False, "whatever starts here gets a public address by itself"
    assert not subnet.get("AssignIpv6AddressOnCreation"), (
        "whatever starts here gets a public IPv6 address by itself"
    )


@pytest.mark.control("STK-NET-015")
def test_every_public_address_belongs_to_a_planned_node_or_nat_gateway(aws: Account, region: Region) -> None:
    public = {node["instance_id"] for node in region["nodes"] if node["tier"] == "public"}
    nats = aws.need("ec2", "describe_nat_gateways")["NatGateways"]
    of_nats = {
        a["AllocationId"] for nat in nats if nat["State"] != "deleted" for a in nat["NatGatewayAddresses"]
    }
    for address in aws.need("ec2", "describe_addresses")["Addresses"]:
        planned = address.get("InstanceId") in public or address["AllocationId"] in of_nats
        assert planned, f"{address['PublicIp']} belongs to {address.get('InstanceId') or 'nothing'}"
