"""Finds the parts of a region in the account, and joins them with what the region contract promises.

The account is asked for everything of a kind, never only for what the program says it made: a bucket that
somebody
added by hand is judged as well, and a promised one that is gone is a failure, not an absence of results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from verify.account import Account, AccountFault
from verify.subjects import Resource

Contract = dict[str, Any]
Found = Iterator[Resource]


def discover(kind: str, account: Account, contract: Contract) -> list[Resource]:
    """All resources of a kind, sorted by id; one that says so when the account does not answer."""
    try:
        found = list(KINDS[kind](account, contract))
    except AccountFault as fault:
        return [Resource(f"{kind}/unknown", kind, problem=str(fault), error=True)]
    nothing = Resource(f"{kind}/none", kind, absent=True)
    return sorted(found, key=lambda resource: resource.id) or [nothing]


def tag(data: dict[str, Any], key: str = "Name") -> str | None:
    """A tag's value in an EC2 description."""
    return next((str(t["Value"]) for t in data.get("Tags", []) if t["Key"] == key), None)


def _join(
    kind: str, promised: dict[str, tuple[str, dict[str, Any]]], seen: dict[str, Any], source: str
) -> Found:
    """`promised` by the account's id: (our name, contract entry); `seen` by the same id: the account's
    description."""
    for identity, (name, expected) in promised.items():
        facts = {"id": identity}
        if identity in seen:
            yield Resource(f"{kind}/{name}", kind, seen[identity], source, facts, expected)
        else:
            problem = f"{identity} of the region contract is not in the account"
            yield Resource(
                f"{kind}/{name}", kind, source=source, facts=facts, expected=expected, problem=problem
            )
    for identity, data in seen.items():
        if identity not in promised:
            name = data.get("Name") or identity
            yield Resource(f"{kind}/{name}", kind, data, source, {"id": identity})


def _vpcs(account: Account, contract: Contract) -> Found:
    promised = {vpc["id"]: (name, vpc) for name, vpc in contract["vpcs"].items()}
    seen = {vpc["VpcId"]: vpc for vpc in account.need("ec2", "describe_vpcs")["Vpcs"]}
    return _join("vpc", promised, seen, "ec2.describe_vpcs")


def _subnets(account: Account, contract: Contract) -> Found:
    promised = {
        subnet["id"]: (f"{vpc_name}/{name}", {**subnet, "vpc": vpc["id"]})
        for vpc_name, vpc in contract["vpcs"].items()
        for name, subnet in vpc["subnets"].items()
    }
    seen = {subnet["SubnetId"]: subnet for subnet in account.need("ec2", "describe_subnets")["Subnets"]}
    return _join("subnet", promised, seen, "ec2.describe_subnets")


def _security_groups(account: Account, contract: Contract) -> Found:
    roles = {node["security_group"]: (node["role"], {"role": node["role"]}) for node in contract["nodes"]}
    defaults = {vpc["default_security_group"] for vpc in contract["vpcs"].values()}
    groups = account.need("ec2", "describe_security_groups")["SecurityGroups"]
    # The default groups have a control of their own (they belong to their VPC), wherever the VPC came from.
    seen = {
        group["GroupId"]: {**group, "Name": group["GroupName"]}
        for group in groups
        if group["GroupName"] != "default" and group["GroupId"] not in defaults
    }
    return _join("security_group", roles, seen, "ec2.describe_security_groups")


def _instances(account: Account, contract: Contract) -> Found:
    promised = {node["instance_id"]: (node["name"], node) for node in contract["nodes"]}
    reservations = account.need("ec2", "describe_instances")["Reservations"]
    seen = {
        i["InstanceId"]: i for r in reservations for i in r["Instances"] if i["State"]["Name"] != "terminated"
    }
    return _join("instance", promised, seen, "ec2.describe_instances")


def _volumes(account: Account, contract: Contract) -> Found:
    names = {node["instance_id"]: node["name"] for node in contract["nodes"]}
    for volume in account.need("ec2", "describe_volumes")["Volumes"]:
        place: dict[str, Any] = next(iter(volume.get("Attachments", [])), {})
        owner = names.get(place.get("InstanceId", ""))
        name = f"{owner}{place.get('Device', '')}" if owner else volume["VolumeId"]
        yield Resource(f"volume/{name}", "volume", volume, "ec2.describe_volumes", {"id": volume["VolumeId"]})


def _buckets(account: Account, contract: Contract) -> Found:
    promised = {bucket["name"]: (name, bucket) for name, bucket in contract["buckets"].items()}
    seen = {bucket["Name"]: bucket for bucket in account.need("s3", "list_buckets")["Buckets"]}
    return _join("bucket", promised, seen, "s3.list_buckets")


def _keys(account: Account, contract: Contract) -> Found:
    promised = {arn: (name, {"arn": arn}) for name, arn in contract["keys"].items()}
    seen = {}
    for entry in account.need("kms", "list_keys")["Keys"]:
        key = account.need("kms", "describe_key", KeyId=entry["KeyId"])["KeyMetadata"]
        if key.get("KeyManager") == "CUSTOMER" and key["KeyState"] not in (
            "PendingDeletion",
            "PendingReplicaDeletion",
        ):
            seen[key["Arn"]] = {**key, "Name": key["KeyId"]}
    return _join("key", promised, seen, "kms.describe_key")


def _roles(account: Account, contract: Contract) -> Found:
    promised = {role["role_arn"]: (name, role) for name, role in contract["roles"].items()}
    seen = {}
    for entry in account.need("iam", "list_roles")["Roles"]:
        # Roles under these paths are AWS's own: nobody can change their policies.
        if not entry["Path"].startswith(("/aws-service-role/", "/aws-reserved/")):
            role = account.need("iam", "get_role", RoleName=entry["RoleName"])["Role"]
            seen[role["Arn"]] = {**role, "Name": tag(role) or role["RoleName"]}
    return _join("role", promised, seen, "iam.get_role")


def _vpns(account: Account, contract: Contract) -> Found:
    promised = {
        vpn["connection"]: (name, {**vpn, "site": name.split("/")[0]})
        for name, vpn in contract["vpn"].items()
    }
    connections = account.need("ec2", "describe_vpn_connections")["VpnConnections"]
    seen = {vpn["VpnConnectionId"]: vpn for vpn in connections if vpn["State"] != "deleted"}
    return _join("vpn", promised, seen, "ec2.describe_vpn_connections")


def _log_groups(account: Account, _: Contract) -> Found:
    for group in account.need("logs", "describe_log_groups")["logGroups"]:
        name = group["logGroupName"]
        yield Resource(
            f"log_group/{name.lstrip('/')}", "log_group", group, "logs.describe_log_groups", {"id": name}
        )


def _endpoints(account: Account, contract: Contract) -> Found:
    names = {vpc["id"]: name for name, vpc in contract["vpcs"].items()}
    for endpoint in account.need("ec2", "describe_vpc_endpoints")["VpcEndpoints"]:
        if endpoint["State"].lower() in ("deleted", "deleting"):
            continue
        service = endpoint["ServiceName"].rsplit(".", 1)[-1]
        kind = endpoint["VpcEndpointType"].lower()
        name = f"{names.get(endpoint['VpcId'], endpoint['VpcId'])}/{service}-{kind}"
        facts = {"id": endpoint["VpcEndpointId"]}
        yield Resource(f"endpoint/{name}", "endpoint", endpoint, "ec2.describe_vpc_endpoints", facts)


def _templates(account: Account, _: Contract) -> Found:
    for template in account.need("ec2", "describe_launch_templates")["LaunchTemplates"]:
        identity = template["LaunchTemplateId"]
        versions = account.need(
            "ec2", "describe_launch_template_versions", LaunchTemplateId=identity, Versions=["$Latest"]
        )["LaunchTemplateVersions"]
        name = f"launch_template/{tag(template) or template['LaunchTemplateName']}"
        source = "ec2.describe_launch_template_versions"
        yield Resource(name, "launch_template", versions[0]["LaunchTemplateData"], source, {"id": identity})


def _peerings(account: Account, contract: Contract) -> Found:
    names = {vpc["id"]: name for name, vpc in contract["vpcs"].items()}
    for peering in account.need("ec2", "describe_vpc_peering_connections")["VpcPeeringConnections"]:
        if peering["Status"]["Code"] in ("deleted", "rejected", "failed", "expired"):
            continue
        ends = [peering[side].get("VpcId", "?") for side in ("RequesterVpcInfo", "AccepterVpcInfo")]
        name = "-".join(sorted(names.get(end, end) for end in ends))
        facts = {"id": peering["VpcPeeringConnectionId"]}
        yield Resource(f"peering/{name}", "peering", peering, "ec2.describe_vpc_peering_connections", facts)


KINDS: dict[str, Callable[[Account, Contract], Found]] = {
    "vpc": _vpcs,
    "subnet": _subnets,
    "security_group": _security_groups,
    "instance": _instances,
    "volume": _volumes,
    "bucket": _buckets,
    "key": _keys,
    "role": _roles,
    "vpn": _vpns,
    "log_group": _log_groups,
    "endpoint": _endpoints,
    "launch_template": _templates,
    "peering": _peerings,
}
