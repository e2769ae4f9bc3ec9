"""A bundle reaches the evidence bucket unaltered, never replaces another, and its copy is under the lock."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from evidence import archive, manifest, signature
from evidence.__main__ import run
from evidence.upload import Stored, upload
from fault import UNREACHABLE, Fault
from storage.copy_policies import Target, archive_bucket, copier
from tests.unit.emulated_account import ACCOUNT, REGION, aws
from tests.unit.test_account_s3_replication import encrypt, grant, key_for, made, open_key, rule
from twin.program.aws import Clients

__all__ = ["aws"]
FILES = {"results.json": b"{}\n"}
BUCKET = "unit-evidence"
CONTRACT = {
    "stack": "unit",
    "region": REGION,
    "buckets": {"evidence": {"name": BUCKET}, "archive": {"name": f"{BUCKET}-archive"}},
}


@pytest.fixture(scope="module")
def s3(aws: Clients) -> Any:
    """S3 with an evidence bucket that is copied into a locked archive."""
    found, locked = aws.client("s3"), CONTRACT["buckets"]["archive"]["name"]  # type: ignore[index]
    key = key_for(aws.client("kms"), open_key(ACCOUNT))
    made(found, BUCKET, REGION)
    encrypt(found, BUCKET, key)
    made(found, locked, REGION, lock=True)
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 400}}}
    found.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=lock)
    target = Target(f"arn:aws:s3:::{locked}", key, ACCOUNT)
    role = grant(aws, copier([f"arn:aws:s3:::{BUCKET}"], [key], target, ACCOUNT, REGION))
    found.put_bucket_policy(Bucket=locked, Policy=json.dumps(archive_bucket(locked, key, role)))
    copies = {"Role": role, "Rules": [rule(target, theirs=False)]}
    found.put_bucket_replication(Bucket=BUCKET, ReplicationConfiguration=copies)
    return found


def bundle(folder: Path, body: bytes) -> Path:
    """A signed bundle, with the signers that believe it beside it."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")]
    subprocess.run(argv, check=True)
    (folder / "signers").write_text("auditor@example " + (folder / "key.pub").read_text())
    files = {**FILES, "run.json": body}
    listed = manifest.render(files)
    path = folder / "run.tar"
    archive.write(path, archive.build(listed, signature.sign(listed, folder / "key"), files))
    return path


def test_a_bundle_is_stored_copied_locked_and_never_replaced(s3: Any, tmp_path: Path) -> None:
    path = bundle(tmp_path, b"1")
    stored: Stored = upload(path, CONTRACT, s3)
    assert stored.retained_until
    kept = s3.get_object(Bucket=stored.archive, Key=stored.key)
    assert kept["Body"].read() == path.read_bytes()
    assert kept["ObjectLockMode"] == "COMPLIANCE"
    with pytest.raises(Fault, match="evidence is never replaced"):
        upload(path, CONTRACT, s3)


def test_nothing_is_left_where_it_would_not_be_kept(s3: Any, aws: Clients, tmp_path: Path) -> None:
    path = bundle(tmp_path, b"2")
    place = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket="flat-evidence", CreateBucketConfiguration=place)
    contract = {**CONTRACT, "buckets": {"evidence": {"name": "flat-evidence"}}}
    with pytest.raises(Fault, match="keeps no versions"):
        upload(path, contract, s3)
    with pytest.raises(Fault, match="the region has no bucket evidence"):
        upload(path, {**CONTRACT, "buckets": {}}, s3)


def test_the_command_uploads_what_it_has_checked_only(
    s3: Any, aws: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bundle(tmp_path, b"3")
    (tmp_path / "region.json").write_text(json.dumps(CONTRACT))
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("NO_PROXY", "*")
    options = ["--region", str(tmp_path / "region.json"), "--signers", str(tmp_path / "signers")]
    assert run(["upload", str(path), *options]) == 0
    assert "locked until" in capsys.readouterr().out
    touched = bytearray(path.read_bytes())
    touched[600] ^= 1
    path.write_bytes(bytes(touched))
    assert run(["upload", str(path), *options]) == 1
    assert "s3://" not in capsys.readouterr().out


def test_an_account_that_does_not_answer_is_out_of_reach(tmp_path: Path, aws: Clients) -> None:
    import boto3  # noqa: PLC0415 - one client that reaches nobody
    from botocore.config import Config  # noqa: PLC0415

    quick = Config(connect_timeout=1, retries={"max_attempts": 1}, proxies={})
    nobody = boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url="http://127.0.0.1:9",
        config=quick,
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    with pytest.raises(Fault) as caught:
        upload(bundle(tmp_path, b"4"), CONTRACT, nobody)
    assert caught.value.code == UNREACHABLE
