"""Transit gateways of the emulated account against AWS's documented answers."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.emulated_account import aws
from twin.program.aws import Clients

__all__ = ["aws"]
CLOSED = {"DefaultRouteTableAssociation": "disable", "DefaultRouteTablePropagation": "disable"}


@pytest.fixture(scope="module")
def ec2(aws: Clients) -> Any:
    return aws.client("ec2")


def attach(ec2: Any, gateway: str, block: str, tags: dict[str, str] | None = None) -> dict[str, Any]:
    vpc = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=block.replace("/16", "/24"))["Subnet"]["SubnetId"]
    listed = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    specifications = [{"ResourceType": "transit-gateway-attachment", "Tags": listed}]
    made = ec2.create_transit_gateway_vpc_attachment(
        TransitGatewayId=gateway,
        VpcId=vpc,
        SubnetIds=[subnet],
        **({"TagSpecifications": specifications} if listed else {}),
    )
    return dict(made["TransitGatewayVpcAttachment"])


def associations(ec2: Any, table: str) -> list[str]:
    found = ec2.get_transit_gateway_route_table_associations(TransitGatewayRouteTableId=table)
    return [item["TransitGatewayAttachmentId"] for item in found["Associations"]]


def test_a_gateway_without_defaults_has_no_table_and_associates_nothing(ec2: Any) -> None:
    gateway = ec2.create_transit_gateway(Options=CLOSED)["TransitGateway"]
    assert "AssociationDefaultRouteTableId" not in gateway["Options"]
    assert gateway["Options"]["SecurityGroupReferencingSupport"] == "disable"
    made = attach(ec2, gateway["TransitGatewayId"], "10.80.0.0/16", {"Name": "a"})
    assert made["Tags"] == [{"Key": "Name", "Value": "a"}]
    wanted = [{"Name": "transit-gateway-id", "Values": [gateway["TransitGatewayId"]]}]
    assert ec2.describe_transit_gateway_route_tables(Filters=wanted)["TransitGatewayRouteTables"] == []
    (seen,) = ec2.describe_transit_gateway_attachments(Filters=wanted)["TransitGatewayAttachments"]
    assert "Association" not in seen
    with pytest.raises(ClientError, match="IncorrectState"):
        ec2.delete_transit_gateway(TransitGatewayId=gateway["TransitGatewayId"])


def test_a_gateway_with_defaults_associates_by_itself(ec2: Any) -> None:
    gateway = ec2.create_transit_gateway()["TransitGateway"]
    made = attach(ec2, gateway["TransitGatewayId"], "10.81.0.0/16")
    table = gateway["Options"]["AssociationDefaultRouteTableId"]
    assert associations(ec2, table) == [made["TransitGatewayAttachmentId"]]


def test_an_association_is_explicit_and_ends_with_its_attachment(ec2: Any) -> None:
    gateway = ec2.create_transit_gateway(Options=CLOSED)["TransitGateway"]["TransitGatewayId"]
    attachment = attach(ec2, gateway, "10.82.0.0/16")["TransitGatewayAttachmentId"]
    table = ec2.create_transit_gateway_route_table(TransitGatewayId=gateway)
    known = table["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"]
    ends = {"TransitGatewayRouteTableId": known, "TransitGatewayAttachmentId": attachment}
    made = ec2.associate_transit_gateway_route_table(**ends)["Association"]
    assert (made["State"], made["ResourceType"]) == ("associated", "vpc")
    assert associations(ec2, known) == [attachment]
    (seen,) = ec2.describe_transit_gateway_attachments(TransitGatewayAttachmentIds=[attachment])[
        "TransitGatewayAttachments"
    ]
    assert seen["Association"] == {"State": "associated", "TransitGatewayRouteTableId": known}
    ec2.disassociate_transit_gateway_route_table(**ends)
    assert associations(ec2, known) == []
    ec2.associate_transit_gateway_route_table(**ends)
    ec2.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment)
    assert associations(ec2, known) == []


def test_routes_are_told_with_their_attachment_and_a_blackhole_as_such(ec2: Any) -> None:
    gateway = ec2.create_transit_gateway(Options=CLOSED)["TransitGateway"]["TransitGatewayId"]
    attachment = attach(ec2, gateway, "10.83.0.0/16")["TransitGatewayAttachmentId"]
    table = ec2.create_transit_gateway_route_table(TransitGatewayId=gateway)
    known = {"TransitGatewayRouteTableId": table["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"]}
    through = {"DestinationCidrBlock": "10.83.0.0/24", "TransitGatewayAttachmentId": attachment}
    ec2.create_transit_gateway_route(**known, **through)
    ec2.create_transit_gateway_route(**known, DestinationCidrBlock="0.0.0.0/0", Blackhole=True)
    static = [{"Name": "type", "Values": ["static"]}]
    routes = ec2.search_transit_gateway_routes(**known, Filters=static)["Routes"]
    told = {route["DestinationCidrBlock"]: route for route in routes}
    assert told["0.0.0.0/0"]["State"] == "blackhole"
    assert told["10.83.0.0/24"]["TransitGatewayAttachments"][0]["TransitGatewayAttachmentId"] == attachment
    for wrong in (through, {"DestinationCidrBlock": "10.9.0.0/24"}):
        with pytest.raises(ClientError):
            ec2.create_transit_gateway_route(**known, **wrong)
    ec2.delete_transit_gateway_route(**known, DestinationCidrBlock="0.0.0.0/0")
    exact = [{"Name": "route-search.exact-match", "Values": ["0.0.0.0/0"]}]
    assert ec2.search_transit_gateway_routes(**known, Filters=exact)["Routes"] == []
