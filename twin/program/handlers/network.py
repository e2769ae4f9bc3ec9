"""VPCs and subnets."""

from __future__ import annotations

from twin.program.handlers.ipv6 import subnet_facts, vpc_facts
from twin.program.handlers.spec import Call, Plain, Setting, Spec


def the(call: Call, operation: str, key: str, **filters: str) -> list[Plain]:
    """EC2 objects by filters, e.g. `the(call, "describe_network_acls", "NetworkAcls", vpc_id=…)`."""
    wanted = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
    found: list[Plain] = getattr(call.client("ec2"), operation)(Filters=wanted)[key]
    return found


def refuse_unsuccessful(answer: Plain) -> None:
    """EC2's list operations say "200" and put errors into the answer."""
    for item in answer.get("Unsuccessful", []):
        error = item.get("Error", {})
        if "NotFound" not in str(error.get("Code")):
            raise RuntimeError(f"{item.get('ResourceId')}: {error.get('Code')}: {error.get('Message')}")


def _vpc_attribute(name: str) -> Setting:
    def apply(call: Call, identity: str) -> None:
        parameter = name[:1].upper() + name[1:]
        value = {"Value": bool(call.inputs[name])}
        call.client("ec2").modify_vpc_attribute(VpcId=identity, **{parameter: value})

    return Setting((name,), apply)


def _vpc_facts(call: Call, identity: str, item: Plain) -> Plain:
    client, facts = call.client("ec2"), vpc_facts(item)
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        answer = client.describe_vpc_attribute(VpcId=identity, Attribute=name)
        facts[name] = answer[name[:1].upper() + name[1:]]["Value"]
    main = the(call, "describe_route_tables", "RouteTables", vpc_id=identity)
    mains = [t for t in main if any(a.get("Main") for a in t["Associations"])]
    if mains:
        facts["mainRouteTableId"] = facts["defaultRouteTableId"] = mains[0]["RouteTableId"]
    acls = [a for a in the(call, "describe_network_acls", "NetworkAcls", vpc_id=identity) if a["IsDefault"]]
    facts["defaultNetworkAclId"] = acls[0]["NetworkAclId"] if acls else None
    groups = the(call, "describe_security_groups", "SecurityGroups", vpc_id=identity, group_name="default")
    facts["defaultSecurityGroupId"] = groups[0]["GroupId"] if groups else None
    facts["arn"] = call.arn("ec2", f"vpc/{identity}")
    return facts


def _subnet_attribute(name: str) -> Setting:
    def apply(call: Call, identity: str) -> None:
        parameter = name[:1].upper() + name[1:]
        value = {"Value": bool(call.inputs[name])}
        call.client("ec2").modify_subnet_attribute(SubnetId=identity, **{parameter: value})

    return Setting((name,), apply)


SPECS = (
    Spec(
        type="aws:ec2/vpc:Vpc",
        service="ec2",
        create="create_vpc",
        made="Vpc.VpcId",
        read="describe_vpcs",
        by="VpcIds",
        item="Vpcs[0]",
        delete="delete_vpc",
        delete_by="VpcId",
        tag_kind="vpc",
        rename={"assignGeneratedIpv6CidrBlock": "AmazonProvidedIpv6CidrBlock"},
        after=(_vpc_attribute("enableDnsSupport"), _vpc_attribute("enableDnsHostnames")),
        more=_vpc_facts,
    ),
    Spec(
        type="aws:ec2/subnet:Subnet",
        service="ec2",
        create="create_subnet",
        made="Subnet.SubnetId",
        read="describe_subnets",
        by="SubnetIds",
        item="Subnets[0]",
        delete="delete_subnet",
        delete_by="SubnetId",
        tag_kind="subnet",
        outputs={"arn": "SubnetArn"},
        more=lambda _call, _identity, item: subnet_facts(item),
        after=(_subnet_attribute("mapPublicIpOnLaunch"), _subnet_attribute("assignIpv6AddressOnCreation")),
    ),
)
