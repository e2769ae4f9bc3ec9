"""Guardrails: green on our own program in every stack, and red on each thing they exist to stop."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from guardrails import bounds_of, judge
from guardrails.model import Bounds, Planned
from tests.infra.monitor import ROOT, run_of, stack_file

Plan = list[Planned]
Break = Callable[[Plan], object]

PROVIDER = "pulumi:providers:aws"
BUCKET = "aws:s3/bucket:Bucket"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
VPN = "aws:ec2/vpnConnection:VpnConnection"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
S3 = "aws:s3/bucket"
SSE = f"{S3}ServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
ACCOUNT_BLOCK = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
PUBLIC_BLOCK = f"{S3}PublicAccessBlock:BucketPublicAccessBlock"
METADATA_DEFAULTS = "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults"


def bounds(stack: str) -> Bounds:
    return bounds_of({key.removeprefix("stockade:"): value for key, value in stack_file(stack).items()})


def plan() -> Plan:
    return copy.deepcopy(run_of("in-mumbai").planned)


def one(planned: Plan, type_: str, name: str | None = None) -> Planned:
    return next(p for p in planned if p["type"] == type_ and name in (None, p["name"]))


def put(type_: str, path: str, value: Any, name: str | None = None) -> Break:
    """Set an input at a dotted path of the first (or the named) resource of a type."""

    def apply(planned: Plan) -> None:
        target: Any = one(planned, type_, name)["inputs"]
        *steps, last = path.split(".")
        for step in steps:
            target = target[int(step) if step.isdigit() else step]
        target[last] = value

    return apply


def drop(type_: str, path: str, name: str | None = None) -> Break:
    """Remove an input."""

    def apply(planned: Plan) -> None:
        target: Any = one(planned, type_, name)["inputs"]
        *steps, last = path.split(".")
        for step in steps:
            target = target[int(step) if step.isdigit() else step]
        del target[last]

    return apply


def lose(type_: str, name: str | None = None) -> Break:
    """Forget a resource."""
    return lambda planned: planned.remove(one(planned, type_, name))


def add(type_: str, inputs: dict[str, Any], **more: Any) -> Break:
    """One resource more, made properly but for what `inputs` or `more` say."""

    def apply(planned: Plan) -> None:
        like = one(planned, "aws:ec2/vpc:Vpc")
        urn = f"urn:pulumi:in-mumbai::stockade::{type_}::extra"
        extra: Any = {
            **like,
            "type": type_,
            "name": "extra",
            "urn": urn,
            "inputs": inputs,
            "depends": {},
            **more,
        }
        planned.append(extra)

    return apply


def rule(port: int | None, to: int | None = None, **where: str) -> Break:
    inputs = {"ipProtocol": "tcp" if port else "-1", "fromPort": port, "toPort": to or port, **where}
    return add(INGRESS, {key: value for key, value in inputs.items() if value is not None})


def statement(type_: str, **changes: Any) -> Break:
    """Replace the policy of the first resource of a type by one statement."""
    policy = {"Version": "2012-10-17", "Statement": [{"Sid": "Broken", "Resource": "*", **changes}]}
    return put(type_, "policy", json.dumps(policy))


def default_route(planned: Plan) -> None:
    table = one(planned, "aws:ec2/routeTable:RouteTable", "platform-isolated")
    depends = {"routeTableId": [table["urn"]]}
    add("aws:ec2/route:Route", {"destinationCidrBlock": "0.0.0.0/0"}, depends=depends)(planned)


def second_provider(planned: Plan) -> None:
    planned.append({**one(planned, PROVIDER), "name": "other", "urn": "urn:other"})


PORT_22 = rule(22, cidrIpv4="0.0.0.0/0")
STAR = {"Effect": "Allow", "Action": "*"}
EVERYBODY = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
KMS_ELSEWHERE = "arn:aws:kms:us-east-1:111122223333:key/1"

BROKEN: list[tuple[str, str, Break]] = [
    ("plan-empty", "nothing planned", lambda planned: planned.clear()),
    ("provider-one", "a second provider", second_provider),
    ("provider-account", "another account", put(PROVIDER, "allowedAccountIds", '["999999999999"]')),
    ("provider-account", "any account", drop(PROVIDER, "allowedAccountIds")),
    ("provider-tags", "no owner tag", put(PROVIDER, "defaultTags", '{"tags":{"stockade:stack":"x"}}')),
    ("provider-explicit", "the default provider", add(BUCKET + "X", {}, provider="")),
    (
        "provider-explicit",
        "a default provider by its urn",
        add(BUCKET + "X", {}, provider="urn:pulumi:s::p::pulumi:providers:aws::default_7_51_0::id"),
    ),
    ("residency-provider", "a region outside", put(PROVIDER, "region", "us-east-1")),
    ("residency-provider", "allowed, not the stack's", put(PROVIDER, "region", "ap-south-2")),
    ("residency-input", "a zone outside", put("aws:ec2/subnet:Subnet", "availabilityZone", "us-east-1a")),
    ("residency-input", "a resource's own region", add("aws:sns/topic:Topic", {"region": "eu-west-2"})),
    ("residency-input", "a peer outside", add("aws:ec2/x:X", {"peerRegion": "us-west-2"})),
    (
        "residency-input",
        "a service outside",
        put("aws:ec2/vpcEndpoint:VpcEndpoint", "serviceName", "com.amazonaws.us-east-1.s3"),
    ),
    ("residency-input", "a key outside", put("aws:cloudwatch/logGroup:LogGroup", "kmsKeyId", KMS_ELSEWHERE)),
    ("residency-copy", "bucket replication", add(f"{S3}ReplicationConfig:BucketReplicationConfig", {})),
    ("residency-copy", "a multi-region key", put("aws:kms/key:Key", "multiRegion", True)),
    ("bucket-complete", "no encryption", lose(SSE, "data")),
    ("bucket-complete", "no versioning", lose(f"{S3}Versioning:BucketVersioning", "data")),
    ("bucket-complete", "no policy", lose(f"{S3}Policy:BucketPolicy", "data")),
    (
        "bucket-complete",
        "no lifecycle",
        lose(f"{S3}LifecycleConfiguration:BucketLifecycleConfiguration", "data"),
    ),
    (
        "bucket-encrypted",
        "no algorithm",
        put(SSE, "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm", None),
    ),
    ("bucket-encrypted", "no bucket key", put(SSE, "rules.0.bucketKeyEnabled", False, "data")),
    (
        "bucket-versioned",
        "suspended",
        put(f"{S3}Versioning:BucketVersioning", "versioningConfiguration.status", "Suspended"),
    ),
    (
        "bucket-tls",
        "a policy without denials",
        statement(f"{S3}Policy:BucketPolicy", Effect="Allow", Principal={"AWS": "1"}, Action="s3:GetObject"),
    ),
    ("key-rotates", "no rotation", put("aws:kms/key:Key", "enableKeyRotation", False)),
    ("key-rotates", "a week's window", put("aws:kms/key:Key", "deletionWindowInDays", 7)),
    ("log-group-encrypted", "no key", drop("aws:cloudwatch/logGroup:LogGroup", "kmsKeyId")),
    ("log-group-retention", "kept for ever", drop("aws:cloudwatch/logGroup:LogGroup", "retentionInDays")),
    ("volume-encrypted", "in clear", put(TEMPLATE, "blockDeviceMappings.0.ebs.encrypted", "false")),
    ("volume-encrypted", "not stated", drop(TEMPLATE, "blockDeviceMappings")),
    ("volume-encrypted", "a single volume in clear", add("aws:ebs/volume:Volume", {"size": 1})),
    ("volume-default", "no default", lose("aws:ebs/encryptionByDefault:EncryptionByDefault")),
    ("volume-default", "off", put("aws:ebs/encryptionByDefault:EncryptionByDefault", "enabled", False)),
    ("ingress-intended", "ssh from everywhere", PORT_22),
    ("ingress-intended", "ssh from all of IPv6", rule(22, cidrIpv6="::/0")),
    ("ingress-intended", "half of the internet", rule(22, cidrIpv4="128.0.0.0/1")),
    ("ingress-intended", "a range around 443", rule(443, 8443, cidrIpv4="0.0.0.0/0")),
    ("ingress-intended", "every protocol", rule(None, cidrIpv4="0.0.0.0/0")),
    ("rules-apart", "inline", put("aws:ec2/securityGroup:SecurityGroup", "ingress", [{"fromPort": 1}])),
    ("rules-apart", "legacy", add("aws:ec2/securityGroupRule:SecurityGroupRule", {})),
    (
        "default-stripped",
        "a rule in the default group",
        put("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "ingress", [{"self": True}]),
    ),
    (
        "default-stripped",
        "a route in the main table",
        put("aws:ec2/defaultRouteTable:DefaultRouteTable", "routes", [{"cidrBlock": "0.0.0.0/0"}]),
    ),
    ("default-stripped", "ACL not adopted", lose("aws:ec2/defaultNetworkAcl:DefaultNetworkAcl")),
    ("address-stated", "a subnet", put("aws:ec2/subnet:Subnet", "mapPublicIpOnLaunch", True)),
    ("address-stated", "an instance", put("aws:ec2/instance:Instance", "associatePublicIpAddress", True)),
    (
        "address-stated",
        "a template",
        put(TEMPLATE, "networkInterfaces", [{"associatePublicIpAddress": "true"}]),
    ),
    ("isolated-closed", "a default route", default_route),
    (
        "isolated-closed",
        "a table nobody knows",
        add("aws:ec2/route:Route", {"destinationIpv6CidrBlock": "::/0"}),
    ),
    ("bucket-closed", "no block", lose(PUBLIC_BLOCK, "data")),
    ("bucket-closed", "three of four", put(PUBLIC_BLOCK, "blockPublicPolicy", False)),
    ("bucket-closed", "account open", lose(ACCOUNT_BLOCK)),
    ("bucket-closed", "account half open", put(ACCOUNT_BLOCK, "restrictPublicBuckets", False)),
    ("metadata-token", "IMDSv1 in a template", put(TEMPLATE, "metadataOptions.httpTokens", "optional")),
    ("metadata-token", "two hops", put(TEMPLATE, "metadataOptions.httpPutResponseHopLimit", 2)),
    ("metadata-token", "no defaults", lose(METADATA_DEFAULTS)),
    ("metadata-token", "weak defaults", put(METADATA_DEFAULTS, "httpTokens", "optional")),
    (
        "metadata-token",
        "an instance of its own will",
        put("aws:ec2/instance:Instance", "metadataOptions", {"httpTokens": "optional"}),
    ),
    ("grant-narrow", "everything", statement("aws:iam/policy:Policy", **STAR)),
    (
        "grant-narrow",
        "all but one",
        statement("aws:iam/rolePolicy:RolePolicy", Effect="Allow", NotAction="iam:*"),
    ),
    (
        "grant-narrow",
        "AdministratorAccess",
        add(
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        ),
    ),
    ("grant-public", "an open key", statement("aws:kms/key:Key", **EVERYBODY)),
    ("grant-public", "an open endpoint", statement("aws:ec2/vpcEndpoint:VpcEndpoint", **EVERYBODY)),
    ("role-bounded", "no boundary", drop("aws:iam/role:Role", "permissionsBoundary", "node-edge")),
    (
        "role-bounded",
        "a delivering service's role without one",
        drop("aws:iam/role:Role", "permissionsBoundary", "network-flow-logs"),
    ),
    ("tunnel-strong", "AWS's defaults", drop(VPN, "tunnel1Phase1DhGroupNumbers")),
    ("tunnel-strong", "group 2 as well", put(VPN, "tunnel2Phase2DhGroupNumbers", [20, 2])),
    ("tunnel-strong", "IKEv1 as well", put(VPN, "tunnel1IkeVersions", ["ikev1", "ikev2"])),
    ("tunnel-strong", "SHA-1", put(VPN, "tunnel1Phase2IntegrityAlgorithms", ["SHA1"])),
    ("tunnel-key", "keys in the state", drop(VPN, "presharedKeyStorage")),
    ("tunnel-key", "a stated key", put(VPN, "tunnel1PresharedKey", "x")),
    (
        "tunnel-logged",
        "no log",
        put(VPN, "tunnel2LogOptions.cloudwatchLogOptions.logEnabled", False),
    ),
]


@pytest.mark.parametrize("stack", ["in-mumbai", "eu-frankfurt", "in-hyderabad"])
def test_our_own_program_breaks_no_guardrail(stack: str) -> None:
    assert [str(found) for found in judge(run_of(stack).planned, bounds(stack))] == []


@pytest.mark.parametrize(("rule_id", "what", "broken"), BROKEN, ids=[f"{b[0]}: {b[1]}" for b in BROKEN])
def test_each_weakness_turns_exactly_its_guardrail_red(rule_id: str, what: str, broken: Break) -> None:
    planned = plan()
    broken(planned)
    found = judge(planned, bounds("in-mumbai"))
    assert {finding.rule for finding in found} == {rule_id}, [str(finding) for finding in found]


def test_every_rule_has_a_broken_example() -> None:
    written = set()
    for source in (ROOT / "guardrails").glob("*.py"):
        written |= set(re.findall(r'Finding\(\s*"([a-z-]+)"', source.read_text()))
    assert len(written) > 20
    assert written == {rule_id for rule_id, _, _ in BROKEN}


def test_what_the_intent_opens_is_allowed_and_the_same_port_elsewhere_is_not() -> None:
    planned = plan()
    rule(443, cidrIpv4="0.0.0.0/0")(planned)
    assert judge(planned, bounds("in-mumbai")) == []
    shut = Bounds("ap-south-1", "111122223333", frozenset({"ap-south-1"}), frozenset())
    assert {finding.rule for finding in judge(planned, shut)} == {"ingress-intended"}


def test_a_policy_that_cannot_be_read_is_an_error_never_harmless() -> None:
    planned = plan()
    put("aws:iam/policy:Policy", "policy", "{not json")(planned)
    with pytest.raises(ValueError, match="Expecting"):
        judge(planned, bounds("in-mumbai"))


def test_a_finding_says_rule_resource_problem_and_fix_in_one_line() -> None:
    planned = plan()
    PORT_22(planned)
    (finding,) = judge(planned, bounds("in-mumbai"))
    assert str(finding).startswith("ingress-intended: urn:pulumi:")
    assert "tcp 22-22" in str(finding) and "\n" not in str(finding)
