"""Broken plans: trail, detector, recorder, posture."""

from __future__ import annotations

from guardrails.watching import (
    ANALYZER,
    DESTINATION,
    DETECTOR,
    FEATURE,
    HUB,
    INSPECTOR,
    LISTS,
    MACIE,
    RECORDER,
    STANDARD,
    STATUS,
    TRAIL,
)
from tests.infra.breaking import Broken, drop, lose, put

MANAGEMENT = {"field": "eventCategory", "equals": ["Management"]}
WRITES = [{"fieldSelectors": [MANAGEMENT, {"field": "readOnly", "equals": ["false"]}]}]
WITHOUT_KMS = [{"fieldSelectors": [MANAGEMENT, {"field": "eventSource", "notEquals": ["kms.amazonaws.com"]}]}]

BROKEN: list[Broken] = [
    ("trail-complete", "no trail", lose(TRAIL)),
    ("trail-complete", "stopped", put(TRAIL, "enableLogging", False)),
    ("trail-complete", "one region", put(TRAIL, "isMultiRegionTrail", False)),
    ("trail-complete", "no digests", put(TRAIL, "enableLogFileValidation", False)),
    ("trail-complete", "no key", drop(TRAIL, "kmsKeyId")),
    ("trail-complete", "no log group", drop(TRAIL, "cloudWatchLogsGroupArn")),
    ("trail-complete", "writes only", put(TRAIL, "advancedEventSelectors", WRITES)),
    ("trail-complete", "without KMS", put(TRAIL, "advancedEventSelectors", WITHOUT_KMS)),
    ("detector-complete", "no detector", lose(DETECTOR)),
    ("detector-complete", "off", put(DETECTOR, "enable", False)),
    ("detector-complete", "every six hours", put(DETECTOR, "findingPublishingFrequency", "SIX_HOURS")),
    ("detector-complete", "no malware scans", lose(FEATURE, "ebs-malware-protection")),
    ("detector-complete", "a plan off", put(FEATURE, "status", "DISABLED", "s3-data-events")),
    (
        "detector-complete",
        "an agent off",
        put(FEATURE, "additionalConfigurations.2.status", "DISABLED", "runtime-monitoring"),
    ),
    ("detector-complete", "findings kept nowhere", lose(DESTINATION)),
    ("list-active", "a list asleep", put(LISTS[0], "activate", False)),
    ("list-active", "the trusted one too", put(LISTS[1], "activate", False)),
    ("recorder-complete", "no recorder", lose(RECORDER)),
    ("recorder-complete", "without IAM", put(RECORDER, "recordingGroup.includeGlobalResourceTypes", False)),
    ("recorder-complete", "some types", put(RECORDER, "recordingGroup.allSupported", False)),
    ("recorder-complete", "never started", lose(STATUS)),
    ("recorder-complete", "stopped", put(STATUS, "isEnabled", False)),
    ("posture-judged", "no hub", lose(HUB)),
    ("posture-judged", "new checks off", put(HUB, "autoEnableControls", False)),
    ("posture-judged", "CIS off", lose(STANDARD, "cis")),
    (
        "posture-judged",
        "images not scanned",
        put(INSPECTOR, "resourceTypes", ["EC2", "LAMBDA", "LAMBDA_CODE"]),
    ),
    ("posture-judged", "another account's", put(INSPECTOR, "accountIds", ["999999999999"])),
    ("posture-judged", "Macie paused", put(MACIE, "status", "PAUSED")),
    ("posture-judged", "no external analyzer", lose(ANALYZER, "external-access")),
    ("posture-judged", "no unused analyzer", lose(ANALYZER, "unused-access")),
]
