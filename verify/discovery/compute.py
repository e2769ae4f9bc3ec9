"""Instances, volumes, launch templates and functions."""

from __future__ import annotations

from typing import Any

from verify.account import Account
from verify.discovery.joining import Contract, Finder, Found, join, tag
from verify.subjects import Resource


def _instances(account: Account, contract: Contract) -> Found:
    promised = {node["instance_id"]: (node["name"], node) for node in contract["nodes"]}
    reservations = account.need("ec2", "describe_instances")["Reservations"]
    seen = {
        i["InstanceId"]: i for r in reservations for i in r["Instances"] if i["State"]["Name"] != "terminated"
    }
    return join("instance", promised, seen, "ec2.describe_instances")


def _volumes(account: Account, contract: Contract) -> Found:
    names = {node["instance_id"]: node["name"] for node in contract["nodes"]}
    for volume in account.need("ec2", "describe_volumes")["Volumes"]:
        place: dict[str, Any] = next(iter(volume.get("Attachments", [])), {})
        owner = names.get(place.get("InstanceId", ""))
        name = f"{owner}{place.get('Device', '')}" if owner else volume["VolumeId"]
        yield Resource(f"volume/{name}", "volume", volume, "ec2.describe_volumes", {"id": volume["VolumeId"]})


def _templates(account: Account, _: Contract) -> Found:
    for template in account.need("ec2", "describe_launch_templates")["LaunchTemplates"]:
        identity = template["LaunchTemplateId"]
        versions = account.need(
            "ec2", "describe_launch_template_versions", LaunchTemplateId=identity, Versions=["$Latest"]
        )["LaunchTemplateVersions"]
        name = f"launch_template/{tag(template) or template['LaunchTemplateName']}"
        source = "ec2.describe_launch_template_versions"
        yield Resource(name, "launch_template", versions[0]["LaunchTemplateData"], source, {"id": identity})


def _functions(account: Account, contract: Contract) -> Found:
    windows = contract.get("windows")
    promised = {windows["function"]: ("windows", windows)} if windows else {}
    listed = account.need("lambda", "list_functions")["Functions"]
    return join("function", promised, {f["FunctionName"]: f for f in listed}, "lambda.list_functions")


KINDS: dict[str, Finder] = {
    "instance": _instances,
    "volume": _volumes,
    "launch_template": _templates,
    "function": _functions,
}
