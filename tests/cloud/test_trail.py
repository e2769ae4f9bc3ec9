"""The audit trail: complete, running, validated, encrypted, at home. Rows M13, M14, M2, M36."""

from __future__ import annotations

from typing import Any

import pytest

from verify.account import Account
from verify.subjects import Resource

Region = dict[str, Any]
Selectors = list[dict[str, Any]]


@pytest.fixture
def selectors(trail: Resource, aws: Account) -> dict[str, Selectors]:
    found = aws.need("cloudtrail", "get_event_selectors", TrailName=trail["TrailARN"])
    return {"basic": found.get("EventSelectors") or [], "advanced": found.get("AdvancedEventSelectors") or []}


def _fields(selector: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    return {
        f["Field"]: {k: v for k, v in f.items() if k != "Field" and v} for f in selector["FieldSelectors"]
    }


def _every_management_event(selectors: dict[str, Selectors]) -> bool:
    """Whether one selector takes all management events: not by reading or writing, nothing excluded."""
    for basic in selectors["basic"]:
        excluded = basic.get("ExcludeManagementEventSources")
        if basic.get("IncludeManagementEvents") and basic.get("ReadWriteType") == "All" and not excluded:
            return True
    wanted = {"eventCategory": {"Equals": ["Management"]}}
    return any(_fields(selector) == wanted for selector in selectors["advanced"])


def _covers(selectors: dict[str, Selectors], bucket: str) -> bool:
    """Whether every reading and every writing of an object of the bucket is recorded."""
    arn = f"arn:aws:s3:::{bucket}/"
    for basic in selectors["basic"]:
        for data in basic.get("DataResources", []):
            everything = [value for value in data["Values"] if arn.startswith(value) or value == "arn:aws:s3"]
            if data["Type"] == "AWS::S3::Object" and basic.get("ReadWriteType") == "All" and everything:
                return True
    for selector in selectors["advanced"]:
        fields = _fields(selector)
        if fields.get("resources.type") != {"Equals": ["AWS::S3::Object"]} or set(fields) - {
            *("eventCategory", "resources.type", "resources.ARN"),
        }:
            continue
        named = fields.get("resources.ARN", {"StartsWith": [""]})
        if any(arn.startswith(prefix) for prefix in named.get("StartsWith", [])):
            return True
    return False


@pytest.mark.control("STK-LOG-003")
def test_every_management_event_is_recorded(selectors: dict[str, Selectors]) -> None:
    assert _every_management_event(selectors), "some management events are left out"


@pytest.mark.control("STK-LOG-004")
def test_the_trail_covers_all_regions_and_the_global_services(trail: Resource) -> None:
    assert trail.get("IsMultiRegionTrail") is True, "other regions are not recorded"
    assert trail.get("IncludeGlobalServiceEvents") is True, "IAM and STS are not recorded"


@pytest.mark.control("STK-LOG-005")
def test_the_trail_is_running_and_delivers(trail: Resource, aws: Account) -> None:
    status = aws.need("cloudtrail", "get_trail_status", Name=trail["TrailARN"])
    assert status["IsLogging"] is True, (
        f"it was stopped at {status.get('StopLoggingTime', 'an unknown time')}"
    )
    for what in ("LatestDeliveryError", "LatestCloudWatchLogsDeliveryError", "LatestDigestDeliveryError"):
        assert not status.get(what), f"{what}: {status.get(what)}"


@pytest.mark.control("STK-LOG-006")
def test_log_files_can_be_validated(trail: Resource) -> None:
    assert trail.get("LogFileValidationEnabled") is True, "a changed log file would not show"


@pytest.mark.control("STK-LOG-007")
def test_the_trail_is_encrypted_with_our_own_key(trail: Resource, region: Region) -> None:
    key = trail.get("KmsKeyId") or ""
    assert key == region["keys"].get("trail"), f"its key is {key or 'of S3'}"


@pytest.mark.control("STK-LOG-008")
def test_the_trail_reaches_the_log_group_that_alarms_hang_on(trail: Resource, region: Region) -> None:
    group = (trail.get("CloudWatchLogsLogGroupArn") or "").removesuffix(":*")
    wanted = region["trail"]["log_group"]
    assert group.endswith(f":log-group:{wanted}"), f"it writes to {group or 'no log group'}"
    assert trail.get("CloudWatchLogsRoleArn"), "it has no role to write with"


@pytest.mark.control("STK-LOG-009")
def test_each_access_to_critical_objects_is_recorded(selectors: dict[str, Selectors], region: Region) -> None:
    critical = {name for name, found in region["data_classes"].items() if found["critical"]}
    wanted = {
        bucket["name"]
        for name, bucket in region["buckets"].items()
        if bucket.get("class") in critical or name == "evidence"
    }
    assert wanted, "the region contract names no bucket that matters"
    missed = sorted(name for name in wanted if not _covers(selectors, name))
    assert not missed, f"not recorded: {', '.join(missed)}"


@pytest.mark.control("STK-LOG-010")
def test_unusual_rates_of_calls_and_errors_show(trail: Resource, aws: Account) -> None:
    absent = ("InsightNotEnabledException",)
    found = aws.read("cloudtrail", "get_insight_selectors", absent=absent, TrailName=trail["TrailARN"]) or {}
    kinds = {selector["InsightType"] for selector in found.get("InsightSelectors", [])}
    missing = {"ApiCallRateInsight", "ApiErrorRateInsight"} - kinds
    assert not missing, f"no insight: {', '.join(sorted(missing))}"


@pytest.mark.control("STK-LOG-011")
def test_the_trail_writes_into_our_own_bucket_and_lives_in_our_region(
    trail: Resource, region: Region
) -> None:
    assert trail["HomeRegion"] == region["region"], f"its home is {trail['HomeRegion']}"
    assert trail["S3BucketName"] == region["buckets"]["trail"]["name"], (
        f"it writes to {trail['S3BucketName']}"
    )
