"""Broken plans: secrets in clear, what is not kept, names and tags that say nothing."""

from __future__ import annotations

from guardrails.model import Planned
from tests.infra.breaking import Break, Broken, Plan, add, one, put

VPC = "aws:ec2/vpc:Vpc"
BUCKET = "aws:s3/bucket:Bucket"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
GROUP = "aws:cloudwatch/logGroup:LogGroup"
SECRET = {
    "secretId": "arn:aws:secretsmanager:ap-south-1:111122223333:secret:x",
    "secretString": "hunter2hunter2",
}
# Put together at run time: a scanner for secrets must not find one in this repository.
KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
ASSIGNED = "api_key=" + "q9Zt7LmX2vRb8KcN"
PEM = "-----BEGIN " + "PRIVATE KEY-----"


def renamed(name: str) -> Break:
    def apply(planned: Plan) -> None:
        one(planned, GROUP)["name"] = name

    return apply


def outside(planned: Plan) -> None:
    one(planned, GROUP)["parent"] = "urn:pulumi:in-mumbai::stockade::pulumi:pulumi:Stack::stockade-in-mumbai"


def unprotected(kind: str) -> Break:
    def apply(planned: Plan) -> None:
        one(planned, kind)["protect"] = False

    return apply


def lookup(args: dict[str, object], provider: str | None = None) -> Break:
    def apply(planned: Plan) -> None:
        reference = one(planned, VPC)["provider"] if provider is None else provider
        entry = Planned(
            type="lookup:aws:ec2/getAmi:getAmi",
            name="getAmi",
            urn="lookup:getAmi",
            inputs=args,
            provider=reference,
            parent="",
        )
        planned.append(entry)

    return apply


BROKEN: list[Broken] = [
    ("residency-lookup", "a look-up elsewhere", lookup({"region": "us-east-1"})),
    ("residency-lookup", "a look-up through the default provider", lookup({}, "")),
    (
        "residency-input",
        "a queue's address elsewhere",
        put(GROUP, "url", "https://sqs.us-east-1.amazonaws.com/1/q"),
    ),
    ("residency-input", "a list of regions", put(GROUP, "targetRegions", ["ap-south-1", "eu-west-1"])),
    (
        "residency-input",
        "an ARN deep inside",
        put(GROUP, "rules", [{"target": {"arn": "arn:aws:sqs:us-east-1:111122223333:q"}}]),
    ),
    ("secret-clear", "a secret's text", add("aws:secretsmanager/secretVersion:SecretVersion", SECRET)),
    (
        "secret-clear",
        "a database password",
        add("aws:rds/instance:Instance", {"masterPassword": "Tr0ub4dor&3x"}),
    ),
    (
        "secret-clear",
        "an access key in user data",
        put("aws:ec2/launchTemplate:LaunchTemplate", "userData", f"x {KEY_ID}"),
    ),
    ("secret-clear", "a private key in a parameter", add("aws:ssm/parameter:Parameter", {"value": PEM})),
    (
        "secret-clear",
        "an environment that carries one",
        add("aws:lambda/function:Function", {"environment": {"variables": {"X": ASSIGNED}}}),
    ),
    ("secret-clear", "credentials in an address", put(GROUP, "name", "https://" + "user:pw@example.org/")),
    ("identity-static", "a user", add("aws:iam/user:User", {"name": "deploy"})),
    ("identity-static", "an access key", add("aws:iam/accessKey:AccessKey", {"user": "deploy"})),
    ("keep-protected", "a key that leaves with its line", unprotected("aws:kms/key:Key")),
    ("keep-protected", "a bucket that leaves with its line", unprotected(BUCKET)),
    ("keep-content", "a bucket that may be emptied", put(BUCKET, "forceDestroy", True)),
    ("keep-switch", "a load balancer anybody may delete", put(BALANCER, "enableDeletionProtection", False)),
    ("name-stable", "a list index", renamed("groups[0]")),
    ("name-stable", "a passing name", renamed("logs-tmp")),
    ("name-stable", "spaces", renamed("the logs")),
    ("tag-name", "no name", put(VPC, "tags", {"stockade:tier": "public"})),
    ("tag-owner", "another owner", put(VPC, "tags", {"Name": "x", "stockade:owner": "somebody"})),
    ("place-component", "outside every component", outside),
]
