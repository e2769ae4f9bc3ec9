"""EventBridge rules, targets and archives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Spec, tag_list, tags_of, to_aws, to_pulumi


def _given(call: Call, *beside: str) -> Plain:
    return {key: value for key, value in call.inputs.items() if key not in Spec.known_inputs | set(beside)}


def _id_of(bus: str, name: str) -> str:
    return name if bus == "default" else f"{bus}/{name}"


def _bus(identity: str) -> tuple[str, str]:
    bus, _, name = identity.rpartition("/")
    return bus or "default", name


@dataclass(frozen=True, kw_only=True)
class Rule(Spec):
    """A rule; its name is its id, after the bus's when that is not the default one."""

    def make(self, call: Call) -> str:
        """PutRule makes and changes."""
        client = call.client("events")
        parameters = to_aws(client, "put_rule", _given(call, "forceDestroy"), {})
        client.put_rule(**parameters, Tags=tag_list(call.tags))
        return _id_of(parameters.get("EventBusName", "default"), parameters["Name"])

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The rule and its tags."""
        client, (bus, name) = call.client("events"), _bus(identity)
        try:
            found = client.describe_rule(Name=name, EventBusName=bus)
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return {**found, "Tags": client.list_tags_for_resource(ResourceARN=found["Arn"]).get("Tags", [])}

    def is_dead(self, item: Plain) -> bool:
        """ENABLED and DISABLED are settings."""
        return False

    def can_change(self, changed: set[str]) -> bool:
        """Everything but the name and the bus."""
        return not changed & {"name", "eventBusName"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Put again; tags of a rule that exists have operations of their own."""
        client = call.client("events")
        if changed - {"tags", "tagsAll"}:
            client.put_rule(**to_aws(client, "put_rule", _given(call, "forceDestroy"), {}))
        if changed & {"tags", "tagsAll"}:
            bus, name = _bus(identity)
            arn = client.describe_rule(Name=name, EventBusName=bus)["Arn"]
            stale = sorted(set(tags_of(client.list_tags_for_resource(ResourceARN=arn))) - set(call.tags))
            if stale:
                client.untag_resource(ResourceARN=arn, TagKeys=stale)
            client.tag_resource(ResourceARN=arn, Tags=tag_list(call.tags))

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete; targets are resources of their own and gone by then."""
        bus, name = _bus(identity)
        try:
            call.client("events").delete_rule(Name=name, EventBusName=bus)
        except ClientError as error:
            if not self.means_gone(error):
                raise


def _rule_facts(_call: Call, identity: str, item: Plain) -> Plain:
    facts: Plain = {"arn": item["Arn"], "name": _bus(identity)[1], "eventBusName": item["EventBusName"]}
    return facts | {"state": item["State"], "isEnabled": item["State"] != "DISABLED"}


# ---------------------------------------------------------------------- targets
# The wire's word → EventBridge's, where they are not the same.
_TARGET = {"targetId": "id", "inputTransformer": "inputTransformer", "sqsTarget": "sqsParameters"}
_TRANSFORMER = {"inputPaths": "inputPathsMap"}


@dataclass(frozen=True, kw_only=True)
class Target(Spec):
    """A target of a rule; `<bus>/<rule>/<target>` is its id."""

    def make(self, call: Call) -> str:
        """PutTargets makes and changes; what it could not put is a fault."""
        client, bus = call.client("events"), call.inputs.get("eventBusName", "default")
        stated = {
            _TARGET.get(key, key): value
            for key, value in _given(call, "rule", "eventBusName", "forceDestroy").items()
        }
        stated.setdefault("id", self.automatic_name(call.name))
        rule = call.inputs["rule"]
        asked = {"rule": rule, "eventBusName": bus, "targets": [stated]}
        answer = client.put_targets(**to_aws(client, "put_targets", asked, _TRANSFORMER))
        if answer["FailedEntryCount"]:
            raise ValueError(f"target of {rule}: {answer['FailedEntries'][0].get('ErrorMessage')}")
        return f"{bus}/{rule}/{stated['id']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The target in its rule's list."""
        bus, rule, name = identity.split("/", 2)
        try:
            found = call.client("events").list_targets_by_rule(Rule=rule, EventBusName=bus)["Targets"]
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        exact = [one for one in found if one["Id"] == name]
        return dict(exact[0]) if exact else None

    def can_change(self, changed: set[str]) -> bool:
        """Everything but which rule and which target."""
        return not changed & {"rule", "eventBusName", "targetId"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Put again."""
        self.make(call)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Remove it from the rule."""
        bus, rule, name = identity.split("/", 2)
        try:
            call.client("events").remove_targets(Rule=rule, EventBusName=bus, Ids=[name])
        except ClientError as error:
            if not self.means_gone(error):
                raise


def _target_facts(_call: Call, identity: str, item: Plain) -> Plain:
    bus, rule, name = identity.split("/", 2)
    facts: Plain = {"arn": item["Arn"], "rule": rule, "targetId": name, "eventBusName": bus}
    if "InputTransformer" in item:
        told = item["InputTransformer"]
        paths = told.get("InputPathsMap", {})
        facts["inputTransformer"] = {"inputPaths": paths, "inputTemplate": told["InputTemplate"]}
    for wire, name in (("deadLetterConfig", "DeadLetterConfig"), ("retryPolicy", "RetryPolicy")):
        if name in item:
            facts[wire] = to_pulumi(item[name])
    return facts


# ---------------------------------------------------------------------- archives
@dataclass(frozen=True, kw_only=True)
class Archive(Spec):
    """An archive; its name is its id."""

    def can_change(self, changed: set[str]) -> bool:
        """UpdateArchive takes these."""
        return changed <= {"description", "eventPattern", "retentionDays", "kmsKeyIdentifier"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """UpdateArchive."""
        client = call.client("events")
        given = _given(call, "name", "eventSourceArn")
        client.update_archive(ArchiveName=identity, **to_aws(client, "update_archive", given, {}))

    def is_dead(self, item: Plain) -> bool:
        """ENABLED and DISABLED are settings."""
        return False


def _archive_facts(_call: Call, identity: str, item: Plain) -> Plain:
    facts: dict[str, Any] = {"arn": item["ArchiveArn"], "name": identity}
    return facts


SPECS = (
    Rule(
        type="aws:cloudwatch/eventRule:EventRule",
        service="events",
        name_input="name",
        exclusive=True,
        tags_as="Tags",
        write_only=frozenset({"forceDestroy"}),  # how it is deleted
        more=_rule_facts,
    ),
    Target(
        type="aws:cloudwatch/eventTarget:EventTarget",
        service="events",
        exclusive=True,
        write_only=frozenset({"forceDestroy"}),  # how it is deleted
        more=_target_facts,
    ),
    Archive(
        type="aws:cloudwatch/eventArchive:EventArchive",
        service="events",
        create="create_archive",
        made="=name",
        read="describe_archive",
        by="ArchiveName",
        delete="delete_archive",
        delete_by="ArchiveName",
        rename={"name": "ArchiveName"},
        name_input="name",
        max_name=48,
        exclusive=True,
        more=_archive_facts,
    ),
)
