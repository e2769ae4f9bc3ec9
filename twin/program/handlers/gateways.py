"""Internet and NAT gateways, elastic addresses."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Setting, Spec


def _attach(call: Call, identity: str) -> None:
    client, wanted = call.client("ec2"), call.inputs.get("vpcId")
    gateway = client.describe_internet_gateways(InternetGatewayIds=[identity])["InternetGateways"][0]
    for attachment in gateway.get("Attachments", []):
        if attachment["VpcId"] == wanted:
            return
        client.detach_internet_gateway(InternetGatewayId=identity, VpcId=attachment["VpcId"])
    if wanted:
        client.attach_internet_gateway(InternetGatewayId=identity, VpcId=wanted)


def _detach(call: Call, identity: str, outputs: Plain) -> None:
    if outputs.get("vpcId"):
        with contextlib.suppress(ClientError):  # detached already; deleting tells the truth
            call.client("ec2").detach_internet_gateway(InternetGatewayId=identity, VpcId=outputs["vpcId"])


def _gateway_facts(call: Call, identity: str, _item: Plain) -> Plain:
    return {"arn": call.arn("ec2", f"internet-gateway/{identity}")}


def _address_facts(call: Call, identity: str, item: Plain) -> Plain:
    # outputs that the instance or NAT gateway behind the address decides are left to their own resources
    return {"arn": call.arn("ec2", f"elastic-ip/{identity}"), "allocationId": item["AllocationId"]}


def _nat_facts(_call: Call, _identity: str, item: Plain) -> Plain:
    addresses = item.get("NatGatewayAddresses") or [{}]
    first = addresses[0]
    return {
        "allocationId": first.get("AllocationId"),
        "publicIp": first.get("PublicIp"),
        "privateIp": first.get("PrivateIp"),
        "networkInterfaceId": first.get("NetworkInterfaceId"),
        "associationId": first.get("AssociationId"),
    }


@dataclass(frozen=True, kw_only=True)
class EipAssociation(Spec):
    """An address on an instance or interface."""

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The address that carries the association."""
        wanted = [{"Name": "association-id", "Values": [identity]}]
        found = call.client("ec2").describe_addresses(Filters=wanted)["Addresses"]
        return dict(found[0]) if found else None


SPECS = (
    Spec(
        type="aws:ec2/internetGateway:InternetGateway",
        service="ec2",
        create="create_internet_gateway",
        made="InternetGateway.InternetGatewayId",
        read="describe_internet_gateways",
        by="InternetGatewayIds",
        item="InternetGateways[0]",
        delete="delete_internet_gateway",
        delete_by="InternetGatewayId",
        tag_kind="internet-gateway",
        outputs={"vpcId": "Attachments[0].VpcId"},
        after=(Setting(("vpcId",), _attach),),
        before_delete=_detach,
        more=_gateway_facts,
    ),
    Spec(
        type="aws:ec2/eip:Eip",
        service="ec2",
        create="allocate_address",
        made="AllocationId",
        read="describe_addresses",
        by="AllocationIds",
        item="Addresses[0]",
        delete="release_address",
        delete_by="AllocationId",
        tag_kind="elastic-ip",
        more=_address_facts,
    ),
    EipAssociation(
        type="aws:ec2/eipAssociation:EipAssociation",
        service="ec2",
        create="associate_address",
        made="AssociationId",
        delete="disassociate_address",
        delete_by="AssociationId",
        exclusive=True,
    ),
    Spec(
        type="aws:ec2/natGateway:NatGateway",
        service="ec2",
        create="create_nat_gateway",
        made="NatGateway.NatGatewayId",
        read="describe_nat_gateways",
        by="NatGatewayIds",
        item="NatGateways[0]",
        delete="delete_nat_gateway",
        delete_by="NatGatewayId",
        tag_kind="natgateway",
        more=_nat_facts,
    ),
)
