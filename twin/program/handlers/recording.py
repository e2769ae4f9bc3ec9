"""AWS Config: recorder, delivery channel, what is kept, rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.regional import Switch
from twin.program.handlers.spec import Call, Plain, Spec, Unsupported, tag_list, tags_of, to_aws, to_pulumi


def _recorder(call: Call) -> dict[str, Any]:
    """The recorder as PutConfigurationRecorder takes it: its words begin small."""
    group = dict(call.inputs.get("recordingGroup") or {})
    strategies = group.pop("recordingStrategies", None)
    if strategies:
        group["recordingStrategy"] = strategies[0]
    if call.inputs.get("recordingMode"):
        raise Unsupported("recordingMode")  # the emulated account keeps none
    wanted: dict[str, Any] = {"name": call.inputs["name"], "roleARN": call.inputs["roleArn"]}
    return wanted | ({"recordingGroup": group} if group else {})


@dataclass(frozen=True, kw_only=True)
class Named(Spec):
    """A thing that is put whole, under a name that is its id."""

    def make(self, call: Call) -> str:
        """Put it."""
        self.put(call)
        return str(call.inputs["name"])

    def put(self, call: Call) -> None:
        """The operation that writes the whole thing."""
        raise NotImplementedError

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Put it again."""
        self.put(call)

    def can_change(self, changed: set[str]) -> bool:
        """All but the name."""
        return not changed & {"name", "region"}

    def identify(self, call: Call, answer: Plain) -> str:
        """The name."""
        return str(call.inputs["name"])


@dataclass(frozen=True, kw_only=True)
class Recorder(Named):
    """The configuration recorder; it records nothing until it is started."""

    def put(self, call: Call) -> None:
        """PutConfigurationRecorder."""
        client = call.client("config")
        given = to_aws(client, "put_configuration_recorder", {"configurationRecorder": _recorder(call)}, {})
        client.put_configuration_recorder(**given)

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """DescribeConfigurationRecorders."""
        client = call.client("config")
        try:
            found = client.describe_configuration_recorders(ConfigurationRecorderNames=[identity])
        except client.exceptions.NoSuchConfigurationRecorderException:
            return None
        return dict(found["ConfigurationRecorders"][0])


def _recorder_facts(_call: Call, _identity: str, item: Plain) -> Plain:
    group = to_pulumi(item.get("recordingGroup") or {})
    strategy = group.pop("recordingStrategy", None)
    return {"roleArn": item["roleARN"], "recordingGroup": group | {"recordingStrategies": [strategy]}}


@dataclass(frozen=True, kw_only=True)
class Channel(Named):
    """Where snapshots and history go."""

    def put(self, call: Call) -> None:
        """PutDeliveryChannel."""
        client = call.client("config")
        wanted = {k: v for k, v in call.inputs.items() if k not in self.known_inputs}
        rename = {
            "snapshotDeliveryProperties": "configSnapshotDeliveryProperties",
            "snsTopicArn": "snsTopicARN",
        }
        client.put_delivery_channel(
            **to_aws(client, "put_delivery_channel", {"deliveryChannel": wanted}, rename)
        )

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """DescribeDeliveryChannels."""
        client = call.client("config")
        try:
            found = client.describe_delivery_channels(DeliveryChannelNames=[identity])["DeliveryChannels"]
        except client.exceptions.NoSuchDeliveryChannelException:
            return None
        return dict(found[0])


def _channel_facts(_call: Call, _identity: str, item: Plain) -> Plain:
    facts: Plain = {"snsTopicArn": item.get("snsTopicARN")}
    if item.get("configSnapshotDeliveryProperties"):
        facts["snapshotDeliveryProperties"] = to_pulumi(item["configSnapshotDeliveryProperties"])
    return facts


@dataclass(frozen=True, kw_only=True)
class RecorderStatus(Named):
    """Whether the recorder records."""

    def put(self, call: Call) -> None:
        """Start or stop."""
        client, on = call.client("config"), call.inputs["isEnabled"]
        operation = client.start_configuration_recorder if on else client.stop_configuration_recorder
        operation(ConfigurationRecorderName=call.inputs["name"])

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """DescribeConfigurationRecorderStatus."""
        client = call.client("config")
        try:
            found = client.describe_configuration_recorder_status(ConfigurationRecorderNames=[identity])
        except client.exceptions.NoSuchConfigurationRecorderException:
            return None
        return {"Name": identity, "IsEnabled": found["ConfigurationRecordersStatus"][0]["recording"]}

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Stop: a channel in use cannot go."""
        client = call.client("config")
        try:
            client.stop_configuration_recorder(ConfigurationRecorderName=identity)
        except client.exceptions.NoSuchConfigurationRecorderException:
            return


@dataclass(frozen=True, kw_only=True)
class Rule(Named):
    """A rule; its name is its id."""

    def put(self, call: Call) -> None:
        """PutConfigRule, with the tags."""
        client = call.client("config")
        wanted = {k: v for k, v in call.inputs.items() if k not in self.known_inputs}
        rename = {"name": "ConfigRuleName", "sourceDetails": "SourceDetails"}
        parameters = to_aws(client, "put_config_rule", {"configRule": wanted}, rename)
        client.put_config_rule(**parameters, Tags=tag_list(call.tags))

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """DescribeConfigRules."""
        client = call.client("config")
        try:
            found = client.describe_config_rules(ConfigRuleNames=[identity])["ConfigRules"]
        except client.exceptions.NoSuchConfigRuleException:
            return None
        return dict(found[0]) if found else None

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Put it again; PutConfigRule adds tags and takes none away."""
        client, arn = call.client("config"), (self.fetch(call, identity) or {})["ConfigRuleArn"]
        stale = set(tags_of(client.list_tags_for_resource(ResourceArn=arn))) - set(call.tags)
        if stale:
            client.untag_resource(ResourceArn=arn, TagKeys=sorted(stale))
        self.put(call)


def _rule_facts(call: Call, identity: str, item: Plain) -> Plain:
    found = call.client("config").list_tags_for_resource(ResourceArn=item["ConfigRuleArn"])
    scope = item.get("Scope")
    return {
        "arn": item["ConfigRuleArn"],
        "ruleId": item["ConfigRuleId"],
        "name": identity,
        "source": {"owner": item["Source"]["Owner"], "sourceIdentifier": item["Source"]["SourceIdentifier"]},
        "inputParameters": item.get("InputParameters"),
        "tagsAll": tags_of(found),
        **({"scope": to_pulumi(scope)} if scope else {}),
    }


def _get_retention(call: Call) -> Plain | None:
    found = call.client("config").describe_retention_configurations()["RetentionConfigurations"]
    return dict(found[0]) if found else None


def _undo_retention(call: Call) -> None:
    try:
        call.client("config").delete_retention_configuration(RetentionConfigurationName="default")
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchRetentionConfigurationException":
            raise


SPECS = (
    Recorder(
        type="aws:cfg/recorder:Recorder",
        service="config",
        defaults={"name": "default"},
        delete="delete_configuration_recorder",
        delete_by="ConfigurationRecorderName",
        gone=("NoSuchConfigurationRecorderException",),
        more=_recorder_facts,
    ),
    Channel(
        type="aws:cfg/deliveryChannel:DeliveryChannel",
        service="config",
        defaults={"name": "default"},
        delete="delete_delivery_channel",
        delete_by="DeliveryChannelName",
        gone=("NoSuchDeliveryChannelException",),
        more=_channel_facts,
    ),
    RecorderStatus(type="aws:cfg/recorderStatus:RecorderStatus", service="config"),
    Switch(
        type="aws:cfg/retentionConfiguration:RetentionConfiguration",
        service="config",
        identity="default",
        put=lambda call: call.client("config").put_retention_configuration(
            RetentionPeriodInDays=int(call.inputs["retentionPeriodInDays"])
        ),
        get=_get_retention,
        undo=_undo_retention,
    ),
    Rule(
        type="aws:cfg/rule:Rule",
        service="config",
        delete="delete_config_rule",
        delete_by="ConfigRuleName",
        gone=("NoSuchConfigRuleException",),
        name_input="name",
        max_name=128,
        tags_as="Tags",
        more=_rule_facts,
    ),
)
