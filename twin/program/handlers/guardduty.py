"""GuardDuty's detector with its features, its lists, and where findings go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Spec, to_aws, to_pulumi


def _arn(call: Call, rest: str) -> str:
    return call.arn("guardduty", f"detector/{rest}")


def _tags(call: Call, rest: str) -> dict[str, str]:
    found = call.client("guardduty").list_tags_for_resource(ResourceArn=_arn(call, rest))["Tags"]
    return {str(key): str(value) for key, value in found.items()}


def _retag(call: Call, rest: str) -> None:
    client, arn = call.client("guardduty"), _arn(call, rest)
    stale = sorted(set(_tags(call, rest)) - set(call.tags))
    if stale:
        client.untag_resource(ResourceArn=arn, TagKeys=stale)
    if call.tags:
        client.tag_resource(ResourceArn=arn, Tags=call.tags)


@dataclass(frozen=True, kw_only=True)
class Part(Spec):
    """Something of GuardDuty's; its errors for what is not there are no NotFound."""

    def means_gone(self, error: ClientError) -> bool:
        """BadRequestException, with a text that says so."""
        said = str(error.response.get("Error", {}).get("Message", ""))
        return super().means_gone(error) or "not owned by the current account" in said or "not exist" in said

    def create_params(self, client: Any, call: Call) -> Plain:
        """Tags are a mapping here."""
        parameters = super().create_params(client, call)
        if self.tags_as:
            parameters[self.tags_as] = call.tags
        return parameters

    def can_change(self, changed: set[str]) -> bool:
        """Everything but what the thing is."""
        return not changed & {"region", "detectorId", "format", "destinationType", "name"}


@dataclass(frozen=True, kw_only=True)
class Detector(Part):
    """The one detector of a region."""

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """UpdateDetector."""
        client = call.client("guardduty")
        client.update_detector(
            DetectorId=identity,
            Enable=bool(call.inputs.get("enable", True)),
            FindingPublishingFrequency=call.inputs.get("findingPublishingFrequency", "SIX_HOURS"),
        )
        if changed & {"tags", "tagsAll"}:
            _retag(call, identity)


def _detector_facts(call: Call, identity: str, item: Plain) -> Plain:
    return {
        "arn": _arn(call, identity),
        "accountId": call.aws.account,
        "enable": item["Status"] == "ENABLED",
        "tagsAll": {str(k): str(v) for k, v in item.get("Tags", {}).items()},
    }


@dataclass(frozen=True, kw_only=True)
class Feature(Part):
    """One feature: a state of the detector, so nothing is made or removed."""

    def make(self, call: Call) -> str:
        """UpdateDetector with this feature alone."""
        client = call.client("guardduty")
        wanted = {k: v for k, v in call.inputs.items() if k in {"name", "status", "additionalConfigurations"}}
        rename = {"additionalConfigurations": "AdditionalConfiguration"}
        features = to_aws(client, "update_detector", {"features": [wanted]}, rename)
        client.update_detector(DetectorId=call.inputs["detectorId"], **features)
        return f"{call.inputs['detectorId']}/{call.inputs['name']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The feature as the detector tells it."""
        detector, name = identity.split("/")
        try:
            found = call.client("guardduty").get_detector(DetectorId=detector)["Features"]
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        one = next((dict(f) for f in found if f["Name"] == name), None)
        return one and {"DetectorId": detector, **one}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Say it again."""
        self.make(call)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """As the provider: a feature stays as it is until the detector goes."""


def _feature_facts(_call: Call, _identity: str, item: Plain) -> Plain:
    parts = [
        {"name": part["Name"], "status": part["Status"]} for part in item.get("AdditionalConfiguration", [])
    ]
    return {"additionalConfigurations": parts} if parts else {}


@dataclass(frozen=True, kw_only=True)
class Listing(Part):
    """An IP set or a threat intel set; the id is the detector's and its own."""

    kind: str  # "ip_set"
    member: str  # "IpSetId"
    word: str  # "ipset", in ARNs

    def identify(self, call: Call, answer: Plain) -> str:
        """Detector and list."""
        return f"{call.inputs['detectorId']}:{answer[self.member]}"

    def _names(self, identity: str) -> dict[str, str]:
        detector, own = identity.split(":")
        return {"DetectorId": detector, self.member: own}

    def _rest(self, identity: str) -> str:
        return f"/{self.word}/".join(identity.split(":"))

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """GetIPSet or GetThreatIntelSet."""
        try:
            found = getattr(call.client("guardduty"), f"get_{self.kind}")(**self._names(identity))
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        active = found["Status"] in ("ACTIVE", "ACTIVATING")
        facts = {
            "Activate": active,
            "DetectorId": identity.split(":", maxsplit=1)[0],
            "arn": _arn(call, self._rest(identity)),
        }
        return {**found, **facts}

    def is_dead(self, item: Plain) -> bool:
        """Deleted lists stay visible."""
        return str(item.get("Status")) in ("DELETED", "DELETE_PENDING")

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """UpdateIPSet or UpdateThreatIntelSet, which reads the list again."""
        client = call.client("guardduty")
        given: Plain = {name: call.inputs[name] for name in ("location", "activate") if name in changed}
        if given:
            parameters = to_aws(client, f"update_{self.kind}", given, {})
            getattr(client, f"update_{self.kind}")(**self._names(identity), **parameters)
        if changed & {"tags", "tagsAll"}:
            _retag(call, self._rest(identity))

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """DeleteIPSet or DeleteThreatIntelSet."""
        try:
            getattr(call.client("guardduty"), f"delete_{self.kind}")(**self._names(identity))
        except ClientError as error:
            if not self.means_gone(error):
                raise


def _list_facts(_call: Call, identity: str, item: Plain) -> Plain:
    return {"tagsAll": item.get("Tags") or {}, "ipSetId": identity.split(":")[1]}


@dataclass(frozen=True, kw_only=True)
class Destination(Part):
    """The bucket that findings are written to."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """Bucket and key are one structure."""
        return {
            "DetectorId": call.inputs["detectorId"],
            "DestinationType": call.inputs.get("destinationType", "S3"),
            "DestinationProperties": _properties(call),
            "Tags": call.tags,
        }

    def identify(self, call: Call, answer: Plain) -> str:
        """Detector and destination."""
        return f"{call.inputs['detectorId']}:{answer['DestinationId']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """DescribePublishingDestination."""
        detector, own = identity.split(":")
        client = call.client("guardduty")
        try:
            found = client.describe_publishing_destination(DetectorId=detector, DestinationId=own)
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return {"DetectorId": detector, **found, **to_pulumi(found["DestinationProperties"])}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """UpdatePublishingDestination."""
        detector, own = identity.split(":")
        if changed & {"destinationArn", "kmsKeyArn"}:
            call.client("guardduty").update_publishing_destination(
                DetectorId=detector, DestinationId=own, DestinationProperties=_properties(call)
            )
        if changed & {"tags", "tagsAll"}:
            _retag(call, f"{detector}/publishingDestination/{own}")

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """DeletePublishingDestination."""
        detector, own = identity.split(":")
        try:
            call.client("guardduty").delete_publishing_destination(DetectorId=detector, DestinationId=own)
        except ClientError as error:
            if not self.means_gone(error):
                raise


def _properties(call: Call) -> Plain:
    return {"DestinationArn": call.inputs["destinationArn"], "KmsKeyArn": call.inputs["kmsKeyArn"]}


def _destination_facts(call: Call, identity: str, item: Plain) -> Plain:
    rest = "/publishingDestination/".join(identity.split(":"))
    return {
        "arn": _arn(call, rest),
        "destinationId": item["DestinationId"],
        "tagsAll": item.get("Tags") or {},
    }


SPECS = (
    Detector(
        type="aws:guardduty/detector:Detector",
        service="guardduty",
        create="create_detector",
        made="DetectorId",
        read="get_detector",
        by="DetectorId",
        delete="delete_detector",
        delete_by="DetectorId",
        tags_as="Tags",
        exclusive=True,
        defaults={"enable": True},
        more=_detector_facts,
    ),
    Feature(type="aws:guardduty/detectorFeature:DetectorFeature", service="guardduty", more=_feature_facts),
    *(
        Listing(
            type=f"aws:guardduty/{token}:{token[:1].upper()}{token[1:]}",
            service="guardduty",
            kind=kind,
            member=member,
            word=word,
            create=f"create_{kind}",
            tags_as="Tags",
            name_input="name",
            exclusive=kind == "ip_set",  # there is one
            more=_list_facts,
        )
        for token, kind, member, word in (
            ("iPSet", "ip_set", "IpSetId", "ipset"),
            ("threatIntelSet", "threat_intel_set", "ThreatIntelSetId", "threatintelset"),
        )
    ),
    Destination(
        type="aws:guardduty/publishingDestination:PublishingDestination",
        service="guardduty",
        create="create_publishing_destination",
        tags_as="Tags",
        exclusive=True,
        defaults={"destinationType": "S3"},
        more=_destination_facts,
    ),
)
