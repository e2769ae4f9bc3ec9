"""IPv6: the way out of a private tier, and the outputs by which VPC, subnet and instance tell theirs."""

from __future__ import annotations

from typing import Any

from twin.program.handlers.spec import Plain, Spec


def vpc_facts(item: Plain) -> Plain:
    """The block that Amazon provides, if it is associated, and whether it was asked for."""
    block = _associated(item)
    return {
        "assignGeneratedIpv6CidrBlock": bool(block) and block.get("Ipv6Pool", "Amazon") == "Amazon",
        "ipv6CidrBlock": block.get("Ipv6CidrBlock", ""),
        "ipv6AssociationId": block.get("AssociationId", ""),
    }


def subnet_facts(item: Plain) -> Plain:
    """A subnet's own /64; none without one, as the provider has it."""
    block = _associated(item)
    if not block:
        return {}
    return {
        "ipv6CidrBlock": block["Ipv6CidrBlock"],
        "ipv6CidrBlockAssociationId": block["AssociationId"],
    }


def instance_facts(item: Plain) -> Plain:
    """The addresses of the primary interface."""
    interfaces: list[Any] = item.get("NetworkInterfaces") or [{}]
    addresses = [address["Ipv6Address"] for address in interfaces[0].get("Ipv6Addresses") or []]
    return {"ipv6Addresses": addresses, "ipv6AddressCount": len(addresses)}


def _associated(item: Plain) -> Plain:
    found = item.get("Ipv6CidrBlockAssociationSet") or []
    return next((one for one in found if one["Ipv6CidrBlockState"]["State"] == "associated"), {})


SPECS = (
    Spec(
        type="aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway",
        service="ec2",
        create="create_egress_only_internet_gateway",
        made="EgressOnlyInternetGateway.EgressOnlyInternetGatewayId",
        read="describe_egress_only_internet_gateways",
        by="EgressOnlyInternetGatewayIds",
        item="EgressOnlyInternetGateways[0]",
        delete="delete_egress_only_internet_gateway",
        delete_by="EgressOnlyInternetGatewayId",
        tag_kind="egress-only-internet-gateway",
        outputs={"vpcId": "Attachments[0].VpcId"},
    ),
)
