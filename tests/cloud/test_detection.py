"""Detection services: on, complete, fed with today's facts, kept at home. Rows E1, E2, M2, M12, M13, M36."""

from __future__ import annotations

from typing import Any

import pytest

from detection.availability import WITHOUT_MACIE
from detection.indicators import Listing, hostile, listing
from settings import calendar
from settings.watch import Indicator
from verify.account import Account
from verify.subjects import Resource

Region = dict[str, Any]

# Amazon GuardDuty API Reference, DetectorFeatureConfigurationResult: the plans and the parts of one.
PLANS = {
    *("CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS", "S3_DATA_EVENTS", "EKS_AUDIT_LOGS", "EBS_MALWARE_PROTECTION"),
    *("RDS_LOGIN_EVENTS", "LAMBDA_NETWORK_LOGS", "RUNTIME_MONITORING"),
}
AGENTS = {"EKS_ADDON_MANAGEMENT", "ECS_FARGATE_AGENT_MANAGEMENT", "EC2_AGENT_MANAGEMENT"}
STANDARDS = ("aws-foundational-security-best-practices/", "cis-aws-foundations-benchmark/v/5.0.0")
KEPT_DAYS = 180  # CERT-In, Directions of 28 April 2022, (iv)
OFF = ("InvalidAccessException", "AccessDeniedException", "ResourceNotFoundException")


# ---------------------------------------------------------------------- GuardDuty
@pytest.mark.control("STK-DET-001")
def test_the_detector_is_on(detector: Resource) -> None:
    assert detector["Status"] == "ENABLED", f"it is {detector['Status']}"


@pytest.mark.control("STK-DET-002")
def test_every_protection_plan_is_on(detector: Resource) -> None:
    states = {f["Name"]: f["Status"] for f in detector.get("Features", [])}
    off = sorted(
        plan for plan in PLANS - {"CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS"} if states.get(plan) != "ENABLED"
    )
    parts = {
        part["Name"]: part["Status"]
        for feature in detector.get("Features", [])
        for part in feature.get("AdditionalConfiguration", [])
    }
    off += sorted(part for part in AGENTS if parts.get(part) != "ENABLED")
    assert not off, f"off: {', '.join(off)}"


@pytest.mark.control("STK-DET-003")
def test_findings_are_repeated_every_fifteen_minutes(detector: Resource) -> None:
    assert detector["FindingPublishingFrequency"] == "FIFTEEN_MINUTES", detector["FindingPublishingFrequency"]


@pytest.mark.control("STK-DET-004")
def test_findings_are_kept_in_our_bucket_under_our_key(
    detector: Resource, aws: Account, region: Region
) -> None:
    identity = detector["id"]
    found = aws.need("guardduty", "list_publishing_destinations", DetectorId=identity)["Destinations"]
    publishing = [d for d in found if d["Status"] == "PUBLISHING"]
    assert publishing, f"nothing is published: {[d['Status'] for d in found] or 'no destination'}"
    for one in publishing:
        known = aws.need(
            "guardduty",
            "describe_publishing_destination",
            DetectorId=identity,
            DestinationId=one["DestinationId"],
        )["DestinationProperties"]
        bucket = known["DestinationArn"].removeprefix("arn:aws:s3:::").split("/")[0]
        assert bucket == region["buckets"]["findings"]["name"], f"they go to {bucket}"
        assert known["KmsKeyArn"] == region["keys"]["findings"], f"under the key {known['KmsKeyArn']}"


def _judge(aws: Account, detector: Resource, kind: tuple[str, str], wanted: Listing | None) -> None:
    """The active list of a kind holds exactly what is wanted; the name of its object tells what was read."""
    operation, member = kind
    known = aws.need("guardduty", f"list_{operation}s", DetectorId=detector["id"])[f"{member}s"]
    lists = [
        aws.need("guardduty", f"get_{operation}", **{"DetectorId": detector["id"], member: identity})
        for identity in known
    ]
    active = [found["Location"] for found in lists if found["Status"] == "ACTIVE"]
    states = ", ".join(f"{found['Name']} is {found['Status']}" for found in lists) or "there is no list"
    if wanted is None:
        assert not active, f"nothing is stated, and {states}"
        return
    assert len(active) == 1, f"one active list was expected: {states}"
    assert active[0].endswith(f"/{wanted.key}"), (
        f"it was read from {active[0].rsplit('/', 1)[-1]}, today's list is {wanted.key}; run `pulumi up`"
    )


@pytest.mark.control("STK-DET-005")
def test_the_threat_list_holds_todays_indicators(detector: Resource, aws: Account, region: Region) -> None:
    stated = region["detection"]["indicators"]
    indicators = {name: Indicator.model_validate(one) for name, one in stated.items()}
    today = hostile(indicators, calendar.today(), 4)
    _judge(aws, detector, ("threat_intel_set", "ThreatIntelSetId"), listing("threat", today))


@pytest.mark.control("STK-DET-006")
def test_nobody_is_trusted_but_the_stated_places(detector: Resource, aws: Account, region: Region) -> None:
    stated = region["detection"]["trusted_ranges"].values()
    ranges = {network for found in stated for network in found if ":" not in network}
    _judge(aws, detector, ("ip_set", "IpSetId"), listing("trusted", ranges))


# ---------------------------------------------------------------------- Security Hub
@pytest.mark.control("STK-DET-007")
def test_security_hub_is_on_and_takes_new_checks_by_itself(aws: Account) -> None:
    hub = aws.read("securityhub", "describe_hub", absent=OFF)
    assert hub, "Security Hub is off"
    assert hub["AutoEnableControls"] is True, "new checks stay off"
    assert hub["ControlFindingGenerator"] == "SECURITY_CONTROL", "one fault makes a finding for each standard"


@pytest.mark.control("STK-DET-008")
def test_the_standards_are_on_and_judging(aws: Account) -> None:
    found = aws.read("securityhub", "get_enabled_standards", absent=OFF) or {"StandardsSubscriptions": []}
    states = {one["StandardsArn"]: one["StandardsStatus"] for one in found["StandardsSubscriptions"]}
    for standard in STANDARDS:
        mine = {arn: state for arn, state in states.items() if standard in arn}
        assert mine, f"{standard.rstrip('/')} is off"
        assert set(mine.values()) <= {"READY", "PENDING"}, f"{mine}"


# ---------------------------------------------------------------------- Config
@pytest.mark.control("STK-DET-009")
def test_config_records_every_type_all_the_time(aws: Account) -> None:
    recorders = aws.need("config", "describe_configuration_recorders")["ConfigurationRecorders"]
    assert recorders, "there is no recorder"
    for recorder in recorders:
        group = recorder["recordingGroup"]
        assert group.get("allSupported") is True, "some types are left out"
        assert group.get("includeGlobalResourceTypes") is True, "users, roles and policies are left out"
    states = aws.need("config", "describe_configuration_recorder_status")["ConfigurationRecordersStatus"]
    stopped = [state["name"] for state in states if state["recording"] is not True]
    assert not stopped, f"stopped: {', '.join(stopped)}"


@pytest.mark.control("STK-DET-010")
def test_configs_history_goes_to_our_bucket_and_is_kept(aws: Account, region: Region) -> None:
    channels = aws.need("config", "describe_delivery_channels")["DeliveryChannels"]
    targets = {channel["s3BucketName"] for channel in channels}
    assert targets == {region["buckets"]["delivery"]["name"]}, f"it goes to {sorted(targets) or 'nowhere'}"
    kept = aws.need("config", "describe_retention_configurations")["RetentionConfigurations"]
    days = [one["RetentionPeriodInDays"] for one in kept]  # without one, AWS keeps seven years
    assert not days or min(days) >= KEPT_DAYS, f"it is kept for {min(days)} days"


@pytest.mark.control("STK-DET-011")
def test_every_promised_rule_watches(aws: Account, region: Region) -> None:
    found = {r["ConfigRuleName"]: r for r in aws.need("config", "describe_config_rules")["ConfigRules"]}
    wanted = set(region["detection"]["rules"].values())
    assert wanted, "no rule is promised"
    missing = sorted(wanted - set(found))
    assert not missing, f"not there: {', '.join(missing)}"
    idle = sorted(name for name in wanted if found[name]["ConfigRuleState"] not in ("ACTIVE", "EVALUATING"))
    assert not idle, f"not active: {', '.join(idle)}"


# ---------------------------------------------------------------------- Inspector, Macie, analyzers
@pytest.mark.control("STK-DET-012")
def test_inspector_scans_everything_it_can(aws: Account, region: Region) -> None:
    (account,) = aws.need("inspector2", "batch_get_account_status", accountIds=[region["account"]])[
        "accounts"
    ]
    state = account["resourceState"]
    wanted = ("ec2", "ecr", "lambda", "lambdaCode")
    off = [name for name in wanted if state.get(name, {}).get("status") != "ENABLED"]
    assert not off, f"not scanned: {', '.join(off)}"


@pytest.mark.control("STK-DET-013")
def test_macie_looks_at_the_buckets_and_into_the_delivered_logs(aws: Account, region: Region) -> None:
    if region["region"] in WITHOUT_MACIE:
        pytest.skip(f"not applicable: AWS offers no Macie in {region['region']}")
    session = aws.read("macie2", "get_macie_session", absent=OFF)
    assert session and session["status"] == "ENABLED", f"Macie is {session['status'] if session else 'off'}"
    jobs = aws.need("macie2", "list_classification_jobs")["items"]
    alive = [
        job["jobId"]
        for job in jobs
        if job["jobStatus"] in ("RUNNING", "IDLE") and job["jobType"] == "SCHEDULED"
    ]
    looked = set()
    for job in alive:
        definition = aws.need("macie2", "describe_classification_job", jobId=job)["s3JobDefinition"]
        looked |= {bucket for one in definition.get("bucketDefinitions", []) for bucket in one["buckets"]}
    assert region["buckets"]["delivery"]["name"] in looked, "no job looks into the delivered logs"


def _analyzers(aws: Account, kind: str) -> list[str]:
    found = aws.need("accessanalyzer", "list_analyzers")["analyzers"]
    return [one["name"] for one in found if one["type"].endswith(kind) and one["status"] == "ACTIVE"]


@pytest.mark.control("STK-DET-014")
def test_access_from_outside_is_analysed(aws: Account) -> None:
    assert _analyzers(aws, "ACCOUNT") or _analyzers(aws, "ORGANIZATION"), (
        "no active analyzer of external access"
    )


@pytest.mark.control("STK-DET-015")
def test_unused_access_is_analysed(aws: Account) -> None:
    assert _analyzers(aws, "UNUSED_ACCESS"), "no active analyzer of unused access"


# ---------------------------------------------------------------------- other regions
@pytest.mark.control("STK-DET-016")
def test_an_allowed_region_in_which_something_stands_is_watched(aws: Account, region: Region) -> None:
    for other in sorted(set(region["allowed_regions"]) - {region["region"]}):
        vpcs = [
            v["VpcId"] for v in aws.need("ec2", "describe_vpcs", region=other)["Vpcs"] if not v["IsDefault"]
        ]
        reservations = aws.need("ec2", "describe_instances", region=other)["Reservations"]
        running = [i for r in reservations for i in r["Instances"] if i["State"]["Name"] != "terminated"]
        if not vpcs and not running:
            continue
        identities = aws.need("guardduty", "list_detectors", region=other)["DetectorIds"]
        states = [
            aws.need("guardduty", "get_detector", region=other, DetectorId=i)["Status"] for i in identities
        ]
        assert "ENABLED" in states, f"{other} has {', '.join(vpcs) or 'instances'} and no detector"
        recording = aws.need("config", "describe_configuration_recorder_status", region=other)
        states = [r["recording"] for r in recording["ConfigurationRecordersStatus"]]
        assert any(states), f"{other} has {', '.join(vpcs) or 'instances'} and nothing records it"
