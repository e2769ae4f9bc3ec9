"""Names, internet gateways, endpoints, and what joins VPCs: rows M2, M3, M7, M23 and M26."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from verify import paths
from verify.account import Account
from verify.policies import conditions, statements
from verify.subjects import Resource

Region = dict[str, Any]
RESOLVER = "route53resolver"
# Their agents also use what AWS itself owns, or nothing that has an owner.
AWS_OWNS_PART = ("ec2messages", "ssm", "ssmmessages")
_UNREADABLE = ("AccessDeniedException", "ValidationException")  # a list that AWS manages shows no domains


# ---------------------------------------------------------------------- names
def _associations(aws: Account, vpc: str) -> list[dict[str, Any]]:
    answer = aws.need(RESOLVER, "list_firewall_rule_group_associations")["FirewallRuleGroupAssociations"]
    return sorted((a for a in answer if a["VpcId"] == vpc), key=lambda a: int(a["Priority"]))


def _rules(aws: Account, vpc: str) -> Iterator[tuple[dict[str, Any], list[str] | None]]:
    """The rules in force for a VPC in the order of their evaluation, each with its domains."""
    for association in _associations(aws, vpc):
        group = association["FirewallRuleGroupId"]
        rules = aws.need(RESOLVER, "list_firewall_rules", FirewallRuleGroupId=group)["FirewallRules"]
        for rule in sorted(rules, key=lambda found: int(found["Priority"])):
            listed = rule.get("FirewallDomainListId")
            found = (
                aws.read(RESOLVER, "list_firewall_domains", FirewallDomainListId=listed, absent=_UNREADABLE)
                if listed
                else None
            )
            yield rule, found["Domains"] if found else None


@pytest.mark.control("STK-NET-030")
def test_only_listed_names_resolve(vpc: Resource, aws: Account, region: Region) -> None:
    promised = {name.rstrip(".") for name in region["dns"]["allowed_domains"]}
    for rule, domains in _rules(aws, vpc["VpcId"]):
        if rule["Action"] == "ALLOW":
            assert domains is not None, f"rule {rule['Name']} allows a list that cannot be read"
            surplus = {name.rstrip(".") for name in domains} - promised
            assert not surplus, (
                f"rule {rule['Name']} allows {', '.join(sorted(surplus))}, which no plan lists"
            )
        if rule["Action"] == "BLOCK" and {"*", "*."} & set(domains or ()):
            return
    pytest.fail(f"no rule in force refuses every other name in {vpc['VpcId']}")


@pytest.mark.control("STK-NET-031")
def test_the_dns_firewall_fails_closed_and_cannot_be_removed_by_accident(vpc: Resource, aws: Account) -> None:
    found = _associations(aws, vpc["VpcId"])
    assert found, "no DNS firewall is associated"
    bare = [a["Id"] for a in found if a["MutationProtection"] != "ENABLED"]
    assert not bare, f"not protected from changes: {', '.join(bare)}"
    config = aws.need(RESOLVER, "get_firewall_config", ResourceId=vpc["VpcId"])["FirewallConfig"]
    assert config["FirewallFailOpen"] == "DISABLED", "names resolve unfiltered when the firewall fails"


@pytest.mark.control("STK-LOG-020")
def test_every_dns_query_is_logged_and_the_log_is_kept(vpc: Resource, aws: Account, region: Region) -> None:
    operation = "list_resolver_query_log_config_associations"
    answer = aws.need(RESOLVER, operation)["ResolverQueryLogConfigAssociations"]
    mine = [a for a in answer if a["ResourceId"] == vpc["VpcId"]]
    assert mine, "its queries are not logged"
    failed = [a for a in mine if a["Status"] != "ACTIVE"]
    assert not failed, (
        f"the log receives nothing: {failed[0].get('Error')} {failed[0].get('ErrorMessage', '')}"
    )
    configs = {
        c["Id"]: c for c in aws.need(RESOLVER, "list_resolver_query_log_configs")["ResolverQueryLogConfigs"]
    }
    groups = {g["logGroupName"]: g for g in aws.need("logs", "describe_log_groups")["logGroups"]}
    for association in mine:
        target = configs[association["ResolverQueryLogConfigId"]]["DestinationArn"]
        if ":log-group:" in target:
            name = target.split(":log-group:")[1].removesuffix(":*")
            kept = groups.get(name, {}).get("retentionInDays", 0)
            wanted = region["retention"]["flow_logs_days"]
            assert kept >= wanted, f"log group {name} keeps {kept} days, promised are {wanted}"


@pytest.mark.control("STK-LOG-021")
def test_flow_logs_are_delivered_to_the_archive(vpc: Resource, aws: Account, region: Region) -> None:
    bucket = f"arn:aws:s3:::{region['buckets']['delivery']['name']}/"
    logs = aws.need("ec2", "describe_flow_logs")["FlowLogs"]
    good = [
        log
        for log in logs
        if log["ResourceId"] == vpc["VpcId"]
        and log["FlowLogStatus"] == "ACTIVE"
        and log["TrafficType"] == "ALL"
        and str(log.get("LogDestination", "")).startswith(bucket)
    ]
    assert good, f"no active flow log of all traffic is delivered to {bucket}"


# ---------------------------------------------------------------------- internet gateways
@pytest.mark.control("STK-NET-033")
def test_internet_gateways_carry_nothing_by_default(aws: Account) -> None:
    operation = "describe_vpc_block_public_access_options"
    found = aws.need("ec2", operation)["VpcBlockPublicAccessOptions"]
    mode = found["InternetGatewayBlockMode"]
    assert mode == "block-bidirectional", f"the block of public access is {mode}"


@pytest.mark.control("STK-NET-034")
def test_only_planned_subnets_are_spared(gateway_exclusion: Resource) -> None:
    what = f"{gateway_exclusion['ExclusionId']} spares {gateway_exclusion['ResourceArn']}"
    assert gateway_exclusion.expected is not None, f"{what}, which no plan does"
    spared = gateway_exclusion["ResourceArn"].rpartition("/")[2]
    assert spared == gateway_exclusion.expected["subnet"], f"{what}, planned {gateway_exclusion.expected}"
    mode = gateway_exclusion["InternetGatewayExclusionMode"]
    assert mode == gateway_exclusion.expected["mode"], (
        f"{what} with {mode}, planned {gateway_exclusion.expected}"
    )


# ---------------------------------------------------------------------- endpoints
def _named(resource: str, region: Region) -> bool:
    """Whether a bucket, by its name, is one of this stack and account, or one of AWS in the region."""
    name = resource.removeprefix("arn:aws:s3:::").partition("/")[0]
    ours = region["stack"] in name and region["account"] in name
    return ours or (name.endswith(region["region"]) and "*" not in name)


@pytest.mark.control("STK-NET-035")
def test_an_endpoint_reaches_only_our_own_resources(endpoint: Resource, region: Region) -> None:
    service = endpoint["ServiceName"].rpartition(".")[2]
    if service in AWS_OWNS_PART:
        pytest.skip("not applicable: the service's requests name resources of AWS or none")
    found = statements(endpoint.get("PolicyDocument"))
    assert found, "the endpoint has no policy, so it reaches everything"
    for statement in (s for s in found if s.get("Effect") == "Allow"):
        sid, resources = statement.get("Sid", "a statement"), statement.get("Resource", ["*"])
        said = conditions(statement).get("stringequals aws:resourceaccount")
        reads = statement.get("Action") == ["s3:GetObject"]
        ours = said == [str(region["account"])]
        assert ours or (reads and service == "s3"), f"{sid} reaches resources of any account"
        if service == "s3":
            wide = [resource for resource in resources if not _named(resource, region)]
            assert not wide, (
                f"{sid} reaches {', '.join(wide)}: no bucket of this stack or of AWS in the region"
            )


# ---------------------------------------------------------------------- VPCs among themselves
def _joined(region: Region) -> set[tuple[tuple[str, str], tuple[str, str]]]:
    """Pairs of (VPC, tier) in different VPCs that a flow joins, in both orders."""
    ends = [
        ((f["source"]["vpc"], f["source"]["tier"]), (f["target"]["vpc"], f["target"]["tier"]))
        for f in region["intent"]["flows"]
        if {f["source"]["kind"], f["target"]["kind"]} <= {"role", "load_balancer"}
    ]
    return {pair for a, b in ends if a[0] != b[0] for pair in ((a, b), (b, a))}


@pytest.mark.control("STK-NET-036")
def test_a_vpc_reaches_another_only_where_the_intent_says(
    vpc: Resource, aws: Account, region: Region
) -> None:
    names = {planned["id"]: name for name, planned in region["vpcs"].items()}
    name = names.get(vpc["VpcId"], "")
    places = {
        subnet["cidr"]: (other, subnet["tier"])
        for other, planned in region["vpcs"].items()
        for subnet in planned["subnets"].values()
    }
    tiers = {s["id"]: s["tier"] for s in region["vpcs"].get(name, {}).get("subnets", {}).values()}
    joined = _joined(region)
    for table in paths.route_tables(aws, vpc["VpcId"]):
        mine = {tiers[a["SubnetId"]] for a in table["Associations"] if a.get("SubnetId") in tiers}
        for destination, target in paths.beyond(table).items():
            if not target.startswith(("pcx-", "tgw-")):
                continue
            there = places.get(destination)
            what = f"{table['RouteTableId']} routes {destination} to {target}"
            assert there is not None, f"{what}, which is no planned subnet of another VPC"
            assert mine and all(((name, tier), there) in joined for tier in mine), (
                f"{what}: no flow joins them"
            )


def _routes(aws: Account, table: str) -> list[dict[str, Any]]:
    every = [{"Name": "state", "Values": ["active", "blackhole"]}]
    answer = aws.need("ec2", "search_transit_gateway_routes", TransitGatewayRouteTableId=table, Filters=every)
    return list(answer["Routes"])


@pytest.mark.control("STK-NET-038")
def test_a_transit_gateway_joins_only_what_the_intent_joins(
    transit_gateway: Resource, aws: Account, region: Region
) -> None:
    assert transit_gateway.expected is not None, f"{transit_gateway['TransitGatewayId']} is in no plan"
    options = transit_gateway["Options"]
    for name in ("DefaultRouteTableAssociation", "DefaultRouteTablePropagation"):
        assert options[name] == "disable", f"{name} is {options[name]}: whatever is attached is joined"
    assert options["AutoAcceptSharedAttachments"] == "disable", "other accounts' VPCs attach by themselves"
    ours = {ident: name for name, ident in transit_gateway.expected["attachments"].items()}
    attached = aws.need("ec2", "describe_transit_gateway_attachments")["TransitGatewayAttachments"]
    mine = [a for a in attached if a["TransitGatewayId"] == transit_gateway["TransitGatewayId"]]
    strange = [a["TransitGatewayAttachmentId"] for a in mine if a["State"] == "available"]
    assert not set(strange) - set(ours), f"attached by hand: {', '.join(sorted(set(strange) - set(ours)))}"
    places = {
        subnet["cidr"]: (vpc, subnet["tier"])
        for vpc, planned in region["vpcs"].items()
        for subnet in planned["subnets"].values()
    }
    joined = {(here[0], there) for here, there in _joined(region)}
    tables = aws.need("ec2", "describe_transit_gateway_route_tables")["TransitGatewayRouteTables"]
    names = {ident: vpc for vpc, ident in transit_gateway.expected["route_tables"].items()}
    for table in (t for t in tables if t["TransitGatewayId"] == transit_gateway["TransitGatewayId"]):
        vpc = names.get(table["TransitGatewayRouteTableId"])
        assert vpc, f"{table['TransitGatewayRouteTableId']} is in no plan"
        routes = {r["DestinationCidrBlock"]: r for r in _routes(aws, table["TransitGatewayRouteTableId"])}
        last = routes.pop("0.0.0.0/0", {"State": "missing"})
        assert last["State"] == "blackhole", f"the table of {vpc} does not end in a blackhole"
        wrong = [block for block in routes if (vpc, places.get(block)) not in joined]
        assert not wrong, f"the table of {vpc} routes {', '.join(wrong)}: no flow joins them"


# ---------------------------------------------------------------------- inspection
@pytest.mark.control("STK-NET-037")
def test_nothing_passes_the_network_firewall_by(vpc: Resource, aws: Account, region: Region) -> None:
    name = next((n for n, planned in region["vpcs"].items() if planned["id"] == vpc["VpcId"]), "")
    part = region.get("inspection", {}).get(name)
    if part is None:
        pytest.skip("not applicable: the stack asks for no inspection of this VPC")
    subnets, endpoints = region["vpcs"][name]["subnets"], part["endpoints"]
    public = {key: subnet for key, subnet in subnets.items() if subnet["tier"] == "public"}
    for key, subnet in public.items():
        ways = paths.beyond(paths.table_of(aws, subnet["id"], vpc["VpcId"]))
        outward = {d: t for d, t in ways.items() if t.startswith(("igw-", "vpce-")) and "/" in d}
        wanted = {"0.0.0.0/0": endpoints[key.rpartition("-")[2]]}
        assert outward == wanted, f"{key} leaves through {outward}, planned {wanted}"
    edges = [
        table
        for table in paths.route_tables(aws, vpc["VpcId"])
        if any(str(a.get("GatewayId", "")).startswith("igw-") for a in table["Associations"])
    ]
    assert edges, "what comes from the internet gateway is routed past the firewall"
    back = {d: t for table in edges for d, t in paths.beyond(table).items()}
    wanted = {subnet["cidr"]: endpoints[key.rpartition("-")[2]] for key, subnet in public.items()}
    assert back == wanted, f"the internet gateway leads to {back}, planned {wanted}"


@pytest.mark.control("STK-NET-039")
def test_a_network_firewall_drops_logs_and_stays(firewall: Resource, aws: Account) -> None:
    service, found = "network-firewall", firewall["Firewall"]
    assert firewall.expected is not None, f"{found['FirewallArn']} is in no plan"
    open_to = [name for name in _PROTECTIONS if not found.get(name)]
    assert not open_to, f"not protected: {', '.join(open_to)}"
    assert firewall["FirewallStatus"]["Status"] == "READY", f"it is {firewall['FirewallStatus']['Status']}"
    arn = found["FirewallPolicyArn"]
    policy = aws.need(service, "describe_firewall_policy", FirewallPolicyArn=arn)["FirewallPolicy"]
    order = policy.get("StatefulEngineOptions", {}).get("RuleOrder")
    assert order == "STRICT_ORDER", f"its rules are judged by {order or 'kind of action'}, passes first"
    actions = set(policy.get("StatefulDefaultActions", []))
    assert actions & {"aws:drop_established", "aws:drop_strict"}, f"what no rule passes is {sorted(actions)}"
    for name in ("StatelessDefaultActions", "StatelessFragmentDefaultActions"):
        assert policy[name] == ["aws:forward_to_sfe"], f"{name} {policy[name]}: not looked at"
    answer = aws.need(service, "describe_logging_configuration", FirewallArn=found["FirewallArn"])
    configs = answer.get("LoggingConfiguration", {}).get("LogDestinationConfigs", [])
    kinds = {config["LogType"] for config in configs}
    assert {"ALERT", "FLOW"} <= kinds, f"it logs {', '.join(sorted(kinds)) or 'nothing'}"


_PROTECTIONS = ("DeleteProtection", "SubnetChangeProtection", "FirewallPolicyChangeProtection")
