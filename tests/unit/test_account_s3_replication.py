"""S3 of the emulated account: replication that honours roles, policies, keys and locks, across accounts too,
and bucket policies that are judged with their conditions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from iam.documents import render, trust
from storage.copy_policies import Target, archive_bucket, copier, copy_boundary
from storage.handover import bucket_policy, key_policy
from tests.unit.emulated_account import ACCOUNT, REGION, aws
from twin.program.aws import Clients

__all__ = ["aws"]
THEIRS = "777788889999"
NEAR = "ap-south-2"
ROLE = "stockade-unit-copy-acme"


@pytest.fixture(scope="module")
def theirs(aws: Clients) -> Any:
    """Clients of the customer's own account, by service and region."""
    session = aws.client("sts").assume_role(RoleArn=f"arn:aws:iam::{THEIRS}:role/any", RoleSessionName="test")
    found = session["Credentials"]
    other = Clients(aws.endpoint, THEIRS, NEAR, (found["AccessKeyId"], found["SecretAccessKey"]))
    return lambda service: other.client(service, NEAR)


@pytest.fixture
def bucket(aws: Clients, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"source-{abs(hash(request.node.name)) % 10**9}"
    made(aws.client("s3"), name, REGION)
    yield name


def made(s3: Any, name: str, region: str, *, lock: bool = False) -> None:
    place = {"LocationConstraint": region}
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=place, ObjectLockEnabledForBucket=lock)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def encrypt(s3: Any, name: str, key: str) -> None:
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=rules)


def key_for(kms: Any, policy: Any) -> str:
    return str(kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"])


def open_key(account: str) -> dict[str, Any]:
    root = {"AWS": f"arn:aws:iam::{account}:root"}
    return {
        "Statement": [{"Sid": "A", "Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}]
    }


def grant(aws: Clients, policy: dict[str, Any], *, service: str = "s3.amazonaws.com") -> str:
    iam, name = aws.client("iam"), ROLE
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/unit-copy"
    try:
        iam.create_policy(PolicyName="unit-copy", PolicyDocument=render(copy_boundary([REGION, NEAR])))
        iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=render(trust(service)), PermissionsBoundary=boundary
        )
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=render(trust(service)))
    iam.put_role_policy(RoleName=name, PolicyName="copy", PolicyDocument=render(policy))
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def rule(target: Target, *, theirs: bool = True) -> dict[str, Any]:
    destination: dict[str, Any] = {"Bucket": target.bucket_arn}
    destination["EncryptionConfiguration"] = {"ReplicaKmsKeyID": target.key_arn}
    if theirs:
        destination |= {"Account": target.account, "AccessControlTranslation": {"Owner": "Destination"}}
    return {
        "ID": "everything",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": destination,
    }


class Pair:
    """A source here and an archive in the customer's account, with everything in place."""

    def __init__(self, aws: Clients, theirs: Any, source: str) -> None:
        self.aws, self.theirs, self.source, self.there = aws, theirs, source, f"{source}-deep"
        self.s3 = aws.client("s3")
        self.key = key_for(aws.client("kms"), open_key(ACCOUNT))
        encrypt(self.s3, source, self.key)
        made(theirs("s3"), self.there, NEAR, lock=True)
        lock = {
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 9}},
        }
        theirs("s3").put_object_lock_configuration(Bucket=self.there, ObjectLockConfiguration=lock)
        role = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
        self.their_key = key_for(theirs("kms"), key_policy(THEIRS, role, NEAR))
        self.target = Target(f"arn:aws:s3:::{self.there}", self.their_key, THEIRS)
        theirs("s3").put_bucket_policy(Bucket=self.there, Policy=json.dumps(bucket_policy(self.there, role)))
        self.policy = copier([f"arn:aws:s3:::{source}"], [self.key], self.target, ACCOUNT, REGION)
        self.role = grant(aws, self.policy)
        config = {"Role": self.role, "Rules": [rule(self.target)]}
        self.s3.put_bucket_replication(Bucket=source, ReplicationConfiguration=config)

    def put(self) -> str:
        self.s3.put_object(Bucket=self.source, Key="2026/record", Body=b"what the bank keeps")
        return str(self.s3.head_object(Bucket=self.source, Key="2026/record")["ReplicationStatus"])

    def copies(self) -> list[dict[str, Any]]:
        return list(self.theirs("s3").list_object_versions(Bucket=self.there).get("Versions", []))


@pytest.fixture
def pair(aws: Clients, theirs: Any, bucket: str) -> Pair:
    return Pair(aws, theirs, bucket)


def test_an_object_reaches_the_customers_own_account_under_its_key_and_its_lock(pair: Pair) -> None:
    assert pair.put() == "COMPLETED"
    copy = pair.theirs("s3").get_object(Bucket=pair.there, Key="2026/record")
    assert copy["Body"].read() == b"what the bank keeps"
    assert copy["SSEKMSKeyId"] == pair.their_key
    assert copy["ObjectLockMode"] == "COMPLIANCE"
    assert copy["ReplicationStatus"] == "REPLICA"


def without(policy: dict[str, Any], sid: str) -> dict[str, Any]:
    left = [statement for statement in policy["Statement"] if statement["Sid"] != sid]
    assert len(left) == len(policy["Statement"]) - 1
    return {**policy, "Statement": left}


@pytest.mark.parametrize("sid", ["Look", "Read", "Write", "Encrypt", "Decrypt"])
def test_each_statement_of_the_copying_role_is_needed(pair: Pair, sid: str) -> None:
    grant(pair.aws, without(pair.policy, sid))
    assert pair.put() == "FAILED"
    assert pair.copies() == []


def test_without_the_customers_bucket_policy_nothing_arrives(pair: Pair) -> None:
    pair.theirs("s3").delete_bucket_policy(Bucket=pair.there)
    assert pair.put() == "FAILED"
    assert pair.copies() == []


def test_without_the_customers_key_policy_nothing_arrives(pair: Pair) -> None:
    policy = without(key_policy(THEIRS, pair.role, NEAR), "EncryptCopies")
    pair.theirs("kms").put_key_policy(KeyId=pair.their_key, PolicyName="default", Policy=json.dumps(policy))
    assert pair.put() == "FAILED"


def test_a_role_for_another_service_copies_nothing(pair: Pair) -> None:
    grant(pair.aws, pair.policy, service="ec2.amazonaws.com")
    assert pair.put() == "FAILED"


def test_the_configuration_is_given_back_whole(pair: Pair) -> None:
    found = pair.s3.get_bucket_replication(Bucket=pair.source)["ReplicationConfiguration"]
    assert found == {"Role": pair.role, "Rules": [rule(pair.target)]}


def test_a_bucket_without_versions_is_not_replicated(aws: Clients) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="flat", CreateBucketConfiguration={"LocationConstraint": REGION})
    target = Target("arn:aws:s3:::any", f"arn:aws:kms:{NEAR}:{THEIRS}:key/k", THEIRS)
    config = {"Role": f"arn:aws:iam::{ACCOUNT}:role/any", "Rules": [rule(target)]}
    with pytest.raises(ClientError, match="Versioning must be 'Enabled'"):
        s3.put_bucket_replication(Bucket="flat", ReplicationConfiguration=config)


def test_the_archive_takes_copies_locks_them_and_refuses_uploads(aws: Clients, bucket: str) -> None:
    s3, archive = aws.client("s3"), f"{bucket}-archive"
    key = key_for(aws.client("kms"), open_key(ACCOUNT))
    encrypt(s3, bucket, key)
    made(s3, archive, REGION, lock=True)
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 200}}}
    s3.put_object_lock_configuration(Bucket=archive, ObjectLockConfiguration=lock)
    target = Target(f"arn:aws:s3:::{archive}", key, ACCOUNT)
    role = grant(aws, copier([f"arn:aws:s3:::{bucket}"], [key], target, ACCOUNT, REGION))
    s3.put_bucket_policy(Bucket=archive, Policy=json.dumps(archive_bucket(archive, key, role)))
    config = {"Role": role, "Rules": [rule(target, theirs=False)]}
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=config)
    s3.put_object(Bucket=bucket, Key="trail/1", Body=b"who did what")
    kept = s3.head_object(Bucket=archive, Key="trail/1")
    assert (kept["ReplicationStatus"], kept["ObjectLockMode"]) == ("REPLICA", "COMPLIANCE")
    with pytest.raises(ClientError, match=r"AccessDenied|403|Forbidden"):
        s3.put_object(Bucket=archive, Key="trail/2", Body=b"forged", ContentMD5="x")
    with pytest.raises(ClientError):
        s3.delete_object(Bucket=archive, Key="trail/1", VersionId=kept["VersionId"])
    assert s3.head_object(Bucket=archive, Key="trail/1")["VersionId"] == kept["VersionId"]


@pytest.mark.parametrize(
    ("condition", "refused"),
    [
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"NumericLessThan": {"s3:TlsVersion": "1.2"}}, False),
        ({"StringNotEquals": {"aws:SourceVpce": ["vpce-1"]}}, True),
        (
            {
                "StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"},
                "Null": {"s3:x-amz-server-side-encryption": "false"},
            },
            False,
        ),
        ({"ArnNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/w"}}, True),
        ({}, True),
    ],
)
def test_a_bucket_policy_refuses_what_its_condition_says_and_nothing_else(
    aws: Clients, bucket: str, condition: dict[str, Any], refused: bool
) -> None:
    s3 = aws.client("s3")
    denial: dict[str, Any] = {"Sid": "D", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"}
    denial |= {"Resource": f"arn:aws:s3:::{bucket}/*"} | ({"Condition": condition} if condition else {})
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [denial]}))
    try:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    except ClientError as error:
        assert refused, error
    else:
        assert not refused


def test_the_role_of_a_session_is_the_caller(aws: Clients, bucket: str) -> None:
    iam, s3 = aws.client("iam"), aws.client("s3")
    arn = iam.create_role(RoleName="writer", AssumeRolePolicyDocument=render(trust("ec2.amazonaws.com")))[
        "Role"
    ]["Arn"]
    condition = {"ArnNotEquals": {"aws:PrincipalArn": arn}}
    denial = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [{**denial, "Condition": condition}]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    found = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    writer = Clients(aws.endpoint, ACCOUNT, REGION, (found["AccessKeyId"], found["SecretAccessKey"]))
    writer.client("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    with pytest.raises(ClientError):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")


def test_a_lock_is_put_on_a_bucket_that_has_objects(aws: Clients, bucket: str) -> None:
    s3 = aws.client("s3")
    s3.put_object(Bucket=bucket, Key="before", Body=b"x")
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 3}}}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == lock
    s3.put_object(Bucket=bucket, Key="after", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="after")["ObjectLockMode"] == "COMPLIANCE"
    assert "ObjectLockMode" not in s3.head_object(Bucket=bucket, Key="before")


def test_a_session_of_another_account_acts_there(aws: Clients, theirs: Any) -> None:
    assert theirs("sts").get_caller_identity()["Account"] == THEIRS
    assert aws.client("sts").get_caller_identity()["Account"] == ACCOUNT
    theirs("s3").create_bucket(Bucket="only-theirs", CreateBucketConfiguration={"LocationConstraint": NEAR})
    assert "only-theirs" not in {b["Name"] for b in aws.client("s3").list_buckets()["Buckets"]}
