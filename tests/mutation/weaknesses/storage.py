"""Weaknesses of the storage."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, account, node_of, pairs

ACME = "customer/acme-bank/records"


def _statements(live: Any, bucket: str) -> Any:
    """The name of a bucket and the statements of its policy."""
    name = live.contract["buckets"][bucket]["name"]
    return name, json.loads(live.client("s3").get_bucket_policy(Bucket=name)["Policy"])["Statement"]


@contextmanager
def _policy(live: Any, bucket: str, change: Callable[[list[dict[str, Any]]], Any]) -> Iterator[None]:
    """A bucket's policy changed, and as it was again afterwards."""
    s3, (name, found) = live.client("s3"), _statements(live, bucket)
    before = json.dumps({"Version": "2012-10-17", "Statement": found})
    changed = json.loads(before)
    changed["Statement"] = change(changed["Statement"]) or changed["Statement"]
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(changed))
    yield
    s3.put_bucket_policy(Bucket=name, Policy=before)


def _without(sid: str) -> Callable[[list[dict[str, Any]]], Any]:
    return lambda found: [statement for statement in found if statement["Sid"] != sid]


def _sid(found: list[dict[str, Any]], sid: str) -> dict[str, Any]:
    return next(statement for statement in found if statement["Sid"] == sid)


def bucket_policy_removed(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["evidence"]["name"], live.client("s3")
    policy = s3.get_bucket_policy(Bucket=name)["Policy"]
    s3.delete_bucket_policy(Bucket=name)
    yield pairs("bucket/evidence", "BKT-003", "BKT-004", "BKT-011", "BKT-013", "BKT-022")
    s3.put_bucket_policy(Bucket=name, Policy=policy)


def a_customers_bucket_under_the_shared_key(live: Any) -> Iterator[Pairs]:
    s3, buckets = live.client("s3"), live.contract["buckets"]
    name = buckets[ACME]["name"]

    def use(key: str) -> None:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=rules)

    use(buckets["data/records"]["key"])
    yield pairs(f"bucket/{ACME}", "BKT-012")
    use(buckets[ACME]["key"])


def evidence_of_the_trail_can_be_deleted(live: Any) -> Iterator[Pairs]:
    with _policy(live, "trail", _without("NoDeletion")):
        yield pairs("bucket/trail", "BKT-013")


def a_lifecycle_that_anybody_sets(live: Any) -> Iterator[Pairs]:
    with _policy(live, "logs", _without("NoWeakening")):
        yield pairs("bucket/logs", "BKT-022")


def data_from_anywhere(live: Any) -> Iterator[Pairs]:
    with _policy(live, ACME, _without("OnlyOurEndpoints")):
        yield pairs(f"bucket/{ACME}", "BKT-014")


def another_role_reads_data(live: Any) -> Iterator[Pairs]:
    edge = live.contract["roles"]["edge"]["role_arn"]

    def widen(found: list[dict[str, Any]]) -> None:
        _sid(found, "OnlyReaders")["Condition"]["ArnNotEquals"]["aws:PrincipalArn"].append(edge)

    with _policy(live, ACME, widen):
        yield pairs(f"bucket/{ACME}", "BKT-015")


def a_prefix_takes_any_key(live: Any) -> Iterator[Pairs]:
    with _policy(live, "data/records", _without("KeyOfsuryaZinsurance")):
        yield pairs("bucket/data/records", "BKT-016")


def data_ends_early(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["data/records"]["name"], live.client("s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    ending = {"ID": "end", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 400}}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [*rules, ending]})
    yield pairs("bucket/data/records", "BKT-017")
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})


def archive_locked_softly(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["archive"]["name"], live.client("s3")
    lock = s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
    soft = {"DefaultRetention": {**lock["Rule"]["DefaultRetention"], "Mode": "GOVERNANCE"}}
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration={**lock, "Rule": soft})
    yield pairs("bucket/archive", "BKT-018")
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)


def deliveries_locked_out(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["delivery"]["name"], live.client("s3")
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
    yield pairs("bucket/delivery", "BKT-019")
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})


def trail_not_archived(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["trail"]["name"], live.client("s3")
    config = s3.get_bucket_replication(Bucket=name)["ReplicationConfiguration"]
    s3.delete_bucket_replication(Bucket=name)
    yield pairs("bucket/trail", "BKT-020")
    s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=config)


def the_customers_copy_stays_ours(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"][ACME]["name"], live.client("s3")
    config = s3.get_bucket_replication(Bucket=name)["ReplicationConfiguration"]
    ours = json.loads(json.dumps(config))
    del ours["Rules"][0]["Destination"]["AccessControlTranslation"]
    s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=ours)
    yield pairs(f"bucket/{ACME}", "BKT-021")
    s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=config)


def objects_in_one_zone(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["evidence"]["name"], live.client("s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    moving = [{"Days": 30, "StorageClass": "ONEZONE_IA"}]
    cheap = {"ID": "cheap", "Status": "Enabled", "Filter": {"Prefix": ""}, "Transitions": moving}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [*rules, cheap]})
    yield pairs("bucket/evidence", "BKT-009")
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})


def another_account_reads_findings(live: Any) -> Iterator[Pairs]:
    stranger = {
        "Sid": "Helpful",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::999999999999:root"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{live.contract['buckets']['findings']['name']}/*",
    }
    with _policy(live, "findings", lambda found: [*found, stranger]):
        yield pairs("bucket/findings", "BKT-010")


def a_service_delivers_for_anybody(live: Any) -> Iterator[Pairs]:
    def unbind(found: list[dict[str, Any]]) -> None:
        delivery = _sid(found, "AccessLogDelivery")
        delivery["Condition"]["StringEquals"]["aws:SourceAccount"] = "999999999999"

    with _policy(live, "logs", unbind):
        yield pairs("bucket/logs", "BKT-010")


def uploads_choose_their_key(live: Any) -> Iterator[Pairs]:
    def blind(found: list[dict[str, Any]]) -> None:
        _sid(found, "NoOtherKey")["Action"] = "s3:PutObjectTagging"

    with _policy(live, "archive", blind):
        yield pairs("bucket/archive", "BKT-011")


def records_of_operations_under_an_aws_key(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["evidence"]["name"], live.client("s3")
    before = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
    default = {"SSEAlgorithm": "AES256"}
    plain = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=plain)
    yield pairs("bucket/evidence", "BKT-001", "BKT-012")
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=before)


def logs_under_a_key_that_deliveries_cannot_use(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["logs"]["name"], live.client("s3")
    before = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": live.contract["keys"]["archive"]}
    ours = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=ours)
    yield pairs("bucket/logs", "BKT-001")
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=before)


def copies_leave_the_allowed_regions(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"][ACME]["name"], live.client("s3")
    config = s3.get_bucket_replication(Bucket=name)["ReplicationConfiguration"]
    abroad = json.loads(json.dumps(config))
    target = abroad["Rules"][0]["Destination"]["EncryptionConfiguration"]
    target["ReplicaKmsKeyID"] = target["ReplicaKmsKeyID"].replace("ap-south-2", "us-west-2")
    s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=abroad)
    yield pairs(f"bucket/{ACME}", "REG-005", "BKT-021")
    s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=config)


def key_waiting_for_its_end(live: Any) -> Iterator[Pairs]:
    kms, key = live.client("kms"), live.contract["keys"]["backup"]
    kms.disable_key(KeyId=key.split("/")[-1])
    yield pairs("key/backup", "KMS-002")
    kms.enable_key(KeyId=key.split("/")[-1])


def key_for_another_account(live: Any) -> Iterator[Pairs]:
    kms, key = live.client("kms"), live.contract["keys"]["findings"]
    before = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    wide = json.loads(before)
    stranger = {"AWS": "arn:aws:iam::999999999999:root"}
    wide["Statement"].append(
        {"Effect": "Allow", "Principal": stranger, "Action": "kms:DescribeKey", "Resource": "*"}
    )
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(wide))
    yield pairs("key/findings", "KMS-006")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=before)


def key_through_any_service(live: Any) -> Iterator[Pairs]:
    kms, key = live.client("kms"), live.contract["keys"]["archive"]
    before = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    assert "s3." in before
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=before.replace('"s3.', '"lambda.'))
    yield pairs("key/archive", "KMS-005")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=before)


def key_that_leaves_the_region(live: Any) -> Iterator[Pairs]:
    kms = live.client("kms")
    made = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    yield pairs(f"key/{made}", "REG-006", "KMS-001", "KMS-004", "KMS-005")
    kms.schedule_key_deletion(KeyId=made, PendingWindowInDays=7)


def versioning_suspended(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["logs"]["name"], live.client("s3")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    yield pairs("bucket/logs", "BKT-002")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def bucket_may_become_public(live: Any) -> Iterator[Pairs]:
    name, s3 = live.contract["buckets"]["data/records"]["name"], live.client("s3")
    block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    s3.put_public_access_block(
        Bucket=name, PublicAccessBlockConfiguration={**block, "BlockPublicPolicy": False}
    )
    yield pairs("bucket/data/records", "BKT-005")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)


def bucket_by_hand_in_another_region(live: Any) -> Iterator[Pairs]:
    s3 = live.client("s3", "us-west-2")
    s3.create_bucket(Bucket="somebodys-copy", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    first = ("BKT-001", "BKT-002", "BKT-003", "BKT-004", "BKT-005", "BKT-006", "BKT-007", "BKT-008")
    yield pairs("bucket/somebodys-copy", *first, "BKT-011", "BKT-013", "BKT-022", "REG-004")
    s3.delete_bucket(Bucket="somebodys-copy")


def account_may_publish_buckets(live: Any) -> Iterator[Pairs]:
    control, number = live.client("s3control"), live.contract["account"]
    before = control.get_public_access_block(AccountId=number)["PublicAccessBlockConfiguration"]
    weaker = {**before, "RestrictPublicBuckets": False}
    control.put_public_access_block(AccountId=number, PublicAccessBlockConfiguration=weaker)
    yield account(live, "ACC-007")
    control.put_public_access_block(AccountId=number, PublicAccessBlockConfiguration=before)


def key_not_rotated(live: Any) -> Iterator[Pairs]:
    kms, key = live.client("kms"), live.contract["keys"]["data/records"]
    kms.disable_key_rotation(KeyId=key)
    yield pairs("key/data/records", "KMS-001")
    kms.enable_key_rotation(KeyId=key)


def key_for_everybody(live: Any) -> Iterator[Pairs]:
    kms, key = live.client("kms"), live.contract["keys"]["logs"]
    before = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    wide = json.loads(before)
    wide["Statement"].append(
        {"Sid": "Easy", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    )
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(wide))
    yield pairs("key/logs", "KMS-003", "KMS-004", "KMS-005")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=before)


def a_customers_key_for_another_role(live: Any) -> Iterator[Pairs]:
    kms, key = live.client("kms"), live.contract["keys"]["customer/acme-bank"]
    before = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    wide = json.loads(before)
    readers = _sid(wide["Statement"], "ReadersDecrypt")["Condition"]["ArnEquals"]["aws:PrincipalArn"]
    readers.append(live.contract["roles"]["edge"]["role_arn"])
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(wide))
    yield pairs("key/customer/acme-bank", "KMS-007")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=before)


def vault_unlocked(live: Any) -> Iterator[Pairs]:
    backup, stated = live.client("backup"), live.contract["backup"]
    backup.delete_backup_vault_lock_configuration(BackupVaultName=stated["vault"])
    yield pairs("backup_vault/daily", "BAK-001")
    backup.put_backup_vault_lock_configuration(
        BackupVaultName=stated["vault"],
        MinRetentionDays=stated["keep_days"],
        MaxRetentionDays=3653,
        ChangeableForDays=7,
    )


def vault_by_hand(live: Any) -> Iterator[Pairs]:
    backup = live.client("backup")
    backup.create_backup_vault(BackupVaultName="somebodys")
    yield pairs("backup_vault/somebodys", "BAK-001", "BAK-002", "BAK-003")
    backup.delete_backup_vault(BackupVaultName="somebodys")


def recovery_points_can_be_deleted(live: Any) -> Iterator[Pairs]:
    backup, vault = live.client("backup"), live.contract["backup"]["vault"]
    policy = backup.get_backup_vault_access_policy(BackupVaultName=vault)["Policy"]
    backup.delete_backup_vault_access_policy(BackupVaultName=vault)
    yield pairs("backup_vault/daily", "BAK-003")
    backup.put_backup_vault_access_policy(BackupVaultName=vault, Policy=policy)


def recovery_points_end_early(live: Any) -> Iterator[Pairs]:
    backup, plan = live.client("backup"), live.contract["backup"]["plan"]
    before = backup.get_backup_plan(BackupPlanId=plan)["BackupPlan"]
    for rule in before["Rules"]:
        del rule["RuleId"]
    shorter = {**before, "Rules": [{**rule, "Lifecycle": {"DeleteAfterDays": 1}} for rule in before["Rules"]]}
    backup.update_backup_plan(BackupPlanId=plan, BackupPlan=shorter)
    yield pairs("backup_plan/daily", "BAK-004")
    backup.update_backup_plan(BackupPlanId=plan, BackupPlan=before)


def a_volume_left_out(live: Any) -> Iterator[Pairs]:
    ec2, node = live.client("ec2"), node_of(live, "app")
    wanted = [{"Name": "attachment.instance-id", "Values": [node["instance_id"]]}]
    (volume,) = ec2.describe_volumes(Filters=wanted)["Volumes"]
    tag = {"Key": "stockade:backup", "Value": "daily"}
    ec2.delete_tags(Resources=[volume["VolumeId"]], Tags=[tag])
    yield pairs(f"volume/{node['name']}{volume['Attachments'][0]['Device']}", "BAK-005")
    ec2.create_tags(Resources=[volume["VolumeId"]], Tags=[tag])


WEAKNESSES: tuple[Weakness, ...] = (
    bucket_policy_removed,
    objects_in_one_zone,
    another_account_reads_findings,
    a_service_delivers_for_anybody,
    uploads_choose_their_key,
    records_of_operations_under_an_aws_key,
    logs_under_a_key_that_deliveries_cannot_use,
    copies_leave_the_allowed_regions,
    key_waiting_for_its_end,
    key_for_another_account,
    key_through_any_service,
    key_that_leaves_the_region,
    versioning_suspended,
    bucket_may_become_public,
    bucket_by_hand_in_another_region,
    account_may_publish_buckets,
    key_not_rotated,
    key_for_everybody,
    a_customers_bucket_under_the_shared_key,
    evidence_of_the_trail_can_be_deleted,
    a_lifecycle_that_anybody_sets,
    data_from_anywhere,
    another_role_reads_data,
    a_prefix_takes_any_key,
    data_ends_early,
    archive_locked_softly,
    deliveries_locked_out,
    trail_not_archived,
    the_customers_copy_stays_ours,
    a_customers_key_for_another_role,
    vault_unlocked,
    vault_by_hand,
    recovery_points_can_be_deleted,
    recovery_points_end_early,
    a_volume_left_out,
)
