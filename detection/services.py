"""The detection services of a region: threats, recorder, posture.

Each stack switches them on in its own region. An allowed region without a stack holds nothing (a role may act
there only when a stack is made for it), costs nothing, and is covered by the trail of all regions;
STK-DET-016 turns red as soon as something stands in one and is not watched.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pulumi

from detection.indicators import Listing, hostile, listing
from detection.posture import Posture, PostureArgs
from detection.recorder import Recorder, RecorderArgs
from detection.threats import LIST_FAMILY, MOST_THREATS, MOST_TRUSTED, Threats, ThreatsArgs
from fault import Fault
from settings import Settings


@dataclass(frozen=True)
class DetectionServicesArgs:
    """Settings and stack; the buckets of findings and of delivered logs, each as its policy's own output,
    since the services try to write at once; the key of findings. `today`: the day on which indicators count.
    """

    settings: Settings
    stack: str
    today: date
    findings_bucket: pulumi.Input[str]
    findings_key: pulumi.Input[str]
    delivery_bucket: pulumi.Input[str]


def lists(settings: Settings, today: date) -> dict[str, Listing]:
    """GuardDuty's lists by kind; a list without a range is not there. Raises Fault above AWS's limit."""
    trusted = sorted(
        {
            str(n)
            for found in settings.access.trusted_ranges.values()
            for n in found
            if n.version == LIST_FAMILY
        }
    )
    if len(trusted) > MOST_TRUSTED:
        raise Fault(
            f"access.trusted_ranges: {len(trusted)} ranges",
            f"GuardDuty's trusted list takes {MOST_TRUSTED}",
            "join neighbouring ranges",
        )
    found = {
        "threat": listing("threat", hostile(settings.detection.indicators, today, LIST_FAMILY, MOST_THREATS)),
        "trusted": listing("trusted", trusted),
    }
    return {kind: made for kind, made in found.items() if made is not None}


class DetectionServices(pulumi.ComponentResource):
    """GuardDuty, Config, Security Hub, Inspector, Macie and Access Analyzer."""

    threats: Threats
    recorder: Recorder
    posture: Posture

    def __init__(
        self, name: str, args: DetectionServicesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("stockade:detection:DetectionServices", name, {}, opts)
        self._args, child = args, pulumi.ResourceOptions(parent=self)
        settings = args.settings
        self._lists = lists(settings, args.today)
        self.threats = Threats(
            "threats",
            ThreatsArgs(
                stack=args.stack,
                region=settings.region,
                bucket=args.findings_bucket,
                key_arn=args.findings_key,
                lists=self._lists,
            ),
            child,
        )
        self.recorder = Recorder("config", RecorderArgs(args.stack, settings, args.delivery_bucket), child)
        self.posture = Posture(
            "posture",
            PostureArgs(
                args.stack, settings.region, settings.account, args.delivery_bucket, self.recorder.running
            ),
            child,
        )
        self.register_outputs({"detector": self.threats.detector.id})

    def contract(self) -> dict[str, Any]:
        """`detection` of the region contract. Indicators are told with their days, so that a list which was
        not brought up to date shows.
        """
        args = self._args
        stated = args.settings.model_dump(mode="json", include={"detection", "access"})
        return {
            "detector": self.threats.detector.id,
            "findings": {"bucket": args.findings_bucket, "key": args.findings_key},
            "indicators": stated["detection"]["indicators"],
            "trusted_ranges": stated["access"]["trusted_ranges"],
            "recorder": self.recorder.recorder.name,
            "rules": {key: rule.name for key, rule in self.recorder.rules.items()},
            "standards": {key: found.standards_arn for key, found in self.posture.standards.items()},
            "analyzers": {key: found.analyzer_name for key, found in self.posture.analyzers.items()},
        }
