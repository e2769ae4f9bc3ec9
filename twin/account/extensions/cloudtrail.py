"""CloudTrail: what delivery needs is checked, selectors replace each other, and no delivery is invented.

CloudTrail API reference: CreateTrail (refusals), PutEventSelectors ("the selectors replace any existing"),
GetEventSelectors (a new trail logs all management events), PutInsightSelectors, GetTrailStatus. Nothing is
delivered by this account, so a status never names a delivery.
"""

from __future__ import annotations

from typing import Any

from moto.cloudtrail.models import CloudTrailBackend, Trail, TrailStatus
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.logs.models import logs_backends

from twin.account.extensions import trust
from twin.account.extensions.placing import place
from twin.account.extensions.rest import asked

_SERVICE = "cloudtrail.amazonaws.com"
_DEFAULT = {
    "ReadWriteType": "All",
    "IncludeManagementEvents": True,
    "DataResources": [],
    "ExcludeManagementEventSources": [],
}
_INSIGHTS = {"ApiCallRateInsight", "ApiErrorRateInsight"}


class Refused(ServiceException):
    """Any of CloudTrail's refusals; the code says which."""


def install() -> None:
    """Wrap what moto has."""
    _check_delivery()
    _keep_selectors()
    place(TrailStatus, description=_status)
    described = Trail.description

    def description(self: Any, include_region: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = described(self, include_region)
        found["HasCustomEventSelectors"] = bool(self.event_selectors or self.advanced_event_selectors)
        found["HasInsightSelectors"] = bool(self.insight_selectors)
        return {name: value for name, value in found.items() if value is not None}

    place(Trail, description=description)


def _check_delivery() -> None:
    create, update, delete = (
        CloudTrailBackend.create_trail,
        CloudTrailBackend.update_trail,
        CloudTrailBackend.delete_trail,
    )

    def create_trail(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        if name in self.trails:
            raise Refused("TrailAlreadyExistsException", f"Trail {name} already exists.")
        trail = create(self, name, *args, **kwargs)
        try:
            _deliverable(trail)
        except Refused:
            del self.trails[name]
            raise
        return trail

    def update_trail(self: Any, *args: Any, **kwargs: Any) -> Any:
        trail = update(self, *args, **kwargs)
        _deliverable(trail)
        return trail

    def delete_trail(self: Any, name: str) -> None:
        delete(self, self.get_trail(name).trail_name)

    place(CloudTrailBackend, create_trail=create_trail, update_trail=update_trail, delete_trail=delete_trail)


def _deliverable(trail: Any) -> None:
    account, prefix = trail.account_id, f"{trail.s3_key_prefix}/" if trail.s3_key_prefix else ""
    target = f"arn:aws:s3:::{trail.bucket_name}/{prefix}AWSLogs/{account}/CloudTrail/x"
    if not trust.bucket_admits(account, trail.bucket_name, _SERVICE, "s3:PutObject", target):
        raise Refused(
            "InsufficientS3BucketPolicyException",
            f"Incorrect S3 bucket policy is detected for bucket: {trail.bucket_name}",
        )
    key = trail.kms_key_id
    if key and not trust.key_admits(account, trail.region_name, key, _SERVICE, "kms:GenerateDataKey"):
        raise Refused(
            "InsufficientEncryptionPolicyException",
            "Insufficient permissions to access S3 bucket or KMS key",
        )
    group = trail.cw_log_group_arn
    if group:
        known = {found.arn for found in logs_backends[account][trail.region_name].groups.values()}
        if not group.endswith(":*") or group.removesuffix(":*") not in {
            arn.removesuffix(":*") for arn in known
        }:
            raise Refused(
                "InvalidCloudWatchLogsLogGroupArnException",
                "CloudTrail cannot validate the specified log group ARN.",
            )


def _keep_selectors() -> None:
    def put_event_selectors(self: Any, event_selectors: Any, advanced_event_selectors: Any) -> None:
        if bool(event_selectors) == bool(advanced_event_selectors):
            raise Refused(
                "InvalidEventSelectorsException",
                "Give event selectors or advanced ones, one kind of the two.",
            )
        self.event_selectors = event_selectors or []
        self.advanced_event_selectors = advanced_event_selectors or []

    def get_event_selectors(self: Any) -> Any:
        if not (self.event_selectors or self.advanced_event_selectors):
            return [dict(_DEFAULT)], []
        return self.event_selectors, self.advanced_event_selectors

    def put_insight_selectors(self: Any, insight_selectors: list[dict[str, str]]) -> None:
        strange = {found["InsightType"] for found in insight_selectors} - _INSIGHTS
        if strange:
            raise Refused("InvalidInsightSelectorsException", f"no insight {', '.join(sorted(strange))}")
        self.insight_selectors = list(insight_selectors)

    place(
        Trail,
        put_event_selectors=put_event_selectors,
        get_event_selectors=get_event_selectors,
        put_insight_selectors=put_insight_selectors,
    )
    place(CloudTrailResponse, get_event_selectors=_get_selectors, get_insight_selectors=_get_insights)


def _get_selectors(self: Any) -> ActionResult:
    arn, basic, advanced = self.cloudtrail_backend.get_event_selectors(asked(self)["TrailName"])
    kind = {"AdvancedEventSelectors": advanced} if advanced else {"EventSelectors": basic}
    return ActionResult({"TrailARN": arn, **kind})


def _get_insights(self: Any) -> ActionResult:
    name = asked(self)["TrailName"]
    arn, selectors = self.cloudtrail_backend.get_insight_selectors(name)
    if not selectors:
        raise Refused("InsightNotEnabledException", f"Trail {name} does not have Insights enabled.")
    return ActionResult({"TrailARN": arn, "InsightSelectors": selectors})


def _status(self: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"IsLogging": self.is_logging}
    moment = "%Y-%m-%dT%H:%M:%SZ"
    if self.started:
        found |= {
            "StartLoggingTime": self.started.timestamp(),
            "TimeLoggingStarted": self.started.strftime(moment),
        }
    if self.stopped:
        found |= {
            "StopLoggingTime": self.stopped.timestamp(),
            "TimeLoggingStopped": self.stopped.strftime(moment),
        }
    return found
