"""GuardDuty: features that merge, one detector a region, IP and threat lists, exported findings, tags.

GuardDuty API reference: CreateDetector, UpdateDetector, CreateIPSet, CreateThreatIntelSet,
CreatePublishingDestination and what reads and removes them. User guide, "Customizing threat detection with
entity lists and IP address lists": a list is read when it is activated, not when the object changes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.guardduty import urls
from moto.guardduty.models import Detector, GuardDutyBackend
from moto.guardduty.responses import GuardDutyResponse
from moto.moto_api._internal import mock_random
from moto.s3.models import s3_backends

from twin.account.extensions import trust
from twin.account.extensions.placing import place
from twin.account.extensions.rest import asked, retag, route

# Always on with a detector, and not to be switched ("Foundational data sources").
FOUNDATION = ("CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS")
OPTIONAL: dict[str, tuple[str, ...]] = {
    "S3_DATA_EVENTS": (),
    "EKS_AUDIT_LOGS": (),
    "EBS_MALWARE_PROTECTION": (),
    "RDS_LOGIN_EVENTS": (),
    "LAMBDA_NETWORK_LOGS": (),
    "RUNTIME_MONITORING": ("EKS_ADDON_MANAGEMENT", "ECS_FARGATE_AGENT_MANAGEMENT", "EC2_AGENT_MANAGEMENT"),
}
# CreateDetector without features: every protection plan but Runtime Monitoring is on.
ON_BY_DEFAULT = frozenset(OPTIONAL) - {"RUNTIME_MONITORING"}
_LOCATIONS = (
    r"https://s3[.-][a-z0-9.-]*amazonaws\.com/(?P<bucket>[^/]+)/(?P<key>.+)",
    r"https://(?P<bucket>[^/]+?)\.s3[.-][a-z0-9.-]*amazonaws\.com/(?P<key>.+)",
    r"s3://(?P<bucket>[^/]+)/(?P<key>.+)",
)
# A trusted list holds 2,000 entries and there is one; a threat list 250,000 and there are six ("Quotas").
_LISTS = {
    "ip_set": ("IpSetId", "ipset", 1, 2000),
    "threat_intel_set": ("ThreatIntelSetId", "threatintelset", 6, 250000),
}


class Refused(ServiceException):
    """BadRequestException, GuardDuty's only error for a wrong request."""

    code = "BadRequestException"


def install() -> None:
    """Add and wrap the operations."""
    _keep_features()
    for kind in _LISTS:
        _add_lists(kind)
    _add_destinations()
    place(GuardDutyResponse, list_tags_for_resource=_list_tags)
    place(GuardDutyResponse, tag_resource=_change_tags, untag_resource=_change_tags)
    one = "/detector/(?P<detector_id>[^/]+)"
    route(
        urls,
        GuardDutyResponse,
        *(
            f"{one}/{word}{rest}$"
            for word in ("ipset", "threatintelset", "publishingDestination")
            for rest in ("", "/(?P<own>[^/]+)")
        ),
        "/tags/(?P<arn>.+)$",
    )


# ---------------------------------------------------------------------- detector
def _keep_features() -> None:
    create, remove = GuardDutyBackend.create_detector, GuardDutyBackend.delete_detector

    def create_detector(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.detectors:
            raise Refused(
                "The request is rejected because a detector already exists for the current account."
            )
        identity = create(self, *args, **kwargs)
        detector = self.detectors[identity]
        wanted, detector.features = detector.features, {}
        _merge(detector, [{"name": name, "status": "ENABLED"} for name in sorted(ON_BY_DEFAULT)])
        _merge(detector, wanted)
        return identity

    def delete_detector(self: Any, detector_id: str) -> None:
        self.get_detector(detector_id)
        remove(self, detector_id)

    def update(self: Any, enable: Any, frequency: Any, _data_sources: Any, features: Any) -> None:
        self.enabled = self.enabled if enable is None else enable
        self.finding_publish_freq = frequency or self.finding_publish_freq
        self.updated_at = datetime.now(UTC)
        _merge(self, features or [])

    place(GuardDutyBackend, create_detector=create_detector, delete_detector=delete_detector)
    place(Detector, update=update, to_json=_as_json)


def _merge(detector: Any, wanted: list[dict[str, Any]]) -> None:
    """UpdateDetector changes the features it names and leaves the others."""
    for feature in wanted:
        name, status = feature.get("name"), feature.get("status")
        if name not in OPTIONAL or status not in ("ENABLED", "DISABLED"):
            raise Refused(f"The request is rejected because {name} {status} is an invalid feature.")
        known = detector.features.setdefault(name, {"more": dict.fromkeys(OPTIONAL[name], "DISABLED")})
        for part in feature.get("additionalConfiguration") or []:
            if part.get("name") not in OPTIONAL[name]:
                raise Refused(
                    f"The request is rejected because {part.get('name')} does not belong to {name}."
                )
            known["more"][part["name"]] = part["status"]
        known.update(status=status, at=datetime.now(UTC).timestamp())


def _as_json(self: Any) -> dict[str, Any]:
    on = "ENABLED" if self.enabled else "DISABLED"
    features: list[dict[str, Any]] = [
        {"name": name, "status": on, "updatedAt": self.created_at.timestamp()} for name in FOUNDATION
    ]
    for name, parts in OPTIONAL.items():
        known = self.features.get(name, {"status": "DISABLED", "at": self.created_at.timestamp(), "more": {}})
        feature = {"name": name, "status": known["status"], "updatedAt": known["at"]}
        if parts:
            feature["additionalConfiguration"] = [
                {"name": part, "status": known["more"].get(part, "DISABLED"), "updatedAt": known["at"]}
                for part in parts
            ]
        features.append(feature)
    moment = "%Y-%m-%dT%H:%M:%S.%fZ"
    return {
        "createdAt": self.created_at.strftime(moment),
        "updatedAt": self.updated_at.strftime(moment),
        "findingPublishingFrequency": self.finding_publish_freq,
        "serviceRole": self.service_role,
        "status": on,
        "tags": self.tags,
        "features": features,
    }


def _kept(detector: Any, kind: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = detector.__dict__.setdefault(f"kept_{kind}", {})
    return found


def _detector(response: Any, given: dict[str, Any]) -> Any:
    return response.guardduty_backend.get_detector(given["DetectorId"])


# ---------------------------------------------------------------------- lists
def _add_lists(kind: str) -> None:
    identity, word, most, entries = _LISTS[kind]

    def create(self: Any) -> ActionResult:
        given = asked(self)
        known = _kept(_detector(self, given), kind)
        if len(known) >= most:
            raise Refused(
                f"The request is rejected because the maximum number of {word} resources ({most}) is reached."
            )
        if given["Format"] not in ("TXT", "STIX", "OTX_CSV", "ALIEN_VAULT", "PROOF_POINT", "FIRE_EYE"):
            raise Refused("The request is rejected because the input format has an invalid value.")
        made = mock_random.get_random_hex(length=32)
        kept = {name: given.get(name) for name in ("Name", "Format", "Location", "ExpectedBucketOwner")}
        kept = {**kept, "Tags": given.get("Tags") or {}, "Status": "INACTIVE"}
        _activate(self, kept, given["Activate"], entries)
        known[made] = kept
        return ActionResult({identity: made})

    def get(self: Any) -> ActionResult:
        return ActionResult(
            {k: v for k, v in _one(self, kind).items() if v is not None and k not in ("entries", "wanted")}
        )

    def listed(self: Any) -> ActionResult:
        return ActionResult({f"{identity}s": sorted(_kept(_detector(self, asked(self)), kind))})

    def update(self: Any) -> EmptyResult:
        kept, given = _one(self, kind), asked(self)
        changed: dict[str, Any] = {name: given[name] for name in ("Name", "Location") if name in given}
        fresh = kept | changed
        active = given.get("Activate", kept["wanted"])
        if "Location" in given or active != kept["wanted"]:
            _activate(self, fresh, active, entries)
        kept.update(fresh)
        return EmptyResult()

    def delete(self: Any) -> EmptyResult:
        _one(self, kind)
        given = asked(self)
        del _kept(_detector(self, given), kind)[given[identity]]
        return EmptyResult()

    verbs = {"create": create, "get": get, "update": update, "delete": delete}
    place(GuardDutyResponse, **{f"{verb}_{kind}": function for verb, function in verbs.items()})
    place(GuardDutyResponse, **{f"list_{kind}s": listed})


def _one(response: Any, kind: str) -> dict[str, Any]:
    given = asked(response)
    known, identity = _kept(_detector(response, given), kind), given[_LISTS[kind][0]]
    if identity not in known:
        raise Refused("The request is rejected because the input list is not owned by the current account.")
    return known[identity]


def _activate(response: Any, kept: dict[str, Any], wanted: bool, most: int) -> None:
    """Read the list, as GuardDuty does at this moment and never by itself later."""
    kept["wanted"] = wanted
    if not wanted:
        kept["Status"] = "INACTIVE"
        return
    found = next((m for p in _LOCATIONS if (m := re.fullmatch(p, kept["Location"] or ""))), None)
    if found is None:
        raise Refused("The request is rejected because the input location has an invalid URL.")
    store = s3_backends[response.current_account]["aws"]
    known = store.get_object(found["bucket"], found["key"]) if found["bucket"] in store.buckets else None
    text = known.value.decode() if known is not None else ""
    entries = [line.strip() for line in text.splitlines() if line.strip()]
    kept["entries"] = entries
    kept["Status"] = "ACTIVE" if 0 < len(entries) <= most else "ERROR"


# ---------------------------------------------------------------------- exported findings
def _add_destinations() -> None:
    place(
        GuardDutyResponse,
        create_publishing_destination=create_publishing_destination,
        describe_publishing_destination=describe_publishing_destination,
        list_publishing_destinations=list_publishing_destinations,
        update_publishing_destination=update_publishing_destination,
        delete_publishing_destination=delete_publishing_destination,
    )


def create_publishing_destination(self: Any) -> ActionResult:
    """CreatePublishingDestination: refused unless bucket and key let GuardDuty in."""
    given = asked(self)
    known = _kept(_detector(self, given), "destination")
    if any(kept["DestinationType"] == given["DestinationType"] for kept in known.values()):
        raise Refused("The request failed because a publishing destination of this type already exists.")
    _admitted(self, given["DestinationProperties"])
    made = mock_random.get_random_hex(length=32)
    known[made] = {
        "DestinationId": made,
        "DestinationType": given["DestinationType"],
        "DestinationProperties": given["DestinationProperties"],
        "Status": "PUBLISHING",
        "Tags": given.get("Tags") or {},
    }
    return ActionResult({"DestinationId": made})


def _admitted(response: Any, properties: dict[str, Any]) -> None:
    bucket, _, prefix = properties["DestinationArn"].removeprefix("arn:aws:s3:::").partition("/")
    service, account = "guardduty.amazonaws.com", response.current_account
    target = (
        f"arn:aws:s3:::{bucket}/{prefix.rstrip('/') + '/' if prefix else ''}AWSLogs/{account}/GuardDuty/x"
    )
    into_bucket = trust.bucket_admits(account, bucket, service, "s3:PutObject", target)
    with_key = trust.key_admits(
        account, response.region, properties["KmsKeyArn"], service, "kms:GenerateDataKey"
    )
    if not (into_bucket and with_key):
        raise Refused(
            "The request failed because the GuardDuty service principal does not have permission to the KMS "
            "key or the resource specified by the destinationArn parameter."
        )


def describe_publishing_destination(self: Any) -> ActionResult:
    """DescribePublishingDestination."""
    return ActionResult(_destination(self))


def list_publishing_destinations(self: Any) -> ActionResult:
    """ListPublishingDestinations."""
    known = _kept(_detector(self, asked(self)), "destination")
    short = ("DestinationId", "DestinationType", "Status")
    return ActionResult({"Destinations": [{name: kept[name] for name in short} for kept in known.values()]})


def update_publishing_destination(self: Any) -> EmptyResult:
    """UpdatePublishingDestination."""
    kept, given = _destination(self), asked(self)
    _admitted(self, given["DestinationProperties"])
    kept["DestinationProperties"] = given["DestinationProperties"]
    return EmptyResult()


def delete_publishing_destination(self: Any) -> EmptyResult:
    """DeletePublishingDestination."""
    kept = _destination(self)
    del _kept(_detector(self, asked(self)), "destination")[kept["DestinationId"]]
    return EmptyResult()


def _destination(response: Any) -> dict[str, Any]:
    given = asked(response)
    known = _kept(_detector(response, given), "destination")
    if given["DestinationId"] not in known:
        raise Refused("The request failed because the publishing destination does not exist.")
    return known[given["DestinationId"]]


# ---------------------------------------------------------------------- tags
def _tags(response: Any) -> dict[str, str]:
    detector_id, *rest = asked(response)["ResourceArn"].split(":detector/")[-1].split("/")
    detector = response.guardduty_backend.get_detector(detector_id)
    if not rest:
        found: dict[str, str] = detector.tags
        return found
    kind = {"ipset": "ip_set", "threatintelset": "threat_intel_set", "publishingDestination": "destination"}
    known = _kept(detector, kind.get(rest[0], rest[0]))
    if rest[-1] not in known:
        raise Refused("The request is rejected because the resource does not exist.")
    kept: dict[str, str] = known[rest[-1]]["Tags"]
    return kept


def _list_tags(self: Any) -> ActionResult:
    return ActionResult({"Tags": _tags(self)})


def _change_tags(self: Any) -> EmptyResult:
    retag(_tags(self), asked(self))
    return EmptyResult()
