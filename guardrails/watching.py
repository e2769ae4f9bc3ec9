"""What watches the region is planned whole: nothing of trail, detector or recorder is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from detection.availability import WITHOUT_MACIE
from guardrails.model import UNKNOWN, Bounds, Finding, Guardrail, Planned, at, differing, listed, of_type

TRAIL = "aws:cloudtrail/trail:Trail"
DETECTOR = "aws:guardduty/detector:Detector"
FEATURE = "aws:guardduty/detectorFeature:DetectorFeature"
DESTINATION = "aws:guardduty/publishingDestination:PublishingDestination"
HUB = "aws:securityhub/account:Account"
STANDARD = "aws:securityhub/standardsSubscription:StandardsSubscription"
RECORDER = "aws:cfg/recorder:Recorder"
STATUS = "aws:cfg/recorderStatus:RecorderStatus"
INSPECTOR = "aws:inspector2/enabler:Enabler"
MACIE = "aws:macie2/account:Account"
ANALYZER = "aws:accessanalyzer/analyzer:Analyzer"
LISTS = ("aws:guardduty/threatIntelSet:ThreatIntelSet", "aws:guardduty/iPSet:IPSet")

# Amazon GuardDuty API Reference, "DetectorFeatureConfiguration", and the agents of Runtime Monitoring.
PLANS = frozenset(
    {
        *("S3_DATA_EVENTS", "EKS_AUDIT_LOGS", "EBS_MALWARE_PROTECTION", "RDS_LOGIN_EVENTS"),
        *("LAMBDA_NETWORK_LOGS", "RUNTIME_MONITORING"),
    }
)
AGENTS = frozenset({"EKS_ADDON_MANAGEMENT", "ECS_FARGATE_AGENT_MANAGEMENT", "EC2_AGENT_MANAGEMENT"})
SCANNED = frozenset({"EC2", "ECR", "LAMBDA", "LAMBDA_CODE"})
STANDARDS = ("aws-foundational-security-best-practices/", "cis-aws-foundations-benchmark/v/5.0.0")
RUNNING = {
    "enableLogging": True,
    "isMultiRegionTrail": True,
    "includeGlobalServiceEvents": True,
    "enableLogFileValidation": True,
}


def trail_complete(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """There is a trail of all regions, running, validated, under a key of ours, with a log group, and it
    leaves no management event out.
    """
    trails = list(of_type(resources, TRAIL))
    if not trails:
        yield Finding("trail-complete", "-", "there is no trail", "add detection.trail.Trail")
    for trail in trails:
        inputs = trail["inputs"]
        for problem in differing(inputs, RUNNING):
            yield Finding("trail-complete", trail["urn"], problem, "record everything, everywhere")
        for name in ("kmsKeyId", "cloudWatchLogsGroupArn"):
            if name not in inputs:
                yield Finding("trail-complete", trail["urn"], f"no {name}", "set it")
        if not any(_takes_all(selector) for selector in _selectors(inputs)):
            yield Finding(
                "trail-complete", trail["urn"], "management events are left out", "select eventCategory alone"
            )


def _selectors(inputs: Mapping[str, object]) -> list[dict[str, object]]:
    basic, advanced = listed(inputs.get("eventSelectors")), listed(inputs.get("advancedEventSelectors"))
    # A trail without any selector records all management events.
    return [*basic, *advanced] or [{"includeManagementEvents": True}]


def _takes_all(selector: Mapping[str, object]) -> bool:
    fields = selector.get("fieldSelectors")
    if fields is not None:
        return fields == [{"field": "eventCategory", "equals": ["Management"]}]
    both = selector.get("readWriteType", "All") == "All"
    return (
        both
        and selector.get("includeManagementEvents", True) is True
        and not selector.get("excludeManagementEventSources")
    )


def detector_complete(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """There is a detector, on, with every protection plan and agent, and its findings go to a bucket."""
    detectors = list(of_type(resources, DETECTOR))
    if not detectors:
        yield Finding("detector-complete", "-", "there is no detector", "add detection.threats.Threats")
    for detector in detectors:
        wanted = {"enable": True, "findingPublishingFrequency": "FIFTEEN_MINUTES"}
        for problem in differing(detector["inputs"], wanted):
            yield Finding("detector-complete", detector["urn"], problem, "on, every fifteen minutes")
    features = list(of_type(resources, FEATURE))
    on = {f["inputs"].get("name") for f in features if f["inputs"].get("status") == "ENABLED"}
    on |= {
        part.get("name")
        for feature in features
        for part in listed(feature["inputs"].get("additionalConfigurations"))
        if part.get("status") == "ENABLED"
    }
    for name in sorted((PLANS | AGENTS) - on):
        yield Finding("detector-complete", "-", f"{name} is not switched on", "switch every plan on")
    if not any(True for _ in of_type(resources, DESTINATION)):
        yield Finding("detector-complete", "-", "findings go to no bucket", "add a publishing destination")


def lists_active(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """A list of addresses that is planned is also active, and read from our own region."""
    for found in of_type(resources, *LISTS):
        if at(found["inputs"], "activate") is not True:
            yield Finding("list-active", found["urn"], "it is not active", "activate it")


def recorder_complete(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Config records every type of resource, those of IAM too, and is started."""
    recorders = list(of_type(resources, RECORDER))
    if not recorders:
        yield Finding("recorder-complete", "-", "nothing is recorded", "add detection.recorder.Recorder")
    wanted = {"recordingGroup.allSupported": True, "recordingGroup.includeGlobalResourceTypes": True}
    for recorder in recorders:
        for problem in differing(recorder["inputs"], wanted):
            yield Finding("recorder-complete", recorder["urn"], problem, "record all types")
    started = [at(found["inputs"], "isEnabled") is True for found in of_type(resources, STATUS)]
    if not started or not all(started):
        yield Finding("recorder-complete", "-", "the recorder is not started", "enable it")


def posture_judged(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """Security Hub with both standards, Inspector for everything, Macie, and analyzers of external and of
    unused access.
    """
    standards = " ".join(str(s["inputs"].get("standardsArn")) for s in of_type(resources, STANDARD))
    hubs = list(of_type(resources, HUB))
    wanted = {"autoEnableControls": True, "controlFindingGenerator": "SECURITY_CONTROL"}
    if not hubs:
        yield Finding("posture-judged", "-", "there is no Security Hub", "add detection.posture.Posture")
    for hub in hubs:
        for problem in differing(hub["inputs"], wanted):
            yield Finding("posture-judged", hub["urn"], problem, "take new checks, one finding for a fault")
    for name in STANDARDS:
        if name not in standards:
            yield Finding("posture-judged", "-", f"the standard {name.rstrip('/')} is off", "subscribe to it")
    scanned = {
        kind
        for enabler in of_type(resources, INSPECTOR)
        if bounds.account in listed(enabler["inputs"].get("accountIds"))
        for kind in listed(enabler["inputs"].get("resourceTypes"))
    }
    for kind in sorted(SCANNED - scanned):
        yield Finding("posture-judged", "-", f"Inspector does not scan {kind}", "scan everything")
    offered = bounds.region not in WITHOUT_MACIE
    sessions = [found["inputs"].get("status") for found in of_type(resources, MACIE)]
    if offered and not any(status in ("ENABLED", *UNKNOWN) for status in sessions):
        yield Finding("posture-judged", "-", "Macie is off", "enable it")
    kinds = {analyzer["inputs"].get("type", "ACCOUNT") for analyzer in of_type(resources, ANALYZER)}
    for kind in ("ACCOUNT", "ACCOUNT_UNUSED_ACCESS"):
        if kind not in kinds:
            yield Finding("posture-judged", "-", f"no analyzer of type {kind}", "add it")


GUARDRAILS: tuple[Guardrail, ...] = (
    trail_complete,
    detector_complete,
    lists_active,
    recorder_complete,
    posture_judged,
)
