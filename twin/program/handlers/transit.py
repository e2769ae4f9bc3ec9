"""Transit gateways: the gateway, attachments of VPCs, route tables, their associations and routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin.program.handlers.spec import Call, Plain, Setting, Spec, to_aws, to_pulumi

_GATEWAY_OPTIONS = (
    *("amazonSideAsn", "autoAcceptSharedAttachments", "defaultRouteTableAssociation"),
    *("defaultRouteTablePropagation", "dnsSupport", "multicastSupport", "securityGroupReferencingSupport"),
    *("transitGatewayCidrBlocks", "vpnEcmpSupport"),
)
_ATTACHMENT_OPTIONS = ("applianceModeSupport", "dnsSupport", "ipv6Support", "securityGroupReferencingSupport")
_BY_DEFAULT = "transitGatewayDefaultRouteTable"


@dataclass(frozen=True, kw_only=True)
class Optioned(Spec):
    """What keeps part of its inputs under Options."""

    options: tuple[str, ...]

    def create_params(self, client: Any, call: Call) -> Plain:
        """Options as the structure of their own."""
        given = {name: call.inputs[name] for name in self.options if name in call.inputs}
        rest = {name: value for name, value in call.inputs.items() if name not in given}
        params = super().create_params(client, _with(call, rest))
        return params | to_aws(client, self.create, {"options": given}, {})

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Options told as inputs are."""
        item = super().fetch(call, identity)
        return item | item.get("Options", {}) if item else None


def _with(call: Call, inputs: Plain) -> Call:
    return Call(**{**vars(call), "inputs": inputs})


def _gateway_facts(_call: Call, _identity: str, item: Plain) -> Plain:
    facts = {name: value for name, value in to_pulumi(item["Options"]).items() if name in _GATEWAY_OPTIONS}
    return facts | {"arn": item["TransitGatewayArn"]}


def _attachment_facts(call: Call, identity: str, item: Plain) -> Plain:
    client = call.client("ec2")
    gateway = client.describe_transit_gateways(TransitGatewayIds=[item["TransitGatewayId"]])
    options = gateway["TransitGateways"][0]["Options"]
    facts: Plain = {}
    for word, reading in (
        ("Association", client.get_transit_gateway_route_table_associations),
        ("Propagation", client.get_transit_gateway_route_table_propagations),
    ):
        table = options.get(f"{word}DefaultRouteTableId")
        members = {"Association": "Associations", "Propagation": "TransitGatewayRouteTablePropagations"}
        known = reading(TransitGatewayRouteTableId=table)[members[word]] if table else []
        facts[_BY_DEFAULT + word] = identity in [k["TransitGatewayAttachmentId"] for k in known]
    return facts


def _subnets(call: Call, identity: str) -> None:
    client = call.client("ec2")
    found = client.describe_transit_gateway_vpc_attachments(TransitGatewayAttachmentIds=[identity])
    now = set(found["TransitGatewayVpcAttachments"][0]["SubnetIds"])
    wanted = set(call.inputs["subnetIds"])
    if now != wanted:
        client.modify_transit_gateway_vpc_attachment(
            TransitGatewayAttachmentId=identity,
            AddSubnetIds=sorted(wanted - now),
            RemoveSubnetIds=sorted(now - wanted),
        )


class Attachment(Optioned):
    """A VPC's attachment; its place in the gateway's default tables is what the gateway's options make it."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """Subnets belong to the creation."""
        return super().create_params(client, call) | {"SubnetIds": call.inputs["subnetIds"]}


class Association(Spec):
    """The one table that an attachment's traffic is routed by."""

    def identify(self, call: Call, answer: Plain) -> str:
        """Table and attachment."""
        return f"{call.inputs['transitGatewayRouteTableId']}_{call.inputs['transitGatewayAttachmentId']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The association in the table's list."""
        table, attachment = identity.split("_")
        known = call.client("ec2").get_transit_gateway_route_table_associations(
            TransitGatewayRouteTableId=table
        )
        for found in known["Associations"]:
            if found["TransitGatewayAttachmentId"] == attachment:
                return {**found, "TransitGatewayRouteTableId": table}
        return None

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Disassociate."""
        if self.fetch(call, identity) is not None:
            table, attachment = identity.split("_")
            call.client("ec2").disassociate_transit_gateway_route_table(
                TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=attachment
            )


class Route(Spec):
    """A static route of a table."""

    def identify(self, call: Call, answer: Plain) -> str:
        """Table and destination."""
        return f"{call.inputs['transitGatewayRouteTableId']}_{call.inputs['destinationCidrBlock']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The route with exactly this destination."""
        table, destination = identity.split("_")
        wanted = [{"Name": "route-search.exact-match", "Values": [destination]}]
        client = call.client("ec2")
        known = client.search_transit_gateway_routes(TransitGatewayRouteTableId=table, Filters=wanted)
        for route in known["Routes"]:
            through = route.get("TransitGatewayAttachments") or [{}]
            return {
                "DestinationCidrBlock": route["DestinationCidrBlock"],
                "TransitGatewayRouteTableId": table,
                "TransitGatewayAttachmentId": through[0].get("TransitGatewayAttachmentId"),
                "Blackhole": route["State"] == "blackhole",
            }
        return None

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """By table and destination."""
        if self.fetch(call, identity) is not None:
            table, destination = identity.split("_")
            call.client("ec2").delete_transit_gateway_route(
                TransitGatewayRouteTableId=table, DestinationCidrBlock=destination
            )


SPECS: tuple[Spec, ...] = (
    Optioned(
        type="aws:ec2transitgateway/transitGateway:TransitGateway",
        service="ec2",
        options=_GATEWAY_OPTIONS,
        create="create_transit_gateway",
        made="TransitGateway.TransitGatewayId",
        read="describe_transit_gateways",
        by="TransitGatewayIds",
        item="TransitGateways[0]",
        delete="delete_transit_gateway",
        delete_by="TransitGatewayId",
        tag_kind="transit-gateway",
        more=_gateway_facts,
    ),
    Attachment(
        type="aws:ec2transitgateway/vpcAttachment:VpcAttachment",
        service="ec2",
        options=_ATTACHMENT_OPTIONS,
        create="create_transit_gateway_vpc_attachment",
        made="TransitGatewayVpcAttachment.TransitGatewayAttachmentId",
        read="describe_transit_gateway_vpc_attachments",
        by="TransitGatewayAttachmentIds",
        item="TransitGatewayVpcAttachments[0]",
        delete="delete_transit_gateway_vpc_attachment",
        delete_by="TransitGatewayAttachmentId",
        tag_kind="transit-gateway-attachment",
        after=(
            Setting(("subnetIds",), _subnets),
            Setting(
                (f"{_BY_DEFAULT}Association", f"{_BY_DEFAULT}Propagation"), lambda _call, _identity: None
            ),
        ),
        more=_attachment_facts,
    ),
    Spec(
        type="aws:ec2transitgateway/routeTable:RouteTable",
        service="ec2",
        create="create_transit_gateway_route_table",
        made="TransitGatewayRouteTable.TransitGatewayRouteTableId",
        read="describe_transit_gateway_route_tables",
        by="TransitGatewayRouteTableIds",
        item="TransitGatewayRouteTables[0]",
        delete="delete_transit_gateway_route_table",
        delete_by="TransitGatewayRouteTableId",
        tag_kind="transit-gateway-route-table",
    ),
    Association(
        type="aws:ec2transitgateway/routeTableAssociation:RouteTableAssociation",
        service="ec2",
        create="associate_transit_gateway_route_table",
        exclusive=True,
    ),
    Route(
        type="aws:ec2transitgateway/route:Route",
        service="ec2",
        create="create_transit_gateway_route",
        exclusive=True,
    ),
)
