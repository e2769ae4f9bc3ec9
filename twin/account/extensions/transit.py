"""Transit gateways: no default route table where none is wanted, tags and routes as AWS describes them.

EC2 API reference: CreateTransitGateway ("If you disable automatic route propagation, we do not create a
default transit gateway route table"), CreateTransitGatewayVpcAttachment, SearchTransitGatewayRoutes and
TransitGatewayRoute; a deleted attachment leaves the tables that knew it.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.transit_gateway import TransitGateway
from moto.ec2.models.transit_gateway_attachments import (
    TransitGatewayAttachment,
    TransitGatewayAttachmentBackend,
)
from moto.ec2.models.transit_gateway_route_tables import TransitGatewayRouteTableBackend
from moto.ec2.responses import EC2Response

from twin.account.extensions.placing import place

_DEFAULTS = ("DefaultRouteTableAssociation", "DefaultRouteTablePropagation")
_DEFAULT_IDS = ("AssociationDefaultRouteTableId", "PropagationDefaultRouteTableId")
_SEARCHED = {"type": "Type", "state": "State", "route-search.exact-match": "DestinationCidrBlock"}


def install() -> None:
    """Replace what invents associations, and the spelling of routes."""
    _without_defaults()
    _explicit_associations()
    place(TransitGatewayRouteTableBackend, create_transit_gateway_route=_create_route)
    place(TransitGatewayRouteTableBackend, delete_transit_gateway_route=_delete_route)
    place(EC2Response, search_transit_gateway_routes=_search_routes)
    _attachments_keep_tags()


def _without_defaults() -> None:
    begin = TransitGateway.__init__

    def __init__(self: Any, backend: Any, description: Any, options: Any = None) -> None:
        begin(self, backend, description, options)
        self.options.setdefault("SecurityGroupReferencingSupport", "disable")
        if all(self.options[name] == "disable" for name in _DEFAULTS):
            backend.transit_gateways_route_tables.pop(self.default_route_table.id)
            self.default_route_table = None
            for name in _DEFAULT_IDS:
                self.options.pop(name, None)

    place(TransitGateway, __init__=__init__)


def _attachments_keep_tags() -> None:
    create = EC2Response.create_transit_gateway_vpc_attachment

    def create_transit_gateway_vpc_attachment(self: Any) -> Any:
        answer: Any = create(self)
        tags = self._parse_tag_specification().get("transit-gateway-attachment", {})
        answer.result["TransitGatewayVpcAttachment"].add_tags(tags)
        return answer

    place(EC2Response, create_transit_gateway_vpc_attachment=create_transit_gateway_vpc_attachment)


def _explicit_associations() -> None:
    attach = TransitGatewayAttachmentBackend.create_transit_gateway_vpc_attachment
    end = TransitGatewayAttachmentBackend.delete_transit_gateway_vpc_attachment
    remember = TransitGatewayRouteTableBackend.set_route_table_association
    remove = EC2Response.delete_transit_gateway

    def set_route_table_association(
        self: Any, transit_gateway_attachment_id: str, transit_gateway_route_table_id: str | None
    ) -> None:
        if transit_gateway_route_table_id is not None:
            remember(self, transit_gateway_attachment_id, transit_gateway_route_table_id)

    def create(self: Any, transit_gateway_id: str, *args: Any, **kwargs: Any) -> Any:
        gateway = self.transit_gateways.get(transit_gateway_id)
        nothing = gateway is not None and gateway.default_route_table is None
        if nothing:
            gateway.default_route_table = _NoTable()
        try:
            made: Any = attach(self, transit_gateway_id, *args, **kwargs)
        finally:
            if nothing:
                gateway.default_route_table = None
        if nothing:
            made.transit_gateway_route_table = None
        return made

    def delete(self: Any, transit_gateway_attachment_id: str) -> Any:
        for table in self.transit_gateways_route_tables.values():
            table.route_table_associations.pop(transit_gateway_attachment_id, None)
        self.transit_gateway_associations.pop(transit_gateway_attachment_id, None)
        return end(self, transit_gateway_attachment_id)

    def association(self: Any) -> dict[str, str] | None:
        explicit = self._association_data.get("transitGatewayRouteTableId")
        default = self.transit_gateway_route_table
        table = explicit or (default.id if default else None)
        return {"State": "associated", "TransitGatewayRouteTableId": table} if table else None

    def delete_transit_gateway(self: Any) -> Any:
        wanted = self._get_param("TransitGatewayId")
        attached = self.ec2_backend.transit_gateway_attachments.values()
        if any(a.transit_gateway_id == wanted and a.state == "available" for a in attached):
            raise EC2ClientError("IncorrectState", f"{wanted} has non-deleted attachments.")
        return remove(self)

    place(TransitGatewayRouteTableBackend, set_route_table_association=set_route_table_association)
    place(TransitGatewayAttachmentBackend, create_transit_gateway_vpc_attachment=create)
    place(TransitGatewayAttachmentBackend, delete_transit_gateway_vpc_attachment=delete)
    place(TransitGatewayAttachment, association=property(association))
    place(EC2Response, delete_transit_gateway=delete_transit_gateway)


class _NoTable:
    """Stands in while moto attaches to a gateway without a default table."""

    id = None


def _create_route(  # the backend's own signature
    self: Any,
    transit_gateway_route_table_id: str,
    destination_cidr_block: str,
    transit_gateway_attachment_id: str | None = None,
    blackhole: bool = False,
) -> dict[str, Any]:
    table = self.transit_gateways_route_tables[transit_gateway_route_table_id]
    if bool(blackhole) == bool(transit_gateway_attachment_id):
        raise EC2ClientError("InvalidParameterCombination", "Specify an attachment, or a blackhole.")
    if destination_cidr_block in table.routes:
        raise EC2ClientError("RouteAlreadyExists", f"The route {destination_cidr_block} already exists.")
    route: dict[str, Any] = {"DestinationCidrBlock": destination_cidr_block, "Type": "static"}
    route["State"] = "blackhole" if blackhole else "active"
    if transit_gateway_attachment_id:
        found = self.transit_gateway_attachments.get(transit_gateway_attachment_id)
        if found is None:
            code = "InvalidTransitGatewayAttachmentID.NotFound"
            raise EC2ClientError(code, f"{transit_gateway_attachment_id} does not exist.")
        route["TransitGatewayAttachments"] = [
            {
                "ResourceId": found.resource_id,
                "ResourceType": found.resource_type,
                "TransitGatewayAttachmentId": transit_gateway_attachment_id,
            }
        ]
    table.routes[destination_cidr_block] = route
    return route


def _delete_route(
    self: Any, transit_gateway_route_table_id: str, destination_cidr_block: str
) -> dict[str, Any]:
    table = self.transit_gateways_route_tables[transit_gateway_route_table_id]
    if destination_cidr_block not in table.routes:
        raise EC2ClientError("InvalidRoute.NotFound", f"no route to {destination_cidr_block}.")
    route: dict[str, Any] = table.routes.pop(destination_cidr_block)
    return {**route, "State": "deleted"}


def _search_routes(self: Any) -> ActionResult:
    table = self.ec2_backend.transit_gateways_route_tables.get(self._get_param("TransitGatewayRouteTableId"))
    if table is None:
        raise EC2ClientError("InvalidRouteTableID.NotFound", "The route table does not exist.")
    filters = self._filters_from_querystring()
    found = [
        route
        for route in table.routes.values()
        if all(route.get(_SEARCHED[name]) in values for name, values in filters.items() if name in _SEARCHED)
    ]
    return ActionResult({"Routes": found, "AdditionalRoutesAvailable": False})
