"""Elastic Load Balancing of the emulated account against AWS's documented answers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from edge.facts import TLS_POLICIES, TLS_POLICY
from tests.unit.emulated_account import ACCOUNT, REGION, aws
from twin.program.aws import Clients

__all__ = ["aws"]
BUCKET = "unit-lb-logs"
SERVICE = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}


@pytest.fixture(scope="module")
def elb(aws: Clients) -> Any:
    return aws.client("elbv2")


@pytest.fixture(scope="module")
def place(aws: Clients) -> dict[str, Any]:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.60.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")[
            "Subnet"
        ]
        for n, zone in enumerate("abb")
    ]
    return {"vpc": vpc, "subnets": [subnet["SubnetId"] for subnet in subnets]}


@pytest.fixture
def balancer(elb: Any, place: dict[str, Any]) -> str:
    name = f"unit-{uuid.uuid4().hex[:12]}"
    made = elb.create_load_balancer(Name=name, Subnets=place["subnets"][:2], Type="application")
    return str(made["LoadBalancers"][0]["LoadBalancerArn"])


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def attributes(elb: Any, arn: str) -> dict[str, str]:
    found = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    return {pair["Key"]: pair["Value"] for pair in found}


def switch(elb: Any, arn: str, changes: Mapping[str, str]) -> None:
    pairs = [{"Key": key, "Value": value} for key, value in changes.items()]
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=pairs)


def test_a_new_load_balancer_has_the_documented_attributes(elb: Any, balancer: str) -> None:
    found = attributes(elb, balancer)
    (made,) = elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"]
    assert made["Scheme"] == "internet-facing"  # where the caller says nothing
    assert found["routing.http.desync_mitigation_mode"] == "defensive"
    assert found["routing.http.drop_invalid_header_fields.enabled"] == "false"
    assert found["load_balancing.cross_zone.enabled"] == "true"
    assert found["connection_logs.s3.enabled"] == found["deletion_protection.enabled"] == "false"
    assert (found["idle_timeout.timeout_seconds"], found["client_keep_alive.seconds"]) == ("60", "3600")


def test_what_is_protected_is_not_deleted(elb: Any, balancer: str) -> None:
    switch(elb, balancer, {"deletion_protection.enabled": "true"})
    with pytest.raises(ClientError) as refused:
        elb.delete_load_balancer(LoadBalancerArn=balancer)
    assert code(refused) == "OperationNotPermitted"
    switch(elb, balancer, {"deletion_protection.enabled": "false"})
    elb.delete_load_balancer(LoadBalancerArn=balancer)
    with pytest.raises(ClientError) as gone:
        elb.describe_load_balancers(LoadBalancerArns=[balancer])
    assert code(gone) == "LoadBalancerNotFound"


def test_one_zone_is_not_enough_and_a_name_is_used_once(
    elb: Any, place: dict[str, Any], balancer: str
) -> None:
    with pytest.raises(ClientError) as refused:
        elb.create_load_balancer(Name="one-zone", Subnets=place["subnets"][1:], Type="application")
    assert code(refused) == "ValidationError"
    name = balancer.split("/")[2]
    with pytest.raises(ClientError) as twice:
        elb.create_load_balancer(Name=name, Subnets=place["subnets"][:2], Type="application")
    assert code(twice) == "DuplicateLoadBalancerName"
    with pytest.raises(ClientError):
        elb.describe_load_balancers(Names=["one-zone"])


@pytest.mark.parametrize("kind", ["access_logs", "connection_logs"])
def test_logs_go_only_where_the_bucket_lets_the_service_write(
    aws: Clients, elb: Any, balancer: str, kind: str
) -> None:
    s3, name = aws.client("s3"), f"{BUCKET}-{kind.replace('_', '-')}"
    wanted = {f"{kind}.s3.enabled": "true", f"{kind}.s3.bucket": name, f"{kind}.s3.prefix": "lb"}

    def refused() -> str:
        with pytest.raises(ClientError, match=name) as found:
            switch(elb, balancer, wanted)
        return code(found)

    assert refused() == "InvalidConfigurationRequest"  # no such bucket
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert refused() == "InvalidConfigurationRequest"  # no policy
    statement = {"Effect": "Allow", "Principal": SERVICE, "Action": "s3:PutObject"}
    for resource in (f"{name}/other/AWSLogs/{ACCOUNT}/*", f"{name}/lb/AWSLogs/999999999999/*"):
        policy = {"Statement": [statement | {"Resource": f"arn:aws:s3:::{resource}"}]}
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
        assert refused() == "InvalidConfigurationRequest"
    policy = {"Statement": [statement | {"Resource": f"arn:aws:s3:::{name}/lb/AWSLogs/{ACCOUNT}/*"}]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    for algorithm in ("aws:kms", "AES256"):
        default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [default]})
        if algorithm == "aws:kms":  # the service takes SSE-S3 only
            assert refused() == "InvalidConfigurationRequest"
    switch(elb, balancer, wanted)
    assert attributes(elb, balancer)[f"{kind}.s3.prefix"] == "lb"


def listener(elb: Any, arn: str, **parameters: Any) -> dict[str, Any]:
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    given = {"Port": 80, "Protocol": "HTTP", "DefaultActions": [answer], **parameters}
    return dict(elb.create_listener(LoadBalancerArn=arn, **given)["Listeners"][0])


def test_a_listener_in_clear_has_no_policy_and_a_port_is_used_once(elb: Any, balancer: str) -> None:
    made = listener(elb, balancer)
    assert "SslPolicy" not in made
    found = elb.describe_listener_attributes(ListenerArn=made["ListenerArn"])["Attributes"]
    assert found == [{"Key": "routing.http.response.server.enabled", "Value": "true"}]
    with pytest.raises(ClientError) as twice:
        listener(elb, balancer)
    assert code(twice) == "DuplicateListener"


def test_tls_needs_a_certificate_and_a_policy_that_exists(aws: Clients, elb: Any, balancer: str) -> None:
    certificate = aws.client("acm").request_certificate(DomainName="unit.example")["CertificateArn"]
    tls = {"Port": 443, "Protocol": "HTTPS"}
    with pytest.raises(ClientError) as none:
        listener(elb, balancer, **tls)
    assert code(none) == "ValidationError"
    tls["Certificates"] = [{"CertificateArn": certificate}]
    with pytest.raises(ClientError) as unknown:
        listener(elb, balancer, **tls, SslPolicy="ELBSecurityPolicy-TLS14")
    assert code(unknown) == "SSLPolicyNotFound"
    assert listener(elb, balancer, **tls)["SslPolicy"] == "ELBSecurityPolicy-2016-08"  # AWS's default


def test_the_policies_of_rfc_9151_hold_what_our_facts_say(elb: Any) -> None:
    found = elb.describe_ssl_policies(Names=list(TLS_POLICIES))["SslPolicies"]
    assert {policy["Name"] for policy in found} == set(TLS_POLICIES)
    for policy in found:
        facts = TLS_POLICIES[policy["Name"]]
        assert set(policy["SslProtocols"]) == set(facts.versions)
        assert {cipher["Name"] for cipher in policy["Ciphers"]} == set(facts.suites)
    assert all("256" in suite.replace("SHA256", "") for suite in TLS_POLICIES[TLS_POLICY].suites)


def test_nothing_probes_targets_so_none_is_healthy(aws: Clients, elb: Any, place: dict[str, Any]) -> None:
    ec2 = aws.client("ec2")
    group = elb.create_target_group(Name="unit", Protocol="HTTPS", Port=8443, VpcId=place["vpc"])
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=place["subnets"][0])
    instance = made["Instances"][0]["InstanceId"]
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": instance}])
    (found,) = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    assert found["TargetHealth"]["State"] == "initial"
    assert found["TargetHealth"]["Reason"] == "Elb.RegistrationInProgress"
    elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": instance}])
    assert elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"] == []


def test_a_deleted_listener_sets_its_target_group_free(
    elb: Any, place: dict[str, Any], balancer: str
) -> None:
    group = elb.create_target_group(Name="freed", Protocol="HTTPS", Port=8443, VpcId=place["vpc"])
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    made = listener(elb, balancer, Port=81, DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}])
    assert elb.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"][0]["TargetGroupArn"] == arn
    elb.delete_listener(ListenerArn=made["ListenerArn"])
    (left,) = elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    assert left.get("LoadBalancerArns", []) == []
