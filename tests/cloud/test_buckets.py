"""Buckets of the whole account, also those nobody planned. Rows D3, M7, M9, M10, M27."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from verify.account import Account
from verify.policies import conditions, covers, denies_everybody, principals, statements
from verify.subjects import Resource

Region = dict[str, Any]
Rules = list[dict[str, Any]]
Find = Callable[[str], list[Resource]]


# Amazon S3 User Guide, "Understanding and managing Amazon S3 storage classes": these keep data in one zone
# only, or
# (REDUCED_REDUNDANCY) with less than eleven nines.
ONE_PLACE = {"ONEZONE_IA", "EXPRESS_ONEZONE", "OUTPOSTS", "REDUCED_REDUNDANCY", "SNOW"}


# Services that write into SSE-S3 only: Amazon S3 User Guide, "Enabling Amazon S3 server access logging";
# Elastic Load Balancing User Guide, "Enable access logs" (both read 2026-11).
# Beside these GuardDuty reads address lists, which it can under S3's own key only (storage/deliveries.py).
KEYED_BELOW = {"bucket/findings": "findings/any"}
DELIVERED_INTO = {"bucket/logs", "bucket/delivery"}
TAKES_NO_KEY = {"logging.s3.amazonaws.com", "logdelivery.elasticloadbalancing.amazonaws.com"}


def _arns(bucket: Resource) -> list[str]:
    return [f"arn:aws:s3:::{bucket['Name']}", f"arn:aws:s3:::{bucket['Name']}/any/object"]


@pytest.fixture
def policy(bucket: Resource, aws: Account) -> str | None:
    found = aws.read("s3", "get_bucket_policy", absent=("NoSuchBucketPolicy",), Bucket=bucket["Name"])
    return str(found["Policy"]) if found else None


@pytest.fixture
def log_targets(aws: Account, resources: Find) -> set[str]:
    """Buckets that receive S3 server access logs."""
    found: set[str] = set()
    for other in resources("bucket"):
        logging = aws.need("s3", "get_bucket_logging", Bucket=other["Name"]).get("LoggingEnabled")
        found |= {logging["TargetBucket"]} if logging else set()
    return found


@pytest.fixture
def takes_no_key(bucket: Resource, policy: str | None, log_targets: set[str]) -> bool:
    """Whether a service delivers into this bucket that could not with a key of ours; only buckets that are
    planned for it may say so, or any bucket would need but one line in its policy.
    """
    if bucket.expected is None or bucket.expected.get("key") or bucket.id not in DELIVERED_INTO:
        return False
    admitted = {p for s in statements(policy) if s.get("Effect") == "Allow" for p in principals(s)}
    return bucket["Name"] in log_targets or bool(admitted & TAKES_NO_KEY)


@pytest.fixture
def rules(bucket: Resource, aws: Account) -> Rules:
    absent = ("NoSuchLifecycleConfiguration",)
    found = aws.read("s3", "get_bucket_lifecycle_configuration", absent=absent, Bucket=bucket["Name"])
    return [rule for rule in found["Rules"] if rule["Status"] == "Enabled"] if found else []


@pytest.mark.control("STK-BKT-001")
def test_new_objects_are_encrypted_with_our_own_key(
    bucket: Resource, aws: Account, takes_no_key: bool, region: Region
) -> None:
    absent = ("ServerSideEncryptionConfigurationNotFoundError",)
    found = aws.read("s3", "get_bucket_encryption", absent=absent, Bucket=bucket["Name"])
    assert found, "no default encryption is configured"
    default = found["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    if takes_no_key:
        # Nothing but S3's own key: under any other the service would stop delivering without a word.
        assert default["SSEAlgorithm"] == "AES256", f"algorithm {default['SSEAlgorithm']}"
        return
    assert default["SSEAlgorithm"] in ("aws:kms", "aws:kms:dsse"), f"algorithm {default['SSEAlgorithm']}"
    key = default.get("KMSMasterKeyID", "")
    ours = {arn.split("/")[-1] for arn in region["keys"].values()}
    assert key.split("/")[-1] in ours, f"key {key or 'of AWS'}, not one of the region's own"


@pytest.mark.control("STK-BKT-002")
def test_a_replaced_or_deleted_object_can_be_had_back(bucket: Resource, aws: Account) -> None:
    status = aws.need("s3", "get_bucket_versioning", Bucket=bucket["Name"]).get("Status", "never enabled")
    assert status == "Enabled", f"versioning is {status}"


@pytest.mark.control("STK-BKT-003")
def test_the_bucket_refuses_clear_text(bucket: Resource, policy: str | None) -> None:
    condition = "bool aws:securetransport"
    assert denies_everybody(policy, "s3:GetObject", _arns(bucket), condition, {"false"}), (
        "clear text is not refused"
    )
    assert denies_everybody(policy, "s3:PutObject", _arns(bucket), condition, {"false"}), (
        "clear text is not refused"
    )


@pytest.mark.control("STK-BKT-004")
def test_the_bucket_refuses_tls_older_than_1_2(bucket: Resource, policy: str | None) -> None:
    for action in ("s3:GetObject", "s3:PutObject"):
        refused = denies_everybody(
            policy, action, _arns(bucket), "numericlessthan s3:tlsversion", {"1.2", "1.3"}
        )
        assert refused, f"{action} works over TLS 1.0 and 1.1"


@pytest.mark.control("STK-BKT-005")
def test_the_bucket_cannot_become_public(bucket: Resource, aws: Account) -> None:
    absent = ("NoSuchPublicAccessBlockConfiguration",)
    found = aws.read("s3", "get_public_access_block", absent=absent, Bucket=bucket["Name"])
    assert found, "no public access block"
    off = [name for name, on in found["PublicAccessBlockConfiguration"].items() if on is not True]
    assert len(found["PublicAccessBlockConfiguration"]) == 4 and not off, f"off: {', '.join(off)}"


@pytest.mark.control("STK-BKT-006")
def test_object_acls_are_switched_off(bucket: Resource, aws: Account) -> None:
    absent = ("OwnershipControlsNotFoundError",)
    found = aws.read("s3", "get_bucket_ownership_controls", absent=absent, Bucket=bucket["Name"])
    rules = found["OwnershipControls"]["Rules"] if found else []
    owner = [rule["ObjectOwnership"] for rule in rules]
    assert owner == ["BucketOwnerEnforced"], (
        f"ownership is {owner or 'not set'}: an uploader can grant access"
    )


@pytest.mark.control("STK-BKT-007")
def test_every_access_is_written_down(
    bucket: Resource, aws: Account, log_targets: set[str], resources: Find
) -> None:
    if bucket["Name"] in log_targets:
        pytest.skip("not applicable: it receives access logs; logging it into itself would never end")
    logging = aws.need("s3", "get_bucket_logging", Bucket=bucket["Name"]).get("LoggingEnabled")
    assert logging, "access logging is off"
    ours = {other["Name"] for other in resources("bucket")}
    assert logging["TargetBucket"] in ours, (
        f"logs go to {logging['TargetBucket']}, which is not in this account"
    )


@pytest.mark.control("STK-BKT-008")
def test_old_versions_and_broken_uploads_do_not_stay_for_ever(
    bucket: Resource, rules: Rules, region: Region
) -> None:
    whole = [rule for rule in rules if not rule.get("Prefix") and not rule.get("Filter", {}).get("Prefix")]
    assert any(rule.get("AbortIncompleteMultipartUpload") for rule in whole), (
        "unfinished uploads stay for ever"
    )
    days = [
        r["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for r in whole
        if r.get("NoncurrentVersionExpiration")
    ]
    promised = region["retention"]["noncurrent_days"]
    assert days, "replaced versions stay for ever"
    assert min(days) >= promised, f"replaced versions go after {min(days)} days, promised are {promised}"


@pytest.mark.control("STK-BKT-009")
def test_data_is_kept_in_several_zones(bucket: Resource, rules: Rules, aws: Account) -> None:
    moves = [
        m for r in rules for key in ("Transitions", "NoncurrentVersionTransitions") for m in r.get(key, [])
    ]
    wrong = {move["StorageClass"] for move in moves} & ONE_PLACE
    assert not wrong, f"a lifecycle rule moves objects to {', '.join(wrong)}"
    objects = aws.need("s3", "list_object_versions", Bucket=bucket["Name"]).get("Versions", [])
    lonely = [o["Key"] for o in objects if o.get("StorageClass") in ONE_PLACE]
    assert not lonely, f"{len(lonely)} object version(s) lie in one place only, e.g. {lonely[:1]}"


@pytest.mark.control("STK-BKT-010")
def test_the_bucket_policy_gives_nothing_to_strangers(policy: str | None, region: Region) -> None:
    own = f":{region['account']}:"
    for statement in statements(policy):
        if statement.get("Effect") != "Allow":
            continue
        for principal in principals(statement):
            service = principal.endswith(".amazonaws.com")
            # Elastic Load Balancing names no source when it delivers; its prefix holds the account's number.
            source = conditions(statement).get("stringequals aws:sourceaccount")
            bound = source == [str(region["account"])] or all(
                f"/AWSLogs/{region['account']}/" in resource for resource in statement.get("Resource", [])
            )
            ours = own in principal or principal == str(region["account"])
            assert ours or (service and bound), f"statement {statement.get('Sid')} lets in {principal}"


@pytest.mark.control("STK-BKT-011")
def test_an_object_under_another_key_is_refused(
    bucket: Resource, policy: str | None, takes_no_key: bool, region: Region
) -> None:
    if takes_no_key:
        pytest.skip("not applicable: logs are delivered into it under S3's own key, which takes no other")
    header = "s3:x-amz-server-side-encryption"
    assert _refused(bucket, policy, header, {"aws:kms"}), "an upload may choose another kind of encryption"
    keys = _named(policy, f"{header}-aws-kms-key-id")
    ours = {arn.lower() for arn in region["keys"].values()}
    assert keys and keys <= ours, f"an upload may be under {', '.join(sorted(keys - ours)) or 'any key'}"
    under_any_name = _refused(bucket, policy, f"{header}-aws-kms-key-id", keys)
    if bucket.expected is not None and bucket.expected.get("tenants"):
        return  # each prefix has its own key: STK-BKT-016
    assert under_any_name, "some names may be uploaded under another key"


def _refusals(policy: str | None, header: str) -> Rules:
    """Denials of uploads, to everybody, whose header is present and not what they name."""
    return [
        statement
        for statement in statements(policy)
        if statement.get("Effect") == "Deny"
        and "*" in principals(statement)
        and covers(statement.get("Action", []), "s3:PutObject")
        and set(conditions(statement)) == {f"stringnotequals {header}", f"null {header}"}
    ]


def _named(policy: str | None, header: str) -> set[str]:
    found = [conditions(statement)[f"stringnotequals {header}"] for statement in _refusals(policy, header)]
    return {value for values in found for value in values}


def _refused(bucket: Resource, policy: str | None, header: str, wanted: set[str]) -> bool:
    name = KEYED_BELOW.get(bucket.id, "any/object")
    return any(
        set(conditions(statement)[f"stringnotequals {header}"]) <= wanted
        and covers(statement.get("Resource", []), f"arn:aws:s3:::{bucket['Name']}/{name}")
        for statement in _refusals(policy, header)
    )
