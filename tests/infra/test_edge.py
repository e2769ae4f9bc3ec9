"""What the program registers at the edge, as Pulumi's engine sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import settings
from edge.facts import TLS_POLICY
from network.intent import resolve
from tests.infra.monitor import ROOT, Run, run_of, run_program, stack_file

WITH_BALANCER = ["in-mumbai", "eu-frankfurt"]
LB, LISTENER = "aws:lb/loadBalancer:LoadBalancer", "aws:lb/listener:Listener"
ACL, IP_SET = "aws:wafv2/webAcl:WebAcl", "aws:wafv2/ipSet:IpSet"
ATTACHMENT = "aws:lb/targetGroupAttachment:TargetGroupAttachment"


@pytest.fixture(params=WITH_BALANCER)
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(stack: str) -> Run:
    return run_of(stack)


def test_a_stack_without_load_balancers_has_nothing_at_the_edge() -> None:
    run = run_of("in-hyderabad")
    assert not [
        p["urn"] for p in run.planned if p["type"].startswith(("aws:lb/", "aws:wafv2/", "aws:shield/"))
    ]
    assert run.outputs["region"]["load_balancers"] == {}


def test_it_stands_in_every_public_subnet_behind_its_own_group(run: Run) -> None:
    inputs = run.of(LB)["front"]["inputs"]
    subnets = run.outputs["region"]["vpcs"]["customer"]["subnets"].values()
    assert set(inputs["subnets"]) == {subnet["id"] for subnet in subnets if subnet["tier"] == "public"}
    (group,) = inputs["securityGroups"]
    assert group.endswith("front-load-balancer")
    assert inputs["internal"] is False


def test_it_serves_443_and_redirects_80(run: Run) -> None:
    listeners = run.of(LISTENER)
    assert set(listeners) == {"front-443", "front-80"}
    tls, clear = listeners["front-443"]["inputs"], listeners["front-80"]["inputs"]
    assert (tls["port"], tls["protocol"], tls["sslPolicy"]) == (443, "HTTPS", TLS_POLICY)
    assert tls["defaultActions"][0]["fixedResponse"]["statusCode"] == "404"
    (action,) = clear["defaultActions"]
    assert (action["type"], action["redirect"]["protocol"], action["redirect"]["statusCode"]) == (
        "redirect",
        "HTTPS",
        "HTTP_301",
    )


def test_without_a_flow_to_port_80_there_is_no_listener_for_it() -> None:
    config = stack_file("in-mumbai")
    rules = config["stockade:firewall"]
    kept = [rule for rule in rules if not ("front" in rule["to"] and rule["port"] == 80)]
    assert len(kept) == len(rules) - 1
    run = run_program("in-mumbai", {**config, "stockade:firewall": kept})
    assert set(run.of(LISTENER)) == {"front-443"}
    assert run.outputs["region"]["load_balancers"]["front"]["ports"] == [443]


def test_every_node_of_the_role_behind_it_is_a_target_and_no_other(run: Run, stack: str) -> None:
    flows = resolve(settings.load(stack, ROOT)).flows
    ((role, port),) = {(f.target.name, f.port) for f in flows if f.source.name == "front"}
    nodes = {n["instance_id"] for n in run.outputs["region"]["nodes"] if n["role"] == role}
    assert {p["inputs"]["targetId"] for p in run.of(ATTACHMENT).values()} == nodes
    (group,) = run.of("aws:lb/targetGroup:TargetGroup").values()
    assert (group["inputs"]["protocol"], group["inputs"]["port"]) == ("HTTPS", port)


def test_each_customer_has_a_set_of_its_bound_sources(run: Run, stack: str) -> None:
    customers = stack_file(stack)["stockade:customers"]
    sets = {p["name"]: p["inputs"]["addresses"] for p in run.of(IP_SET).values()}
    for name, customer in customers.items():
        stated = [source["cidr"] for source in customer["sources"].values()]
        if stated:
            assert sets[f"front-{name}-v4"] == sorted(stated)
    assert {"hostile-v4", "hostile-v6"} <= set(sets)


def test_the_firewall_knows_its_sets_and_its_load_balancer(run: Run) -> None:
    acl = run.of(ACL)["front"]
    named = set(acl["depends"]["rules"])
    assert named == {p["urn"] for p in run.of(IP_SET).values()}
    (association,) = run.of("aws:wafv2/webAclAssociation:WebAclAssociation").values()
    assert association["depends"]["resourceArn"] == [run.of(LB)["front"]["urn"]]
    assert association["depends"]["webAclArn"] == [acl["urn"]]


def test_logs_go_where_they_may(run: Run, stack: str) -> None:
    inputs = run.of(LB)["front"]["inputs"]
    for kind in ("accessLogs", "connectionLogs"):
        assert inputs[kind] == {
            "enabled": True,
            "bucket": run.outputs["region"]["buckets"]["delivery"]["name"],
            "prefix": "load-balancers",
        }
    delivery = run.outputs["region"]["buckets"]["delivery"]["name"]
    assert delivery.startswith(f"aws-waf-logs-stockade-{stack}-")
    log = run.of("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration")["front"]
    assert log["inputs"]["logDestinationConfigs"] == [f"arn:aws:s3:::{delivery}"]
    # Only once the bucket's policy lets the delivery in: AWS would write one of its own otherwise.
    policy = run.of("aws:s3/bucketPolicy:BucketPolicy")["delivery"]
    assert log["depends"]["logDestinationConfigs"] == [policy["urn"]]
    account = run.outputs["region"]["account"]
    statements = {s["Sid"]: s for s in json.loads(policy["inputs"]["policy"])["Statement"]}
    assert statements["WafDeliver"]["Resource"] == [f"arn:aws:s3:::{delivery}/AWSLogs/{account}/*"]
    assert statements["WafDeliver"]["Principal"] == {"Service": ["delivery.logs.amazonaws.com"]}
    assert statements["WafDeliver"]["Condition"]["StringEquals"]["aws:SourceAccount"] == account


def test_shield_advanced_is_made_only_when_asked_for() -> None:
    kind = "aws:shield/protection:Protection"
    assert run_of("in-mumbai").of(kind) == {}
    config = stack_file("in-mumbai")
    front = config["stockade:load_balancers"]["front"] | {"shield_advanced": True}
    run = run_program("in-mumbai", {**config, "stockade:load_balancers": {"front": front}})
    assert run.of(kind)["front"]["depends"]["resourceArn"] == [run.of(LB)["front"]["urn"]]


def test_the_contract_tells_alarms_and_verification_what_they_need(run: Run, stack: str) -> None:
    front: dict[str, Any] = run.outputs["region"]["load_balancers"]["front"]
    assert front["web_acl"]["name"] == f"stockade-{stack}-front"
    assert set(front["dimensions"]) == {"LoadBalancer", "TargetGroup"}
    assert front["ports"] == [80, 443]
    assert front["hosts"] == [f"app.{stack}.example"]


def test_the_program_does_not_load_the_sdks_classes_of_the_web_firewall() -> None:
    """Five megabytes of argument classes, 0.8 s of every run (edge/waf.py)."""
    code = "import edge.component, sys; sys.exit('pulumi_aws.wafv2._inputs' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
