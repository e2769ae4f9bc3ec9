"""The twin's handlers at the edge: what is set is read back, changed in place, and gone when dropped."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from edge.rules import Admission, rules
from tests.unit.emulated_account import REGION, aws
from twin.program.aws import Clients
from twin.program.handlers import find
from twin.program.handlers.spec import Call, Unsupported
from twin.program.readback import differences

__all__ = ["aws"]


def call(aws: Clients, kind: str, **inputs: Any) -> Call:
    return Call(aws, REGION, f"urn::{kind}", "front", inputs, {"Name": "front"}, token=kind + str(inputs))


def kept(call: Call, kind: str, identity: str) -> dict[str, Any]:
    spec = find(kind)
    assert spec is not None
    outputs = spec.look(call, identity)
    assert outputs is not None
    assert differences(call.inputs, outputs, spec.write_only) == set()
    return outputs


def make(call: Call, kind: str) -> str:
    spec = find(kind)
    assert spec is not None
    identity = spec.make(call)
    spec.settle(call, identity)
    kept(call, kind, identity)
    return identity


def change(before: Call, kind: str, identity: str, **inputs: Any) -> Call:
    """Change inputs in place and read all of them back."""
    spec = find(kind)
    assert spec is not None and spec.can_change(set(inputs)), inputs
    after = dataclasses.replace(before, inputs={**before.inputs, **inputs})
    spec.change(after, identity, set(inputs))
    kept(after, kind, identity)
    return after


IP_SET, ACL = "aws:wafv2/ipSet:IpSet", "aws:wafv2/webAcl:WebAcl"
BALANCER, GROUP = "aws:lb/loadBalancer:LoadBalancer", "aws:lb/targetGroup:TargetGroup"
LISTENER, RULE = "aws:lb/listener:Listener", "aws:lb/listenerRule:ListenerRule"


@pytest.fixture(scope="module")
def subnets(aws: Clients) -> list[str]:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.62.0.0/16")["Vpc"]["VpcId"]
    return [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.62.{n}.0/24", AvailabilityZone=f"{REGION}{z}")["Subnet"][
            "SubnetId"
        ]
        for n, z in enumerate("abc")
    ]


def test_a_web_acls_rules_change_in_place_and_sets_follow(aws: Clients) -> None:
    one = call(aws, IP_SET, name="one", scope="REGIONAL", ipAddressVersion="IPV4", addresses=["192.0.2.1/32"])
    set_id = make(one, IP_SET)
    one = change(one, IP_SET, set_id, addresses=["192.0.2.0/31"])
    arn = kept(one, IP_SET, set_id)["arn"]

    def stated(uploads: bool) -> list[dict[str, Any]]:
        return rules("front", Admission([arn, arn], {"acme": [arn]}, 100, uploads))

    seen = {"cloudwatchMetricsEnabled": True, "metricName": "front", "sampledRequestsEnabled": False}
    acl = call(
        aws,
        ACL,
        name="acl",
        scope="REGIONAL",
        defaultAction={"block": {}},
        rules=stated(uploads=False),
        visibilityConfig=seen,
    )
    identity = make(acl, ACL)
    acl = change(acl, ACL, identity, rules=stated(uploads=True), defaultAction={"allow": {}})
    assert len(kept(acl, ACL, identity)["rules"]) == len(stated(uploads=True))
    spec = find(ACL)
    assert spec is not None
    spec.drop(acl, identity, {})
    assert spec.look(acl, identity) is None


def test_a_load_balancer_changes_in_place_and_is_protected(aws: Clients, subnets: list[str]) -> None:
    front = call(
        aws,
        BALANCER,
        name="handled",
        loadBalancerType="application",
        internal=False,
        subnets=subnets[:2],
        enableDeletionProtection=True,
        desyncMitigationMode="strictest",
        idleTimeout=60,
    )
    arn = make(front, BALANCER)
    front = change(front, BALANCER, arn, idleTimeout=90, subnets=subnets)
    spec = find(BALANCER)
    assert spec is not None
    assert not spec.can_change({"internal"})
    with pytest.raises(Exception, match="OperationNotPermitted"):
        spec.drop(front, arn, {})
    spec.drop(dataclasses.replace(front, ending=True), arn, {})
    assert spec.look(front, arn) is None


def test_an_input_that_no_handler_sets_is_refused(aws: Clients, subnets: list[str]) -> None:
    spec = find(BALANCER)
    assert spec is not None
    with pytest.raises(Unsupported, match="customerOwnedIpv4Pool"):
        spec.make(call(aws, BALANCER, name="refused", subnets=subnets, customerOwnedIpv4Pool="pool"))
    listener = find(LISTENER)
    assert listener is not None
    login = [{"type": "authenticate-oidc", "authenticateOidc": {}}]
    with pytest.raises(Unsupported, match="authenticateOidc"):
        listener.make(
            call(aws, LISTENER, loadBalancerArn="x", port=443, protocol="HTTPS", defaultActions=login)
        )
