"""The program, run unchanged for every stack under a monitor that sees what Pulumi's engine sees."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

import settings
from network.intent import egress_vpcs, from_data, peerings, resolve, to_data
from network.peering import crossings
from tests.infra.monitor import ROOT, Run, run_of, run_program, stack_file

STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
PROVIDER = "pulumi:providers:aws"
# Types that AWS itself lets nobody tag, or whose tags have no effect.
UNTAGGED = re.compile(
    r":(Route|RouteTableAssociation|VpnGatewayRoutePropagation|VpnConnectionRoute|NetworkAclRule"
    r"|EipAssociation|Alias|RolePolicy|RolePolicyAttachment|ResolverFirewallRule|ResolverFirewallConfig"
    r"|ResolverQueryLogConfigAssociation|LogResourcePolicy|VpcBlockPublicAccessOptions"
    r"|AccountPasswordPolicy|AccountPublicAccessBlock|Bucket[A-Z]\w+|DefaultKmsKey|EncryptionByDefault"
    r"|DetectorFeature|StandardsSubscription|Account|Recorder|RecorderStatus|DeliveryChannel"
    r"|RetentionConfiguration|Enabler"
    r"|SnapshotBlockPublicAccess|ImageBlockPublicAccess|InstanceMetadataDefaults"
    r"|SerialConsoleAccess|ServiceSetting"
    r"|LogMetricFilter|Dashboard|EventTarget|EventArchive|TopicPolicy|TopicSubscription|QueuePolicy"
    r"|TargetGroupAttachment|WebAclAssociation|WebAclLoggingConfiguration"
    r"|VaultPolicy|VaultLockConfiguration|Selection|Schedule)$"
)


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(stack: str) -> Run:
    return run_of(stack)


def test_the_three_stacks_of_the_requirement_are_there() -> None:
    assert {"in-mumbai", "eu-frankfurt", "in-hyderabad"} <= set(STACKS)


def test_every_resource_is_made_by_the_one_explicit_provider(run: Run) -> None:
    (provider,) = run.of(PROVIDER).values()
    aws = [p for p in run.planned if p["type"].startswith("aws:")]
    assert len(aws) > 200
    strays = [p["urn"] for p in aws if p["provider"].rpartition("::")[0] != provider["urn"]]
    assert strays == []


def test_the_provider_is_tied_to_the_stacks_region_and_account(run: Run, stack: str) -> None:
    stated = stack_file(stack)
    (provider,) = run.of(PROVIDER).values()
    assert provider["inputs"]["region"] == stated["stockade:region"]
    assert json.loads(provider["inputs"]["allowedAccountIds"]) == [stated["stockade:account"]]
    skipped = [k for k, v in provider["inputs"].items() if k.startswith("skip") and v not in (False, "false")]
    assert skipped == []
    assert "endpoints" not in provider["inputs"]


def test_no_resource_names_another_region_than_its_providers(run: Run, stack: str) -> None:
    region = stack_file(stack)["stockade:region"]
    others = {p["urn"]: p["inputs"]["region"] for p in run.planned if "region" in p["inputs"]}
    assert set(others.values()) <= {region}
    zones = {p["inputs"]["availabilityZone"] for p in run.of("aws:ec2/subnet:Subnet").values()}
    assert zones == set(stack_file(stack)["stockade:zones"])


def test_every_resource_stands_under_a_component(run: Run) -> None:
    orphans = [
        p["urn"] for p in run.planned if p["type"].startswith("aws:") and ":stockade:" not in p["parent"]
    ]
    assert orphans == []


def test_every_taggable_resource_has_a_name_and_the_provider_adds_stack_and_owner(
    run: Run, stack: str
) -> None:
    unnamed = [
        p["urn"]
        for p in run.planned
        if p["type"].startswith("aws:")
        and not UNTAGGED.search(p["type"])
        and not p["inputs"].get("tags", {}).get("Name")
    ]
    assert unnamed == []
    (provider,) = run.of(PROVIDER).values()
    tags = json.loads(provider["inputs"]["defaultTags"])["tags"]
    assert tags["stockade:stack"] == stack
    assert tags["stockade:owner"] == stack_file(stack)["stockade:owner"]


def test_the_program_looks_nothing_up(run: Run) -> None:
    assert run.invokes == []


def test_names_and_types_are_words_not_list_indexes(run: Run) -> None:
    made_by_index = [p["urn"] for p in run.planned if re.search(r"(\[\d+\]|-\d+-\d+$|-0$)", p["name"])]
    ports = [urn for urn in made_by_index if "Rule::" in urn]  # ports and blocks are purposes
    assert set(made_by_index) == set(ports)


def test_the_region_contract_has_the_shape_of_the_contracts_page(run: Run, stack: str) -> None:
    page = (ROOT / "docs/contracts.md").read_text()
    example = page.partition("## 3.")[2].partition("```json")[2].partition("```")[0]
    keys = set(re.findall(r'^ ?\{?"(\w+)"', example, re.M)) | {"stack", "project", "region", "account"}
    region = run.outputs["region"]
    assert keys <= set(region), keys - set(region)
    assert region["schema"] == "stockade/region/1"
    assert region["stack"] == stack
    for node in region["nodes"]:
        dual = "cidr6" in region["vpcs"][node["vpc"]]
        assert set(node) - ({"address6"} if dual else set()) == {
            *("name", "role", "vpc", "tier", "zone", "subnet", "instance_id"),
            *("address", "public_address", "security_group", "kind", "profile"),
        }
        assert node["subnet"] in region["vpcs"][node["vpc"]]["subnets"]
        assert bool(node["public_address"]) == (node["tier"] == "public")


def test_the_contracts_intent_reads_back_as_the_settings_intent(run: Run, stack: str) -> None:
    region = run.outputs["region"]
    pure = resolve(settings.load(stack, ROOT))
    known = {
        name: {
            tier: [s["cidr6"] for _, s in sorted(vpc["subnets"].items()) if s["tier"] == tier]
            for tier in {s["tier"] for s in vpc["subnets"].values()}
        }
        for name, vpc in region["vpcs"].items()
        if "cidr6" in vpc
    }
    assert from_data(region["intent"]) == from_data(to_data(pure, known))
    if not known:
        assert from_data(region["intent"]) == pure
    else:
        assert any(n.version == 6 for e in from_data(region["intent"]).roles() for n in e.networks)


def test_a_dual_stack_vpc_has_ipv6_in_every_subnet_and_node_and_no_other_has(run: Run, stack: str) -> None:
    vpcs = settings.load(stack, ROOT).vpcs
    for name, vpc in run.of("aws:ec2/vpc:Vpc").items():
        assert vpc["inputs"].get("assignGeneratedIpv6CidrBlock") is (True if vpcs[name].ipv6 else None)
    blocks: list[str] = []
    for name, subnet in run.of("aws:ec2/subnet:Subnet").items():
        dual = vpcs[name.split("-")[0]].ipv6
        assert bool(subnet["inputs"].get("ipv6CidrBlock")) == dual
        assert subnet["inputs"].get("assignIpv6AddressOnCreation") in ((False,) if dual else (None,))
        blocks += [subnet["inputs"]["ipv6CidrBlock"]] if dual else []
    assert len(set(blocks)) == len(blocks)
    for node in run.outputs["region"]["nodes"]:
        made = run.of("aws:ec2/instance:Instance")[node["name"]]["inputs"]
        assert made.get("ipv6AddressCount") == (1 if vpcs[node["vpc"]].ipv6 else None)
        assert bool(node.get("address6")) == vpcs[node["vpc"]].ipv6
    routes = run.of("aws:ec2/route:Route")
    six = {n: r["inputs"] for n, r in routes.items() if r["inputs"].get("destinationIpv6CidrBlock") == "::/0"}
    assert set(six) == {f"{name}-public-internet6" for name, vpc in vpcs.items() if vpc.ipv6}
    assert all("gatewayId" in inputs for inputs in six.values())
    named = [r for r in run.of("aws:ec2/networkAclRule:NetworkAclRule") if "-ipv6-" in r]
    assert bool(named) == any(vpc.ipv6 for vpc in vpcs.values())


def test_every_node_of_the_settings_stands_in_its_tier_and_a_zone_of_its_own(run: Run, stack: str) -> None:
    roles = stack_file(stack)["stockade:server_roles"]
    nodes = run.outputs["region"]["nodes"]
    for name, role in roles.items():
        mine = [node for node in nodes if node["role"] == name]
        assert len(mine) == role["count"]
        assert {node["tier"] for node in mine} == {role["tier"]}
        zones = stack_file(stack)["stockade:zones"]
        assert len({node["zone"] for node in mine}) == min(role["count"], len(zones))


def test_peerings_and_their_routes_follow_the_intent_alone(run: Run, stack: str) -> None:
    config = settings.load(stack, ROOT)
    intent = resolve(config)
    expected = crossings(intent)
    assert [(c.left, c.right) for c in expected] == list(peerings(intent))
    made = run.of("aws:ec2/vpcPeeringConnection:VpcPeeringConnection")
    assert set(made) == {f"{c.left}-{c.right}" for c in expected}
    routed = {
        re.sub(r"^[^-]+-[^-]+-", "", name).partition("-to-")[0]
        for name, route in run.of("aws:ec2/route:Route").items()
        if "vpcPeeringConnectionId" in route["inputs"]
    }
    concerned = {(c.left, t) for c in expected for t in c.left_tiers}
    concerned |= {(c.right, t) for c in expected for t in c.right_tiers}
    assert {tuple(table.split("-")[:2]) for table in routed} == concerned
    blocks = {
        route["inputs"]["destinationCidrBlock"]
        for route in run.of("aws:ec2/route:Route").values()
        if "vpcPeeringConnectionId" in route["inputs"]
    }
    subnets = run.of("aws:ec2/subnet:Subnet")
    assert blocks == {
        subnet["inputs"]["cidrBlock"]
        for name, subnet in subnets.items()
        if tuple(name.split("-")[:2]) in concerned
    }


def test_the_isolated_tier_has_no_default_route(run: Run) -> None:
    defaults = [
        r
        for r in run.of("aws:ec2/route:Route").values()
        if r["inputs"].get("destinationCidrBlock") == "0.0.0.0/0"
    ]
    tables = {urn for route in defaults for urn in route["depends"]["routeTableId"]}
    isolated = {
        t["urn"]
        for t in run.of("aws:ec2/routeTable:RouteTable").values()
        if t["inputs"]["tags"]["stockade:tier"] == "isolated"
    }
    assert isolated and not isolated & tables
    assert len(defaults) >= 2


OUTWARD = ("aws:ec2/natGateway:NatGateway", "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway")


def test_no_stack_has_a_way_out_that_it_does_not_declare(run: Run, stack: str) -> None:
    declared = egress_vpcs(resolve(settings.load(stack, ROOT)))
    assert not declared, "a shipped stack declares egress: let this test expect its gateways"
    assert [name for kind in OUTWARD for name in run.of(kind)] == []
    assert set(run.of("aws:ec2/eip:Eip")) == {
        n["name"] for n in run.outputs["region"]["nodes"] if n["tier"] == "public"
    }
    everywhere = {
        name
        for name, route in run.of("aws:ec2/route:Route").items()
        if {"0.0.0.0/0", "::/0"} & set(map(str, route["inputs"].values()))
    }
    assert {name.rpartition("-")[0] for name in everywhere} == {"customer-public", "platform-public"}


def test_where_egress_is_declared_each_private_zone_leaves_through_its_own_nat_gateway() -> None:
    config = stack_file("eu-frankfurt")
    call = {"from": ["app"], "to": ["internet"], "protocol": "tcp", "port": 443, "why": "an API of a partner"}
    config["stockade:firewall"] = [*config["stockade:firewall"], call]
    run = run_program("eu-frankfurt", config)
    gateways = run.of("aws:ec2/natGateway:NatGateway")
    assert set(gateways) == {f"customer-nat-{letter}" for letter in "abc"}, "in the VPC that calls, only"
    for name, gateway in gateways.items():
        assert gateway["inputs"]["subnetId"].endswith(f"-public-{name[-1]}")
        route = run.of("aws:ec2/route:Route")[name.replace("-nat-", "-private-") + "-internet"]
        assert route["inputs"]["routeTableId"].endswith(f"-private-{name[-1]}")
        assert route["inputs"]["natGatewayId"].endswith(name)
    (way6,) = run.of("aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway")
    assert way6 == "customer", "dual stack: IPv6 leaves through a gateway that lets answers in, nothing else"
    for letter in "abc":
        way = run.of("aws:ec2/route:Route")[f"customer-private-{letter}-internet6"]["inputs"]
        assert way["destinationIpv6CidrBlock"] == "::/0" and way["egressOnlyGatewayId"]


def test_a_vpn_connection_for_every_site_and_vpc_and_no_other(run: Run, stack: str) -> None:
    sites = stack_file(stack)["stockade:sites"]
    wanted = {f"{name}-{vpc}" for name, site in sites.items() for vpc in site["vpcs"]}
    assert set(run.of("aws:ec2/vpnConnection:VpnConnection")) == wanted
    assert set(run.outputs["region"]["vpn"]) == {
        f"{name}/{vpc}" for name, site in sites.items() for vpc in site["vpcs"]
    }


def test_the_public_tier_learns_site_routes_only_where_it_speaks_with_sites(run: Run, stack: str) -> None:
    roles = stack_file(stack)["stockade:server_roles"]
    public_with_roles = {role["vpc"] for role in roles.values() if role["tier"] == "public"}
    learned = set(run.of("aws:ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation"))
    assert {name for name in learned if name.endswith("-public")} == {
        f"{v}-public" for v in public_with_roles
    }
    assert any("-isolated" in name for name in learned)


def test_rules_between_vpcs_wait_for_the_peering(run: Run) -> None:
    peering = next(iter(run.of("aws:ec2/vpcPeeringConnection:VpcPeeringConnection").values()))["urn"]
    waiting = {
        r.planned["name"] for r in run.registered if peering in r.dependencies and "Rule" in r.planned["type"]
    }
    assert waiting == {"app-egress-tcp-9443-role-archive", "archive-ingress-tcp-9443-role-app"}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value)


PUBLIC_KEY = re.compile(
    r"(ssh-ed25519|ecdsa-sha2-nistp\d+|ssh-rsa) [A-Za-z0-9+/]+=* [\w@.-]+"
    r"|-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n"
)
SECRET = re.compile(
    r"-----BEGIN|AKIA[0-9A-Z]{16}|\$[156y]\$|ssh-(rsa|ed25519) |hashed_passwd|plain_text_passwd"
    r"|tunnel[12]PresharedKey|\"(access_?key(_?id)?|secret_?access_?key)\"\s*:\s*\"",
    re.I,
)


def test_nothing_that_looks_like_a_secret_is_registered_or_exported_in_clear(run: Run) -> None:
    found = [text for p in run.planned for text in _texts(p["inputs"]) if SECRET.search(text)]
    # Public halves stand in the contract, as they should: administrators' keys, the collector's authority.
    outputs = [text for text in _texts(run.outputs) if not PUBLIC_KEY.fullmatch(text)]
    found += [text for text in outputs if SECRET.search(text)]
    assert found == []
    for one in run.registered:
        if one.planned["type"] == "aws:ec2/vpnConnection:VpnConnection":
            assert {"tunnel1PresharedKey", "tunnel2PresharedKey", "customerGatewayConfiguration"} <= set(
                one.secret_outputs
            )


def test_a_role_that_no_rule_lets_reach_aws_is_granted_nothing(run: Run, stack: str) -> None:
    """What faces the internet has credentials without a use for whoever takes them."""
    config = settings.load(stack, ROOT)
    reach = {f.source.name for f in resolve(config).flows if f.target.kind == "aws_endpoints"}
    assert reach and reach < set(config.server_roles)
    policies = run.of("aws:iam/rolePolicy:RolePolicy").values()
    granted = {urn.rpartition("::")[2] for policy in policies for urn in policy["depends"]["role"]}
    nodes = {f"node-{role}" for role in config.server_roles}
    assert nodes <= set(run.of("aws:iam/role:Role"))
    assert granted & nodes == {f"node-{role}" for role in reach}
    attached = {p["name"] for p in run.planned if p["type"].endswith("PolicyAttachment")}
    assert attached == {"team-break-glass-provisioning", "team-platform-provisioning"}
    assert not [p for p in run.of("aws:iam/role:Role").values() if p["inputs"].get("managedPolicyArns")]


def test_wrong_settings_stop_the_program_before_anything_is_registered(tmp_path: Path) -> None:
    config = {**stack_file("in-mumbai"), "stockade:region": "us-east-1", "stockade:surplus": "1"}
    with pytest.raises(pulumi.RunError) as stopped:
        run_program("in-mumbai", config)
    text = str(stopped.value)
    assert "surplus" in text and "us-east-1" in text
