"""Broken plans: provider, residency, encryption, exposure, privilege, tunnels."""

from __future__ import annotations

from tests.infra.breaking import Break, Broken, Plan, add, drop, lose, one, put, statement

PROVIDER = "pulumi:providers:aws"
BUCKET = "aws:s3/bucket:Bucket"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
VPN = "aws:ec2/vpnConnection:VpnConnection"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
S3 = "aws:s3/bucket"
SSE = f"{S3}ServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
ACCOUNT_BLOCK = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
PUBLIC_BLOCK = f"{S3}PublicAccessBlock:BucketPublicAccessBlock"
METADATA_DEFAULTS = "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults"


def rule(port: int | None, to: int | None = None, **where: str) -> Break:
    inputs = {"ipProtocol": "tcp" if port else "-1", "fromPort": port, "toPort": to or port, **where}
    return add(INGRESS, {key: value for key, value in inputs.items() if value is not None})


def at_group(group: str, port: int, to: int | None = None, **where: str) -> Break:
    """A rule of a group of ours."""

    def apply(planned: Plan) -> None:
        rule(port, to, **where)(planned)
        planned[-1]["depends"] = {"securityGroupId": [one(planned, GROUP, group)["urn"]]}

    return apply


def default_route(planned: Plan) -> None:
    table = one(planned, "aws:ec2/routeTable:RouteTable", "platform-isolated")
    depends = {"routeTableId": [table["urn"]]}
    add("aws:ec2/route:Route", {"destinationCidrBlock": "0.0.0.0/0"}, depends=depends)(planned)


def team_under_the_nodes_boundary(planned: Plan) -> None:
    role, node = (
        one(planned, "aws:iam/role:Role", "team-platform"),
        one(planned, "aws:iam/role:Role", "node-edge"),
    )
    role["inputs"]["permissionsBoundary"] = node["inputs"]["permissionsBoundary"]
    role["depends"]["permissionsBoundary"] = node["depends"]["permissionsBoundary"]


def second_provider(planned: Plan) -> None:
    planned.append({**one(planned, PROVIDER), "name": "other", "urn": "urn:other"})


PORT_22 = rule(22, cidrIpv4="0.0.0.0/0")
STAR = {"Effect": "Allow", "Action": "*"}
EVERYBODY = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
KMS_ELSEWHERE = "arn:aws:kms:us-east-1:111122223333:key/1"


BROKEN: list[Broken] = [
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
    ("residency-input", "a resource's own region", add("aws:ec2/eip:Eip", {"region": "eu-west-2"})),
    ("residency-input", "a peer outside", add("aws:ec2/x:X", {"peerRegion": "us-west-2"})),
    (
        "residency-input",
        "a service outside",
        put("aws:ec2/vpcEndpoint:VpcEndpoint", "serviceName", "com.amazonaws.us-east-1.s3", "customer-s3"),
    ),
    ("residency-input", "a key outside", put("aws:cloudwatch/logGroup:LogGroup", "kmsKeyId", KMS_ELSEWHERE)),
    ("residency-copy", "a multi-region key", put("aws:kms/key:Key", "multiRegion", True)),
    ("bucket-complete", "no encryption", lose(SSE, "data-records")),
    ("bucket-complete", "no versioning", lose(f"{S3}Versioning:BucketVersioning", "data-records")),
    ("bucket-complete", "no policy", lose(f"{S3}Policy:BucketPolicy", "data-records")),
    (
        "bucket-complete",
        "no lifecycle",
        lose(f"{S3}LifecycleConfiguration:BucketLifecycleConfiguration", "data-records"),
    ),
    (
        "bucket-encrypted",
        "no algorithm",
        put(SSE, "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm", None),
    ),
    ("bucket-encrypted", "no bucket key", put(SSE, "rules.0.bucketKeyEnabled", False, "data-records")),
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
    (
        "ingress-intended",
        "a range around 443",
        at_group("front-load-balancer", 443, 8443, cidrIpv4="0.0.0.0/0"),
    ),
    ("ingress-intended", "every protocol", rule(None, cidrIpv4="0.0.0.0/0")),
    ("sources-bound", "a server open to everybody", at_group("edge", 443, cidrIpv4="0.0.0.0/0")),
    ("sources-bound", "a server open to all of IPv6", at_group("edge", 443, cidrIpv6="::/0")),
    ("sources-bound", "an address of nobody's", at_group("edge", 443, cidrIpv4="198.51.100.99/32")),
    ("sources-bound", "wider than bound", at_group("edge", 443, cidrIpv4="198.51.100.0/24")),
    ("sources-bound", "an inside range", at_group("app", 8443, cidrIpv4="10.20.0.0/16")),
    ("sources-bound", "a group nobody planned", rule(443, cidrIpv4="0.0.0.0/0")),
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
    ("bucket-closed", "no block", lose(PUBLIC_BLOCK, "data-records")),
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
    (
        "endpoint-bounded+grant-public",
        "an open endpoint",
        statement("aws:ec2/vpcEndpoint:VpcEndpoint", **EVERYBODY),
    ),
    (
        "grant-wildcard",
        "a whole service on everything",
        statement("aws:iam/rolePolicy:RolePolicy", Effect="Allow", Action=["s3:ListBucket", "ec2:*"]),
    ),
    (
        "grant-wildcard",
        "every change of one kind on everything",
        statement("aws:iam/rolePolicy:RolePolicy", Effect="Allow", Action="iam:Put*"),
    ),
    (
        "role-bounded",
        "a team without a boundary",
        drop("aws:iam/role:Role", "permissionsBoundary", "team-platform"),
    ),
    ("team-bounded", "a team under the nodes' boundary", team_under_the_nodes_boundary),
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
    ("tunnel-key+secret-clear", "a stated key", put(VPN, "tunnel1PresharedKey", "x")),
    (
        "tunnel-logged",
        "no log",
        put(VPN, "tunnel2LogOptions.cloudwatchLogOptions.logEnabled", False),
    ),
]
