"""Launch templates and instances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin.program.handlers.ipv6 import instance_facts
from twin.program.handlers.spec import Call, Plain, Spec, tag_list, tags_of, to_aws, to_pulumi

_TEMPLATE_NAMES = {"vpcSecurityGroupIds": "SecurityGroupIds", "securityGroupNames": "SecurityGroups"}
_TEMPLATE_OWN = frozenset({"name", "description", "updateDefaultVersion", "defaultVersion"})


@dataclass(frozen=True, kw_only=True)
class LaunchTemplate(Spec):
    """A template; every change of its data is a new version."""

    def _data(self, client: Any, call: Call) -> Plain:
        rest = {k: v for k, v in call.inputs.items() if k not in _TEMPLATE_OWN and k not in self.known_inputs}
        given = {"launchTemplateData": rest}
        data: Plain = to_aws(client, "create_launch_template", given, _TEMPLATE_NAMES)["LaunchTemplateData"]
        return data

    def create_params(self, client: Any, call: Call) -> Plain:
        """Name, description of the first version, data."""
        parameters: Plain = {
            "LaunchTemplateName": call.inputs["name"],
            "LaunchTemplateData": self._data(client, call),
        }
        if call.inputs.get("description"):
            parameters["VersionDescription"] = call.inputs["description"]
        if call.tags:
            parameters["TagSpecifications"] = [{"ResourceType": self.tag_kind, "Tags": tag_list(call.tags)}]
        return parameters

    def can_change(self, changed: set[str]) -> bool:
        """All but the name."""
        return "name" not in changed

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """A new version, the default one if the program says so."""
        client = call.client("ec2")
        if changed - {"tags", "tagsAll", "updateDefaultVersion", "defaultVersion"}:
            parameters = {"LaunchTemplateId": identity, "LaunchTemplateData": self._data(client, call)}
            if call.inputs.get("description"):
                parameters["VersionDescription"] = call.inputs["description"]
            client.create_launch_template_version(**parameters)
        found = client.describe_launch_templates(LaunchTemplateIds=[identity])["LaunchTemplates"][0]
        wanted = call.inputs.get("defaultVersion")
        if call.inputs.get("updateDefaultVersion"):
            wanted = found["LatestVersionNumber"]
        if wanted and wanted != found["DefaultVersionNumber"]:
            client.modify_launch_template(LaunchTemplateId=identity, DefaultVersion=str(wanted))
        if changed & {"tags", "tagsAll"}:
            self.retag(call, identity)


def _template_facts(call: Call, identity: str, item: Plain) -> Plain:
    client = call.client("ec2")
    versions = client.describe_launch_template_versions(LaunchTemplateId=identity, Versions=["$Latest"])
    latest = versions["LaunchTemplateVersions"][0]
    data: Plain = latest["LaunchTemplateData"]
    facts: Plain = to_pulumi(data)
    facts["vpcSecurityGroupIds"] = facts.pop("securityGroupIds", [])
    facts["tagSpecifications"] = [
        {"resourceType": spec["ResourceType"], "tags": tags_of(spec)}
        for spec in data.get("TagSpecifications", [])
    ]
    return facts | {
        "arn": call.arn("ec2", f"launch-template/{identity}"),
        "name": item["LaunchTemplateName"],
        "description": latest.get("VersionDescription"),
        "latestVersion": item["LatestVersionNumber"],
        "defaultVersion": item["DefaultVersionNumber"],
    }


# ---------------------------------------------------------------------- instances
_INSTANCE_NAMES = {
    "ami": "ImageId",
    "vpcSecurityGroupIds": "SecurityGroupIds",
    "privateIp": "PrivateIpAddress",
    "userDataBase64": "UserData",
    "id": "LaunchTemplateId",
    "name": "LaunchTemplateName",
}
_VOLUME_NAMES = (
    "volumeSize",
    "volumeType",
    "encrypted",
    "kmsKeyId",
    "iops",
    "throughput",
    "deleteOnTermination",
)
_CHANGEABLE = frozenset(
    {"tags", "tagsAll", "metadataOptions", "vpcSecurityGroupIds", "sourceDestCheck", "monitoring"}
    | {"disableApiTermination", "disableApiStop"}
)


@dataclass(frozen=True, kw_only=True)
class Instance(Spec):
    """One instance; what its launch template says is the template's to state."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """RunInstances, exactly one."""
        special = {
            "rootBlockDevice",
            "ebsBlockDevices",
            "iamInstanceProfile",
            "monitoring",
            "sourceDestCheck",
        }
        special |= {"availabilityZone", "tenancy", "associatePublicIpAddress", "volumeTags"}
        known = special | self.write_only | self.known_inputs
        parameters = to_aws(
            client, self.create, {k: v for k, v in call.inputs.items() if k not in known}, self.rename
        )
        given = call.inputs
        if given.get("iamInstanceProfile"):
            parameters["IamInstanceProfile"] = {"Name": given["iamInstanceProfile"]}
        if "monitoring" in given:
            parameters["Monitoring"] = {"Enabled": bool(given["monitoring"])}
        placement = {"AvailabilityZone": given.get("availabilityZone"), "Tenancy": given.get("tenancy")}
        if any(placement.values()):
            parameters["Placement"] = {k: v for k, v in placement.items() if v}
        self._volumes(call, parameters)
        self._interface(call, parameters)
        tags = [{"ResourceType": "instance", "Tags": tag_list(call.tags)}] if call.tags else []
        if given.get("volumeTags"):
            tags.append({"ResourceType": "volume", "Tags": tag_list(given["volumeTags"])})
        return parameters | {"MinCount": 1, "MaxCount": 1, "TagSpecifications": tags}

    @staticmethod
    def _volumes(call: Call, parameters: Plain) -> None:
        client = call.client("ec2")
        devices = [dict(device) for device in call.inputs.get("ebsBlockDevices") or []]
        if call.inputs.get("rootBlockDevice"):
            images = client.describe_images(ImageIds=[call.inputs["ami"]])["Images"]
            devices.append({**call.inputs["rootBlockDevice"], "deviceName": images[0]["RootDeviceName"]})
        mappings = []
        for device in devices:
            name = device.pop("deviceName")
            ebs = {k: v for k, v in device.items() if k not in {"tags", "tagsAll"}}
            mappings.append({"deviceName": name, "ebs": ebs})
        if mappings:
            converted = to_aws(client, "run_instances", {"blockDeviceMappings": mappings}, {})
            parameters |= converted

    @staticmethod
    def _interface(call: Call, parameters: Plain) -> None:
        if "associatePublicIpAddress" not in call.inputs:
            return
        interface: Plain = {
            "DeviceIndex": 0,
            "AssociatePublicIpAddress": bool(call.inputs["associatePublicIpAddress"]),
        }
        for name, own in (("SubnetId", "SubnetId"), ("SecurityGroupIds", "Groups")):
            if name in parameters:
                interface[own] = parameters.pop(name)
        if "PrivateIpAddress" in parameters:
            interface["PrivateIpAddress"] = parameters.pop("PrivateIpAddress")
        parameters["NetworkInterfaces"] = [interface]

    def settle(self, call: Call, identity: str) -> None:
        """What RunInstances does not take."""
        present = {"sourceDestCheck", "disableApiTermination"} & set(call.inputs)
        self._attributes(call, identity, present)

    def can_change(self, changed: set[str]) -> bool:
        """What can change while it runs."""
        return changed <= _CHANGEABLE

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Each by its own operation."""
        client = call.client("ec2")
        self._attributes(call, identity, changed)
        if "metadataOptions" in changed:
            wanted = to_aws(
                client, "modify_instance_metadata_options", call.inputs.get("metadataOptions") or {}, {}
            )
            client.modify_instance_metadata_options(InstanceId=identity, **wanted)
        if "vpcSecurityGroupIds" in changed:
            groups = call.inputs["vpcSecurityGroupIds"]
            client.modify_instance_attribute(InstanceId=identity, Groups=groups)
        if "monitoring" in changed:
            verb = client.monitor_instances if call.inputs.get("monitoring") else client.unmonitor_instances
            verb(InstanceIds=[identity])
        if changed & {"tags", "tagsAll"}:
            self.retag(call, identity)

    @staticmethod
    def _attributes(call: Call, identity: str, names: set[str]) -> None:
        for name in sorted(names & {"sourceDestCheck", "disableApiTermination", "disableApiStop"}):
            value = {"Value": bool(call.inputs.get(name))}
            parameter = name[:1].upper() + name[1:]
            call.client("ec2").modify_instance_attribute(InstanceId=identity, **{parameter: value})

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Terminate."""
        if self.fetch(call, identity) is not None:
            call.client("ec2").terminate_instances(InstanceIds=[identity])


def _instance_facts(call: Call, identity: str, item: Plain) -> Plain:
    client = call.client("ec2")
    profile = (item.get("IamInstanceProfile") or {}).get("Arn", "")
    interfaces = item.get("NetworkInterfaces") or [{}]
    facts: Plain = {
        "arn": call.arn("ec2", f"instance/{identity}"),
        "ami": item.get("ImageId"),
        "instanceState": item["State"]["Name"],
        "privateIp": item.get("PrivateIpAddress"),
        "privateDns": item.get("PrivateDnsName"),
        "publicIp": item.get("PublicIpAddress") or "",
        "publicDns": item.get("PublicDnsName") or "",
        "availabilityZone": item["Placement"]["AvailabilityZone"],
        "tenancy": item["Placement"].get("Tenancy"),
        "vpcSecurityGroupIds": [group["GroupId"] for group in item.get("SecurityGroups", [])],
        "iamInstanceProfile": profile.rpartition("/")[2] or None,
        "monitoring": (item.get("Monitoring") or {}).get("State") == "enabled",
        "primaryNetworkInterfaceId": interfaces[0].get("NetworkInterfaceId"),
        "launchTemplate": _template_of(call, item),
    }
    if "disableApiTermination" in call.inputs:
        answer = client.describe_instance_attribute(InstanceId=identity, Attribute="disableApiTermination")
        facts["disableApiTermination"] = answer["DisableApiTermination"]["Value"]
    if {"userData", "userDataBase64"} & set(call.inputs):
        answer = client.describe_instance_attribute(InstanceId=identity, Attribute="userData")
        facts |= _user_data(answer)
    if {"rootBlockDevice", "ebsBlockDevices"} & set(call.inputs):
        facts |= _volume_facts(call, item)
    return facts | instance_facts(item)


def _user_data(answer: Plain) -> Plain:
    import base64  # noqa: PLC0415

    encoded = (answer.get("UserData") or {}).get("Value", "")
    plain = base64.b64decode(encoded).decode(errors="replace") if encoded else ""
    return {"userDataBase64": encoded, "userData": plain}


def _template_of(call: Call, item: Plain) -> Plain | None:
    tags = {tag["Key"]: tag["Value"] for tag in item.get("Tags", [])}
    identity = tags.get("aws:ec2launchtemplate:id")
    if identity is None:
        return None
    wanted = call.inputs.get("launchTemplate") or {}
    version = tags["aws:ec2launchtemplate:version"]
    if str(wanted.get("version", "")).startswith("$"):
        version = wanted[
            "version"
        ]  # the instance keeps the number it was launched with; the wish stays a word
    return {"id": identity, "version": version, "name": wanted.get("name")}


def _volume_facts(call: Call, item: Plain) -> Plain:
    mapped = {m["Ebs"]["VolumeId"]: m for m in item.get("BlockDeviceMappings", [])}
    found = call.client("ec2").describe_volumes(VolumeIds=list(mapped))["Volumes"]
    facts: Plain = {"ebsBlockDevices": []}
    for volume in found:
        mapping = mapped[volume["VolumeId"]]
        described = to_pulumi(volume) | {
            "volumeSize": volume["Size"],
            "deleteOnTermination": mapping["Ebs"].get("DeleteOnTermination"),
        }
        device = {k: described.get(k) for k in _VOLUME_NAMES} | {"deviceName": mapping["DeviceName"]}
        if mapping["DeviceName"] == item.get("RootDeviceName"):
            facts["rootBlockDevice"] = device
        else:
            facts["ebsBlockDevices"].append(device)
    return facts


SPECS = (
    LaunchTemplate(
        type="aws:ec2/launchTemplate:LaunchTemplate",
        service="ec2",
        create="create_launch_template",
        made="LaunchTemplate.LaunchTemplateId",
        read="describe_launch_templates",
        by="LaunchTemplateIds",
        item="LaunchTemplates[0]",
        delete="delete_launch_template",
        delete_by="LaunchTemplateId",
        tag_kind="launch-template",
        name_input="name",
        write_only=frozenset(
            {"updateDefaultVersion"}
        ),  # how a change is made, not a property of the template
        more=_template_facts,
    ),
    Instance(
        type="aws:ec2/instance:Instance",
        service="ec2",
        create="run_instances",
        made="Instances[0].InstanceId",
        read="describe_instances",
        by="InstanceIds",
        item="Reservations[0].Instances[0]",
        tag_kind="instance",
        rename=_INSTANCE_NAMES,
        # how the provider reacts to changes, not properties of the instance
        write_only=frozenset({"userDataReplaceOnChange", "forceDestroy"}),
        more=_instance_facts,
    ),
)
